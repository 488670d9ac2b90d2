import { Effect, Fiber } from "effect"
import { finwaits, effects, world, accepting, pair, how } from "./world.ts"
import { Redacted } from "effect"
import { certificate } from "./certificate.ts"
const server = { key: Redacted.make(certificate.key), cert: certificate.cert }
for (const s of [effects, finwaits]) {
const t=performance.now()
const log=(...a:any[])=>console.log(Math.round(performance.now()-t),...a)
await Effect.runPromise(Effect.scoped(Effect.gen(function*(){
  const w = yield* world(s,"tcp")
  const ends = yield* pair(w, yield* accepting(w))
  const f = yield* Effect.forkChild(Effect.tap(how(ends.server.reader.upgrade(server)), (x)=>Effect.sync(()=>log("server",x))))
  log("client", yield* how(ends.client.reader.upgrade({servername:"localhost"})))
  log("clientpull", yield* how(ends.client.reader.pull))
  yield* Fiber.join(f)
  log("serverpull", yield* how(ends.server.reader.pull))
})).pipe(Effect.timeout(13000), Effect.exit))
log("closed")
}
for (const s of [effects, finwaits]) {
const t=performance.now()
const log=(...a:any[])=>console.log(Math.round(performance.now()-t),...a)
await Effect.runPromise(Effect.scoped(Effect.gen(function*(){
  const w = yield* world(s,"tcp")
  const ends = yield* pair(w, yield* accepting(w))
  yield* ends.client.writer.write("hello")
  yield* Effect.sleep(100)
  log("server", yield* how(ends.server.reader.upgrade()))
  yield* ends.client.writer.write(" and more")
  log("pull", yield* Effect.exit(ends.server.reader.pull))
})).pipe(Effect.timeout(13000), Effect.exit))
log("closed")
}
