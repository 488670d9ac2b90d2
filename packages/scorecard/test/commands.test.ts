/** The command as a person starts it: what they print, as text and as data, and what they exit with. */
import { once } from "node:events"
import { assert, describe, it } from "vitest"
import { spawnNode } from "../src/ServerProcess.ts"

/** This only tells an end from a hang. */
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
