/**
 * The benchmark, from the command line: `npx -y pnpm@12 bench --help`.
 *
 * Exit code 0 when it ran (and, with `--check`, no floor was missed), 1 when a floor was missed or a subject failed, 2
 * when the arguments are wrong.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { writeDocs } from "./docs.ts"
import { missed, readFloors, writeFloors } from "./floors.ts"
import { compile } from "./compile.ts"
import { compared } from "./compare.ts"
import { native } from "./native.ts"
import { type Options, readOptions, usage, WrongArguments } from "./options.ts"
import { canProfile, profiles } from "./profile.ts"
import { machine, type Run } from "./report.ts"
import { measure, roundsOfProcess } from "./rounds.ts"
import { rowOf, rows } from "./rows.ts"
import { subjects, subjectsOf, withFlags } from "./subjects.ts"
import { head, profilesText, rowText } from "./text.ts"

const warmSeconds = 1

/** Guessed from the samples to come; said, so that nobody wonders. */
const estimateMinutes = (hasCompiler: boolean, { chosen, flags, only, rounds, seconds }: Options): number =>
  chosen.reduce((sum, row) => {
    const isHeld = row.mode === "hold"
    const sampleSeconds = isHeld
      ? 3 + (row.holdSeconds ?? 0)
      : row.figure === "simulated"
        ? 4
        : (seconds * (row.times ?? 1) * 4) / 3 + 0.3
    const warm = isHeld ? 0 : ((row.warmSeconds ?? warmSeconds) * 4) / 3 + 0.5
    const subjects = Math.max(1, withFlags(subjectsOf(row, hasCompiler, only), flags).length)
    return sum + (sampleSeconds * rounds + warm * Math.ceil(rounds / roundsOfProcess)) * subjects
  }, 0) / 60

const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

/** After every row: a run takes most of an hour, and what was measured stays, whatever comes then. */
const keep = ({ json }: Options, run: Run): void => {
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(run)}\n`)
}

const measureAll = async (options: Options): Promise<Run> => {
  compile()
  const { chosen, flags, only, rounds, seconds } = options
  const programs = native()
  const about = { machine: machine(programs === undefined ? "Node" : "C"), rounds, seconds }
  console.log(head(about))
  if (programs === undefined) console.log("no C compiler here: the load generator is Node's, and there is no C server")
  const minutes = Math.ceil(estimateMinutes(programs !== undefined, options))
  console.log(`${chosen.length} rows, about ${minutes} minutes\n`)
  const results: Array<Run["rows"][number]> = []
  const run = { date: new Date().toISOString().slice(0, 10), ...about }
  for (const row of chosen) {
    const result = await measure(row, { rounds, seconds, warmSeconds, only, native: programs, flags, progress })
    progress("")
    console.log(`${rowText(result)}\n`)
    results.push(result)
    keep(options, { ...run, rows: results })
  }
  return { ...run, rows: results }
}

const kept = (file: string): Run => JSON.parse(readFileSync(file, "utf8")) as Run

/** Runs that were kept, as one. */
const together = (files: ReadonlyArray<string>): Run => {
  const runs = files.map(kept)
  const last = runs.at(-1)!
  const measured = new Map(runs.flatMap(({ rows }) => rows.map((row) => [row.row, row] as const)))
  return { ...last, rows: rows.flatMap(({ id }) => measured.get(id) ?? []) }
}

const profileAll = async ({ chosen, only }: Options): Promise<void> => {
  compile()
  for (const row of chosen.filter(canProfile)) {
    const found = await profiles(row, only, native(), progress)
    progress("")
    console.log(`${profilesText(row, found)}\n`)
  }
}

/** For the rows whose goals are the hardest to reach, as far as the run has them. */
const inTheWay = async (run: Run): Promise<NonNullable<Run["profiles"]>> => {
  compile()
  const found: Array<NonNullable<Run["profiles"]>[number]> = []
  for (const id of ["ping-64-100", "churn", "storm-server", "http-churn"]) {
    if (!run.rows.some(({ row }) => row === id)) continue
    found.push(...(await profiles(rowOf(id), undefined, native(), progress)))
  }
  progress("")
  return found
}

const run = async (options: Options): Promise<boolean> => {
  const measured = options.from === undefined ? await measureAll(options) : together(options.from.split(","))
  const needsProfiles = options.docs && measured.profiles === undefined
  const done = needsProfiles ? { ...measured, profiles: await inTheWay(measured) } : measured
  keep(options, done)
  if (options.compare !== undefined) console.log(compared(kept(options.compare), done))
  if (options.record) writeFloors(done)
  if (options.docs) writeDocs(done)
  if (!options.check) return true
  const below = missed(done, readFloors())
  console.log(below.length === 0 ? "every floor holds" : below.join("\n"))
  return below.length === 0
}

const list = ({ chosen, only }: Options): void => {
  const measured = subjects.filter((subject) => chosen.some((row) => subjectsOf(row, true, only).includes(subject)))
  for (const { id, title } of [...chosen, ...measured]) console.log(`${id.padEnd(22)}${title}`)
}

const perform = async (options: Options): Promise<boolean> => {
  if (options.help) console.log(usage)
  else if (options.list) list(options)
  else if (options.profile) await profileAll(options)
  else return run(options)
  return true
}

try {
  process.exitCode = (await perform(readOptions())) ? 0 : 1
} catch (error) {
  const wrong = error instanceof WrongArguments
  console.error(`${error instanceof Error ? error.message : String(error)}${wrong ? `\n\n${usage}` : ""}`)
  process.exitCode = wrong ? 2 : 1
}
