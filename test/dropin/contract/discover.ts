import { Effect } from "effect"
import { messages } from "./messages.ts"
import { reading } from "./reading.ts"
import { serving } from "./serving.ts"
import { upgrading } from "./upgrading.ts"
import { writing } from "./writing.ts"
import { effects, finwaits, world } from "./world.ts"
const filter = new RegExp(process.argv[2] ?? ".")
process.on("uncaughtException", (e) => console.log("UNCAUGHT", e))
for (const row of [...reading, ...writing, ...messages, ...upgrading, ...serving]) {
  for (const transport of row.over) {
    if (!filter.test(`${transport}: ${row.what}`)) continue
    const see = async (sockets: any) => {
      let seen: unknown
      const run = Effect.runPromise(
        Effect.scoped(Effect.flatMap(world(sockets, transport), (w) => Effect.tap(row.see(w), (x) => Effect.sync(() => (seen = x)))))
      ).catch((e) => `THROW ${e}`)
      const t = performance.now()
      const r = await Promise.race([run, new Promise((r) => setTimeout(() => r(`HANGS ${JSON.stringify(seen)}`), 3000))])
      const ms = performance.now() - t
      return JSON.stringify(r) + (ms > 300 ? ` ${Math.round(ms)} ms` : "")
    }
    const [a, b] = [await see(effects), await see(finwaits)]
    console.log(a === b ? `SAME ${transport}: ${row.what}\n   ${a}` : `DIFF ${transport}: ${row.what}\n   E ${a}\n   F ${b}`)
  }
}
process.exit(0)
