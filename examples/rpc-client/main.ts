/**
 * Calls a server of ../rpc-server again and again, through a rollout: the server that goes answers the calls that it has
 * begun, and what it has not begun fails with an `RpcClientError`, which says that it is safe to be made again. So it is,
 * until the next server is there. At the end, or at SIGTERM, when the call in hand is answered, it says how it was.
 *
 *     SERVER=127.0.0.1:7000 CALLS=100 node main.ts
 */
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as NodeSocket from "@finwait/node/NodeSocket"
import { Config, Console, Effect, Layer, Logger, Schedule } from "effect"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { Images } from "finwait-example-rpc-server/images"

const options = Config.all({
  server: Config.String("SERVER").pipe(Config.withDefault("127.0.0.1:7000")),
  calls: Config.Int("CALLS").pipe(Config.withDefault(Infinity)),
  /** How many calls are under way at a time. */
  width: Config.Int("WIDTH").pipe(Config.withDefault(2))
})

/** Dials again soon: the next server is there in a moment, and until then calls fail at once. */
const protocol = (server: string) => {
  const { hostname, port } = new URL(`tcp://${server}`)
  return RpcClient.layerProtocolSocket({ retryPolicy: Schedule.spaced("100 millis") }).pipe(
    Layer.provide(NodeSocket.layerNet({ host: hostname, port: Number(port) })),
    Layer.provide(RpcSerialization.layerNdjson)
  )
}

const work = Effect.fnUntraced(function* (calls: number, width: number) {
  const images = yield* RpcClient.make(Images)
  const lived = { answered: 0, again: 0, failed: 0 }
  yield* Effect.addFinalizer(() => Console.log(JSON.stringify({ lived })))

  let next = 0
  const call = Effect.suspend(() => {
    const image = `${++next}.png`
    return images.Resize({ image, millis: 50 }).pipe(
      Effect.tap(({ by }) => {
        lived.answered++
        return Console.log(JSON.stringify({ image, by }))
      }),
      // Who is told to stop waits for the call in hand, whose answer is on its way; not for a server that may never come.
      Effect.uninterruptible,
      Effect.tapError((error) => Effect.logWarning(`${image}: ${error.message}`)),
      Effect.retry({
        // The server has not begun with it, or nobody has heard of it. What it answers itself (no such image) stands.
        while: (error) => error._tag === "RpcClientError" && ++lived.again > 0,
        schedule: Schedule.spaced("100 millis")
      }),
      Effect.catch(() => Effect.sync(() => lived.failed++))
    )
  })

  const caller = Effect.whileLoop({ while: () => next < calls, body: () => call, step: () => {} })
  yield* Effect.all(
    Array.from({ length: width }, () => caller),
    { concurrency: "unbounded", discard: true }
  )
}, Effect.scoped)

const main = Effect.gen(function* () {
  const { calls, server, width } = yield* options
  yield* work(calls, width).pipe(Effect.provide(protocol(server)))
}).pipe(Effect.provideService(Logger.LogToStderr, true))

NodeProcess.runMain(main)
