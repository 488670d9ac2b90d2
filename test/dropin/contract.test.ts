/**
 * One set of behaviours, on Effect's own sockets and on Finwait's. Each row says what both do; or what each does, and why
 * they differ: the rows with a reason (`because`) are all the differences that there are on purpose.
 */
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { within } from "../../packages/cli/src/Waiting.ts"
import { messages } from "./contract/messages.ts"
import { opening } from "./contract/opening.ts"
import { reading } from "./contract/reading.ts"
import type { Row } from "./contract/Row.ts"
import { serving } from "./contract/serving.ts"
import { upgrading } from "./contract/upgrading.ts"
import { effects, finwaits, type Sockets, type Transport, world } from "./contract/world.ts"
import { writing } from "./contract/writing.ts"

/** Only tells an end from a hang. */
const boundMillis = 10_000

const observe = (row: Row, sockets: Sockets, transport: Transport): Promise<unknown> => {
  const observed = Effect.runPromise(Effect.scoped(Effect.flatMap(world(sockets, transport), row.see)))
  return within(boundMillis, observed, `${sockets.name} sockets`)
}

const groups = { opening, reading, writing, messages, upgrading, serving }

const rows = Object.entries(groups).flatMap(([group, rows]) =>
  rows.flatMap((row) => row.over.map((transport) => ({ group, row, transport, name: `${transport}: ${row.what}` })))
)

describe.each(Object.keys(groups))("%s", (name) => {
  for (const { group, name: test, row, transport } of rows) {
    if (group !== name) continue
    it(test, { timeout: 2 * boundMillis + 1000 }, async () => {
      const expected = row.expected(transport)
      const [effect, finwait] =
        "both" in expected ? [expected.both, expected.both] : [expected.effect, expected.finwait]
      assert.deepStrictEqual(await observe(row, effects, transport), effect)
      assert.deepStrictEqual(await observe(row, finwaits, transport), finwait)
    })
  }
})

describe("the table", () => {
  it("has each behaviour once", () => {
    const names = rows.map(({ name }) => name)
    assert.deepStrictEqual(names, [...new Set(names)])
  })

  it("calls a difference what is one", () => {
    for (const { name, row, transport } of rows) {
      const expected = row.expected(transport)
      if ("because" in expected) assert.notDeepEqual(expected.effect, expected.finwait, name)
    }
  })
})
