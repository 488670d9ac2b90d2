/**
 * What `finwait check` says of other servers: plays it on each of them, as a process, and writes the page of it.
 *
 *     node packages/scorecard/src/results.ts [subject …] [--reports folder] [--rest] [--only S1,S3]
 *
 * `--reports` is where the reports are kept, and where those of subjects that are not named are taken from; with `--rest`
 * all that are there already. With `--only`, which is for looking at something again, no page is written.
 */
import { decode, type Report } from "@finwait/cli"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { type Checked, page } from "./results/page.ts"
import { installed, versionOf } from "./results/programs.ts"
import { type Subject, subjects } from "./results/subjects.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const options = ["--grace", "30s", "--connections", "2000"]

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { reports: { type: "string" }, rest: { type: "boolean" }, only: { type: "string" } }
})
const unknown = positionals.find((id) => !subjects.some((subject) => subject.id === id))
if (unknown !== undefined) {
  process.stderr.write(`${unknown}: there are ${subjects.map(({ id }) => id).join(", ")}\n`)
  process.exit(2)
}

const given = values.reports === undefined ? undefined : resolve(values.reports)
const temporary = await mkdtemp(join(tmpdir(), "finwait-results-"))
const folder = given ?? temporary
await mkdir(folder, { recursive: true })
process.chdir(root)
process.on("SIGINT", () => process.exit(130)).on("SIGTERM", () => process.exit(143))

const programs = {
  python3: await versionOf("python3", "--version"),
  nginx: await versionOf("nginx", "-v"),
  haproxy: await versionOf("haproxy", "-v")
}

/** The command, as anybody runs it. It has its say on our standard error, and the report is all that it prints. */
const play = async (subject: Subject, file: string): Promise<void> => {
  const own = await mkdtemp(join(temporary, "subject-"))
  const started = await subject.start(own)
  try {
    const only = values.only === undefined ? [] : ["--only", values.only]
    const check = ["packages/cli/src/main.ts", "check", "--name", subject.name, ...options, ...started.options, ...only]
    const child = spawn(process.execPath, [...check, "--json", "-", "--", ...started.command], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...started.env }
    })
    const json = await text(child.stdout)
    if (json === "") throw new Error(`${subject.name} could not be checked`)
    await writeFile(file, json)
  } finally {
    await started.end?.()
  }
}

const reportOf = async (subject: Subject): Promise<Report | undefined> => {
  if (subject.program !== undefined && programs[subject.program] === undefined) return undefined
  const file = join(folder, `${subject.id}.json`)
  const isWanted =
    positionals.length === 0 ? values.rest !== true || !existsSync(file) : positionals.includes(subject.id)
  if (isWanted) {
    process.stderr.write(`\n${subject.name}\n`)
    await play(subject, file)
  }
  return Effect.runPromise(decode(await readFile(file, "utf8")))
}

try {
  const checked: Array<Checked> = []
  const wanted = values.only === undefined ? subjects : subjects.filter(({ id }) => positionals.includes(id))
  for (const subject of wanted) checked.push({ subject, report: await reportOf(subject) })
  if (values.only === undefined) {
    const packages = ["effect", "@effect/platform-node", "http-terminator", "stoppable", "@godaddy/terminus", "fastify"]
    const versions = [
      ["Node.js", process.version.slice(1)],
      ...["finwait", "@finwait/node", "@finwait/cli", ...packages, "close-with-grace"].map((name) => [
        name,
        installed(name)
      ]),
      ["Python", programs.python3 ?? "not installed"],
      ["nginx", programs.nginx ?? "not installed"],
      ["HAProxy", programs.haproxy ?? "not installed"]
    ].map(([name = "", version = ""]) => [name, version] as const)
    const notes = await readFile(new URL("results/notes.md", import.meta.url), "utf8")
    await writeFile("docs/scorecard-results.md", page({ checked, versions, options, notes }))
  }
} finally {
  await rm(temporary, { recursive: true, force: true })
}
