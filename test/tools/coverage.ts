/**
 * How much of `packages/…/src` the tests run, in whatever process: `npx -y pnpm@12 coverage`
 *
 * A good part of this code is about processes (signals, exit codes, watchdogs) and only ever runs in children, which a
 * test runner's own coverage does not see. So Node itself counts, in every process that the tests start
 * (NODE_V8_COVERAGE), and everything is added up here. The packages are run from their sources by Node, types stripped
 * and offsets kept, so that what was counted is where it is written.
 */
import { spawn } from "node:child_process"
import { readFileSync, rmSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { CoverageReport } from "monocart-coverage-reports"

const root = join(import.meta.dirname, "../..")
const raw = join(root, "coverage/raw")
const floors = { lines: 95, branches: 90 } as const

rmSync(join(root, "coverage"), { recursive: true, force: true })

const code = await new Promise<number | null>((resolve) => {
  const args = [join(root, "node_modules/vitest/vitest.mjs"), "run", ...process.argv.slice(2)]
  // One process after the other per core: a busy machine makes tests of real time slow, not wrong.
  const env = { ...process.env, NODE_V8_COVERAGE: raw, FINWAIT_COVERAGE: "1" }
  spawn(process.execPath, args, { cwd: root, stdio: "inherit", env }).on("exit", resolve)
})

/** What Node runs: the source with its types blanked out. A file of types alone has nothing to run. */
async function strip(entry: { readonly url: string; source?: string }): Promise<void> {
  entry.source = stripTypeScriptTypes(readFileSync(fileURLToPath(entry.url), "utf8"))
}

const report = new CoverageReport({
  name: "Finwait",
  outputDir: join(root, "coverage"),
  reports: ["v8", "console-details"],
  clean: false,
  logging: "error",
  // Every file counts, also one that no test has loaded.
  all: {
    dir: [join(root, "packages")],
    filter: (path: string) => (isSource(path) ? "js" : false),
    transformer: strip
  },
  entryFilter: ({ url }: { url: string }) => url.startsWith("file:") && isSource(fileURLToPath(url)),
  onEntry: strip
})

const isSource = (path: string): boolean =>
  /\/packages\/[^/]+\/src\/.*\.ts$/.test(path.replaceAll("\\", "/")) && !path.includes("node_modules")

await report.addFromDir(raw)
const results = await report.generate()
const { branches, lines } = results!.summary
const below = Object.entries({ lines, branches }).filter(([name, { pct }]) => Number(pct) < floors[name as "lines"])
for (const [name, { pct }] of below) console.log(`${name}: ${pct} %, less than ${floors[name as "lines"]} %`)
process.exitCode = code === 0 && below.length === 0 ? 0 : 1
