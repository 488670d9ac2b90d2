import { Effect, Fiber, References, Deferred } from "effect"
import * as NS from "@finwait/node/NodeSocketServer"
import * as NC from "@finwait/node/NodeSocket"
import { Redacted } from "effect"
import { certificate } from "./certificate.ts"
const server = { key: Redacted.make(certificate.key), cert: certificate.cert }
const t=performance.now()
const log=(...a:any[])=>console.log(Math.round(performance.now()-t),...a)
await Effect.runPromise(Effect.scoped(Effect.gen(function*(){
  const s = yield* NS.make({host:"127.0.0.1",port:0})
  const done = yield* Deferred.make<void>()
  yield* Effect.forkScoped(s.run((socket)=>Effect.gen(function*(){
    const r = yield* socket.reader
    log("server", (yield* Effect.exit(r.upgrade(server)))._tag)
    if (process.argv[2]==="wait") yield* Deferred.await(done)
    log("handler ends")
  }).pipe(Effect.scoped)))
  const c = yield* NC.makeNet({host:"127.0.0.1",port:(s.address as any).port})
  const r = yield* c.reader
  log("client", (yield* Effect.exit(r.upgrade({servername:"localhost"})))._tag)
  yield* Effect.sleep(300)
  yield* Deferred.succeed(done, void 0)
  yield* Effect.sleep(300)
  log("end")
})).pipe(Effect.provideService(References.MinimumLogLevel,"All"), Effect.exit))
log("closed")
