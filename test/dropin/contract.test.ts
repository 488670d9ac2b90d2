/** One set of behaviours, on Effect's own sockets and on Finwait's. */
import { Effect } from "effect"
import { describe, it } from "vitest"
import { messages } from "./contract/messages.ts"
import { serving } from "./contract/serving.ts"
import { upgrading } from "./contract/upgrading.ts"
import { writing } from "./contract/writing.ts"
import { reading } from "./contract/reading.ts"
import { effects, finwaits, type Sockets, type Transport, world } from "./contract/world.ts"
import type { Row } from "./contract/Row.ts"

const observe = (row: Row, sockets: Sockets, transport: Transport): Promise<unknown> =>
  Promise.race([Effect.runPromise(Effect.scoped(Effect.flatMap(world(sockets, transport), (w) => Effect.tap(row.see(w), (x) => Effect.sync(() => void (globalThis as any).last.push(JSON.stringify(x))))))), new Promise((r) => setTimeout(() => r('HANGS ' + (globalThis as any).last.splice(0).join()), 3000))])

(globalThis as any).last = []
const groups = { reading, writing, messages, upgrading, serving }

for (const [group, rows] of Object.entries(groups)) {
  describe(group, () => {
    for (const row of rows) {
      for (const transport of row.over) {
        it(`${transport}: ${row.what}`, async () => {
          (globalThis as any).last = []
          const one = await observe(row, effects, transport).catch((e) => `THROW ${e}`)
          (globalThis as any).last = []
          const two = await observe(row, finwaits, transport).catch((e) => `THROW ${e}`)
          const a = JSON.stringify(one), b = JSON.stringify(two)
          console.log(a === b ? `SAME ${transport} ${row.what}\n   ${a}` : `DIFF ${transport} ${row.what}\n   E ${a}\n   F ${b}`)
        })
      }
    }
  })
}
