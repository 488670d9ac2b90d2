/**
 * Effect's RPC server, over TCP or WebSocket. On SIGTERM calls that are under way are finished and answered, streams go
 * on to their end, and nobody hears an interrupt; a call that comes later fails at the client in a way that it can be
 * made again, of another server or of the next one (../rpc-client does).
 *
 *     PORT=7000 node main.ts                        # newline-delimited JSON
 *     PORT=7000 PROTOCOL=websocket node main.ts     # the same in messages: ws://127.0.0.1:7000
 *
 * Two lines of it are Finwait's: `RpcDrain.layerProtocolSocketServer`, which knows of calls, in place of RpcServer's layer
 * of that name; and `NodeSocketServer`, in place of the module of that name in @effect/platform-node.
 */
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as NodeSocketServer from "@finwait/node/NodeSocketServer"
import { Config, Console, Effect, Layer, Logger, Stream } from "effect"
import { RpcSerialization, RpcServer } from "effect/rpc"
import { SocketServer } from "effect/socket"
import type { Report } from "finwait/Drain"
import * as RpcDrain from "finwait/RpcDrain"
import { Images, NoSuchImage } from "./images.ts"

const ImagesLive = Images.toLayer({
  Resize: Effect.fnUntraced(function* ({ image, millis }) {
    yield* Effect.logInfo(`resize ${image}`)
    if (!/\.(png|jpg)$/.test(image)) return yield* new NoSuchImage({ image })
    yield* Effect.sleep(millis)
    return { image: `small-${image}`, by: process.pid }
  }),
  Progress: ({ millis, steps }) =>
    Stream.range(1, steps).pipe(
      Stream.tap((step) => Effect.logInfo(`step ${step}`)),
      Stream.tap(() => Effect.sleep(millis))
    )
})

const options = {
  host: "127.0.0.1",
  onDrained: (report: Report) => Console.log(JSON.stringify({ drained: report }))
}

const sockets = Config.all([
  Config.Int("PORT").pipe(Config.withDefault(7000)),
  Config.Literals(["tcp", "websocket"], "PROTOCOL").pipe(Config.withDefault("tcp"))
]).pipe(
  Effect.map(([port, protocol]) =>
    protocol === "tcp"
      ? NodeSocketServer.layer({ ...options, port })
      : NodeSocketServer.layerWebSocket({ ...options, port })
  ),
  Layer.unwrap
)

const listening = SocketServer.SocketServer.use(({ address }) =>
  Console.log(JSON.stringify({ listening: `tcp://${String(address)}` }))
)

const main = RpcServer.layer(Images).pipe(
  Layer.merge(Layer.effectDiscard(listening)),
  Layer.provide(ImagesLive),
  Layer.provide(RpcDrain.layerProtocolSocketServer),
  Layer.provide(sockets),
  Layer.provide(RpcSerialization.layerNdjson),
  Layer.launch,
  Effect.provideService(Logger.LogToStderr, true)
)

NodeProcess.runMain(main)
