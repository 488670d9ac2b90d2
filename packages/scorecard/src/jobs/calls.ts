/** The job server as the calls of Effect's RPC, over a `SocketServer` and a protocol that the subject provides. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Schema from "effect/Schema"
import * as SocketServer from "effect/socket/SocketServer"
import * as Protocol from "../Protocol.ts"
import { announced } from "./announced.ts"
import { counted, openCount } from "./opened.ts"

const amount = { amount: Schema.Number }

const call = <Verb extends string>(verb: Verb) => Rpc.make(verb, { payload: amount, success: Schema.Number })
const bodyCall = <Verb extends string>(verb: Verb) => Rpc.make(verb, { payload: amount, success: Schema.String })

const Jobs = RpcGroup.make(
  call("WORK"),
  bodyCall("GET"),
  bodyCall("LATER"),
  call("FINALIZER"),
  call("BLOCK"),
  call("STAT"),
  Rpc.make("NOTE", { payload: { text: Schema.String } })
)

const handlers = Jobs.toLayer({
  WORK: ({ amount }) => Effect.delay(Effect.succeed(amount), amount),
  GET: ({ amount }) => Effect.sync(() => Protocol.bodyText(amount)),
  LATER: ({ amount }) =>
    Effect.delay(
      Effect.sync(() => Protocol.bodyText(amount)),
      Protocol.laterMillis
    ),
  FINALIZER: ({ amount }) =>
    Effect.as(
      Effect.addFinalizer(() => Effect.sleep(amount)),
      amount
    ),
  BLOCK: ({ amount }) =>
    Effect.sync(() => {
      Protocol.blockLoop(amount)
      return amount
    }),
  STAT: () => Effect.sync(openCount),
  NOTE: () => Effect.void
})

/** The socket server below, with its connections counted, and announced. */
const watched = Layer.effect(
  SocketServer.SocketServer,
  Effect.gen(function* () {
    const server = yield* SocketServer.SocketServer
    yield* announced(server)
    return SocketServer.SocketServer.of({
      address: server.address,
      run: (handler) => server.run((socket) => Effect.andThen(counted, handler(socket)))
    })
  })
)

/** The whole server: over this socket server, and with this layer as RPC's protocol. */
export const serve = <E>(
  socketServer: Layer.Layer<SocketServer.SocketServer, E>,
  protocol: typeof RpcServer.layerProtocolSocketServer
): Effect.Effect<never, E> =>
  RpcServer.layer(Jobs).pipe(
    Layer.provide(handlers),
    Layer.provide(protocol),
    Layer.provide(watched),
    Layer.provide(socketServer),
    Layer.provide(RpcSerialization.layerNdjsonWith({ maxBufferSize: Protocol.callBytesMax })),
    Layer.launch
  )
