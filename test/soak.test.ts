/**
 * A day in small: connections opened and closed in rounds, and everything back where it began.
 */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "vitest"

const rounds = 20
const perRound = 10_000

/** A minute is usual; this only tells an end from a hang. */
const timeoutMillis = 300_000

interface Sample {
  readonly heapBytes: number
  readonly fibers: number
  readonly handles: number
  readonly connectionsOpen: number
}

interface Printed {
  readonly connections: number
  readonly before: Sample
  readonly after: Sample
  readonly fibersStarted: number
  readonly warnings: ReadonlyArray<string>
  readonly reports: ReadonlyArray<{ readonly clean: boolean; readonly connections: number }>
}

describe("soak", () => {
  it(
    `${(rounds * perRound).toLocaleString("en")} connections leave nothing behind`,
    async () => {
      const program = join(import.meta.dirname, "soak/soak.ts")
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ["--expose-gc", program, String(rounds), String(perRound)],
        { timeout: timeoutMillis, maxBuffer: 64 * 1024 * 1024 }
      )
      const printed = JSON.parse(
        stdout
          .trim()
          .split("\n")
          .findLast((line) => line.startsWith('{"connections"'))!
      ) as Printed
      const { after, before } = printed
      assert.strictEqual(printed.connections, rounds * perRound)
      assert.deepStrictEqual(printed.warnings, [])
      // A handler and a close each, at the least: the count below would be as good if nobody counted.
      assert.isAtLeast(printed.fibersStarted, 2 * printed.connections)
      assert.strictEqual(after.fibers, before.fibers)
      assert.strictEqual(after.handles, before.handles)
      assert.strictEqual(after.connectionsOpen, 0)
      assert.isAtMost(after.heapBytes, before.heapBytes * 1.05, "heap, in bytes")
      assert.deepStrictEqual(
        printed.reports.map(({ clean, connections }) => ({ clean, connections })),
        [
          { clean: true, connections: 0 },
          { clean: true, connections: 0 }
        ]
      )
    },
    timeoutMillis
  )
})
