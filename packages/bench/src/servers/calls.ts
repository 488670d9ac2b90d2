/** An RPC server with one call, which gives back what it was given; as users write it. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import * as SocketServer from "effect/socket/SocketServer"
import { onCommand } from "./command.ts"
import { announce } from "./listening.ts"

const group = RpcGroup.make(Rpc.make("Echo", { payload: { text: Schema.String }, success: Schema.String }))
const handlers = group.toLayer({ Echo: ({ text }) => Effect.succeed(text) })

/** Serves calls until it is told to close. */
export const serveCalls = (
  listening: Layer.Layer<SocketServer.SocketServer, SocketServer.SocketServerError>,
  protocol: typeof RpcServer.layerProtocolSocketServer
): void => {
  const announced = Layer.effectDiscard(Effect.map(SocketServer.SocketServer, announce))
  const server = Layer.provide(RpcServer.layer(group), [handlers, protocol])
  const main = Layer.merge(server, announced).pipe(Layer.provide([listening, RpcSerialization.layerNdjson]))
  const running = Effect.runFork(Layer.launch(main))
  onCommand(() => void Effect.runFork(Fiber.interrupt(running)))
}
