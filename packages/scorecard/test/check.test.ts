/**
 * `finwait check` on servers that are known: on Finwait's it finds nothing, over every way to speak to one, and on Effect's
 * own it finds what the scorecard does.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, describe, it } from "vitest"

const main = fileURLToPath(new URL("../../cli/src/main.ts", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "finwait-check-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The job protocol, as far as a script has words for it. */
const script = join(folder, "jobs.json")
const largeBytes = 33_554_432
writeFileSync(
  script,
  JSON.stringify({
    quick: { send: "WORK 0\n", expect: { text: "DONE 0\n" } },
    slow: { send: "WORK 1500\n", expect: { text: "DONE 1500\n" } },
    large: { send: `GET ${largeBytes}\n`, expect: { text: `SIZE ${largeBytes}\n`, bytes: largeBytes } },
    upload: { send: "REJECT 204800\n", expect: { text: "SIZE 204800\n", bytes: 204_800 } },
    finalizer: { send: "FINALIZER 1000\n", expect: { text: "OK\n" } },
    drop: { send: "DROP 8388608\n", expect: { bytes: 8_388_608 } }
  })
)

const paths = `slow=/WORK/1500,large=/GET/${largeBytes},upload=/REJECT/204800,quick=/WORK/0`
const limits = ["DRAIN_MS=4500", "CLOSE_MS=1500", "LINGER_IDLE_MS=5000", "LINGER_MS=10000", "CLOSE_DEADLINE_MS=10000"]

interface Row {
  readonly id: string
  readonly verdict: string
  readonly plays: ReadonlyArray<{
    readonly findings: ReadonlyArray<{ readonly text: string }>
    readonly notes: Array<string>
  }>
}

const check = async (subject: string, ...options: ReadonlyArray<string>): Promise<ReadonlyArray<Row>> => {
  const file = fileURLToPath(new URL(`../src/subjects/${subject}.ts`, import.meta.url))
  // Five at a time on whatever machine: they tell an end from none.
  const bounds = [
    "--grace",
    "12s",
    "--deadline",
    "10s",
    "--prompt",
    "4s",
    "--late",
    "5s",
    "--close",
    "12s",
    "--connections",
    "300"
  ]
  const server = ["env", ...limits, process.execPath, file]
  const { NODE_OPTIONS: _options, VITEST: _runner, ...env } = process.env
  const child = spawn(process.execPath, [main, "check", ...bounds, ...options, "--json", "-", "--", ...server], { env })
  let stdout = ""
  let stderr = ""
  child.stdout.on("data", (text) => (stdout += String(text)))
  child.stderr.on("data", (text) => (stderr += String(text)))
  await new Promise((closed) => child.once("close", closed))
  if (stdout === "") throw new Error(stderr)
  return (JSON.parse(stdout) as { readonly rows: ReadonlyArray<Row> }).rows
}

const said = ({ id, plays, verdict }: Row): string =>
  `${id} ${verdict}: ${plays.flatMap(({ findings, notes }) => [...findings.map(({ text }) => text), ...notes]).join("; ")}`

const boundMillis = 300_000

describe.concurrent("finwait check", () => {
  it.each([
    ["http", "finwait-http", ["--http", paths], 16],
    ["http2", "finwait-http2", ["--profile", "http2", "--http", paths], 16],
    ["websocket", "finwait-websocket", ["--profile", "websocket", "--script", script], 17],
    ["line", "finwait-socket", ["--profile", "line", "--script", script], 17],
    ["line over TLS", "finwait-tls", ["--profile", "line", "--tls", "--script", script], 16]
  ] as const)(
    "finds nothing on Finwait's servers: %s",
    async (_, subject, options, played) => {
      const rows = await check(subject, ...options)
      const bad = rows.filter(({ verdict }) => verdict !== "pass" && verdict !== "n/a")
      assert.deepStrictEqual(bad.map(said), [])
      assert.strictEqual(rows.filter(({ verdict }) => verdict === "pass").length, played, rows.map(said).join("\n"))
    },
    boundMillis
  )

  it(
    "finds on Effect's own what the scorecard does",
    async () => {
      const rows = await check("effect", "--profile", "line", "--script", script)
      const failed = rows.filter(({ verdict }) => verdict === "fail").map(({ id }) => id)
      assert.includeMembers(failed, ["S1", "S3", "S4", "S4late", "S6", "S7", "S9f", "S10"], rows.map(said).join("\n"))
      const passed = rows.filter(({ verdict }) => verdict === "pass").map(({ id }) => id)
      assert.includeMembers(passed, ["S2a", "S2b", "S3b", "S5"], rows.map(said).join("\n"))
    },
    boundMillis
  )
})
