/**
 * The test command: every check of the repository, one after the other.
 *
 * A check that fails does not stop the rest, so that one run tells everything; the exit code remembers it. The last line
 * is `tests: N passed, N failed, N skipped`, where each check counts as one test beside vitest's.
 *
 * Arguments select test files (`npx -y pnpm@12 test -- drain`): the checks run as ever, vitest only what matches.
 */
import { spawn } from "node:child_process"
import { delimiter, join } from "node:path"
import { type Counts, isCounts } from "./counts.ts"

const root = join(import.meta.dirname, "../..")
const filters = process.argv.slice(2).filter((argument) => argument !== "--")
const totals: Counts = { passed: 0, failed: 0, skipped: 0, failures: [] }

interface Finished {
  readonly ok: boolean
  /** What the counting reporter sent; absent when it had no chance to, or when the command is not vitest. */
  readonly counts: Counts | undefined
}

/** Runs one of the workspace's commands with its output shown as it comes. */
const run = (command: string, ...args: ReadonlyArray<string>) =>
  new Promise<Finished>((resolve) => {
    let counts: Counts | undefined
    const child = spawn(command, args, {
      cwd: root,
      // No terminal to ask questions at: a test that waits for input would wait for ever in CI.
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, PATH: join(root, "node_modules/.bin") + delimiter + process.env["PATH"] },
      // On Windows the commands in .bin are scripts, which only a shell can start.
      shell: process.platform === "win32"
    })
    child.on("message", (message) => {
      if (isCounts(message)) counts = message
    })
    child.on("error", (error) => {
      console.log(error.message)
      resolve({ ok: false, counts })
    })
    child.on("exit", (code, signal) => {
      if (signal !== null) console.log(`${command}: ended by ${signal}`)
      resolve({ ok: code === 0, counts })
    })
  })

const section = async (title: string, body: () => Promise<Counts>) => {
  console.log(`\n━━ ${title}`)
  const start = performance.now()
  const { passed, failed, skipped, failures } = await body()
  totals.passed += passed
  totals.failed += failed
  totals.skipped += skipped
  totals.failures.push(...failures)
  console.log(`━━ ${title}: ${failed === 0 ? "ok" : "FAILED"}, ${((performance.now() - start) / 1000).toFixed(1)} s`)
}

/** A command that says yes or no: one test. */
const check = (title: string, command: string, ...args: ReadonlyArray<string>) =>
  section(title, async () => {
    const { ok } = await run(command, ...args)
    return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0, failures: ok ? [] : [title] }
  })

/** A vitest run: as many tests as it counted, and one failure at least if it does not end well. */
const vitest = (title: string, ...args: ReadonlyArray<string>) =>
  section(title, async () => {
    const { ok, counts } = await run(
      "vitest",
      "run",
      // A forgotten `it.only` must not pass for a whole test run.
      "--allowOnly=false",
      "--reporter=default",
      "--reporter=./test/tools/counts.ts",
      ...args
    )
    if (counts === undefined)
      return { passed: 0, failed: 1, skipped: 0, failures: [`${title}: ended without its counts`] }
    if (ok || counts.failed > 0) return counts
    return { ...counts, failed: 1, failures: [`${title}: no test failed, and yet the run did`] }
  })

await check("types", "tsc", "-b")
// Effect's own diagnostics see what types cannot: an Effect that is created and never run, a `yield` without its star.
// The project of the tests refers to all packages, so that one run sees everything.
await check(
  "effects",
  "effect-tsgo",
  "diagnostics",
  "--strict",
  "--severity=error,warning",
  "--format=text",
  `--project=${join(root, "test/tsconfig.json")}`
)
await check("lint", "oxlint", "--type-aware")
await check("format", "oxfmt", "--check")
if (filters.length === 0) {
  await vitest("layers", "test/layering.test.ts")
  await vitest("README and docs", "test/readme.test.ts")
  const http = ["httpClients", "httpDrains", "httpNginx"].map((name) => `test/${name}.test.ts`)
  const alone = ["layering", "readme", "scorecard", "scorecardSockets", "scorecardHttp", "kernel", "planted"].map(
    (name) => `test/${name}.test.ts`
  )
  const checks = ["cli/test/scenarios", "cli/test/demo", "scorecard/test/check"].map(
    (name) => `packages/${name}.test.ts`
  )
  await vitest("tests", ...[...alone, ...http, ...checks].map((file) => `--exclude=${file}`))
  // On all cores, each for itself.
  await check("simulation", "node", "packages/simulate/src/main.ts", "--closes", "100000")
  await vitest("planted mistakes", "test/planted.test.ts")
  // They judge by the clock, as `finwait check` does, and start some servers at a time by themselves.
  await vitest("checks", "--no-file-parallelism", ...checks)
  // Its deadlines are in real time: nothing else runs beside it.
  await vitest("kernel", "test/kernel.test.ts")
  // Each of them keeps all cores busy.
  await vitest("HTTP under load", "--no-file-parallelism", ...http)
  // By itself: its table says seconds, and they should be the server's, not those of the tests beside it.
  await vitest("scorecard", "test/scorecard.test.ts")
  await vitest("scorecard of Effect's sockets", "test/scorecardSockets.test.ts")
  await vitest("scorecard of HTTP", "test/scorecardHttp.test.ts")
} else {
  await vitest(`tests: ${filters.join(" ")}`, ...filters)
}

// A run is thousands of lines long, and what is kept of it may be the end alone.
for (const failure of totals.failures) console.log(`\n✗ ${failure}`)
console.log(`\n${totals.failed === 0 ? "Everything is as it should be" : "Something failed, see above"}.`)
console.log(`tests: ${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exitCode = totals.failed === 0 ? 0 : 1
