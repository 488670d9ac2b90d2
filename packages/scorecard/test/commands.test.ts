/** The commands as a person starts them: what they print, as text and as data, and what they exit with. */
import { once } from "node:events"
import { assert, describe, it } from "vitest"
import { spawnNode } from "../src/ServerProcess.ts"

/** The demo takes a quarter of a minute; this only tells an end from a hang. */
const boundMillis = 90_000

const run = async (file: string, ...args: ReadonlyArray<string>) => {
  const child = spawnNode(new URL(`../src/${file}`, import.meta.url), args, {})
  let stdout = ""
  let stderr = ""
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (stdout += text))
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr += text))
  const [code] = (await once(child, "close")) as [number | null]
  return { code, stdout, stderr }
}

interface Shown {
  readonly subjects: ReadonlyArray<{
    readonly subject: string
    readonly ok: boolean
    readonly killed: boolean
    readonly exitCode: number | null
    readonly groups: ReadonlyArray<{ readonly group: string; readonly ok: boolean }>
  }>
}

describe.concurrent("the demo", () => {
  it(
    "shows Effect's own server and Finwait side by side, as data",
    async () => {
      const { code, stderr, stdout } = await run("demo.ts", "--json")
      const { subjects } = JSON.parse(stdout) as Shown
      assert.deepStrictEqual(
        subjects.map(({ exitCode, killed, ok, subject }) => ({ subject, ok, killed, exitCode })),
        [
          { subject: "effect", ok: false, killed: true, exitCode: null },
          { subject: "finwait", ok: true, killed: false, exitCode: 1 }
        ],
        stderr
      )
      assert.strictEqual(code, 0)
    },
    boundMillis
  )

  it(
    "is readable without a terminal: no control characters, no line longer than 80 columns",
    async () => {
      const { code, stdout } = await run("demo.ts", "finwait")
      assert.strictEqual(code, 0)
      assert.notInclude(stdout, "\u001b")
      assert.notInclude(stdout, "\r")
      assert.deepStrictEqual(
        stdout.split("\n").filter((line) => line.length > 80),
        []
      )
      assert.match(stdout, /clients have seen an end/)
      assert.match(stdout, /6 jobs in flight +● 6 whole, 6 FIN/)
      assert.match(stdout, /1 client that never reads +● 1 RST/)
    },
    boundMillis
  )

  it("refuses a subject that it does not know", async () => {
    const { code, stderr } = await run("demo.ts", "nobody")
    assert.strictEqual(code, 2)
    assert.match(stderr, /nobody/)
  })
})

describe.concurrent("the scorecard's command", () => {
  it(
    "prints a table and exits 0 when every row is good",
    async () => {
      const { code, stdout } = await run("main.ts", "finwait", "S2a", "S2b")
      assert.match(stdout, /S2a .*good/)
      assert.match(stdout, /finwait: 2 of 2 rows good/)
      assert.strictEqual(code, 0)
    },
    boundMillis
  )

  it(
    "exits 1 when one is not, and says the same as data",
    async () => {
      const { code, stdout } = await run("main.ts", "effect", "S1", "--json")
      const [row] = JSON.parse(stdout) as ReadonlyArray<{ readonly ok: boolean; readonly problems: Array<string> }>
      assert.isFalse(row!.ok)
      assert.isNotEmpty(row!.problems)
      assert.strictEqual(code, 1)
    },
    boundMillis
  )

  it("refuses what it does not know", async () => {
    const { code, stderr } = await run("main.ts", "nobody")
    assert.strictEqual(code, 2)
    assert.match(stderr, /nobody/)
  })
})
