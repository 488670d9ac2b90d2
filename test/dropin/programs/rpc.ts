/** An RPC server over TCP, and a client that lives through all that a call can end with. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Cause, Console, Effect, Layer, Queue, Schema, Stream } from "effect"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import { SocketServer } from "effect/socket"

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { name: Schema.String }) {}

class Files extends RpcGroup.make(
  Rpc.make("Read", { payload: { name: Schema.String }, success: Schema.String, error: NotFound }),
  Rpc.make("Lines", { payload: { name: Schema.String }, success: Schema.String, error: NotFound, stream: true }),
  Rpc.make("Watch", { payload: { name: Schema.String } }),
  Rpc.make("Event", { success: Schema.String }),
  Rpc.make("Crash")
) {}

const contents = new Map([
  ["poem", "roses are red\nviolets are blue\nsugar is sweet"],
  ["empty", ""]
])

const read = (name: string) => {
  const text = contents.get(name)
  return text === undefined ? Effect.fail(new NotFound({ name })) : Effect.succeed(text)
}

const FilesLive = Files.toLayer(
  Effect.gen(function* () {
    const events = yield* Queue.unbounded<string>()
    return Files.of({
      Read: ({ name }) => read(name),
      Lines: ({ name }) => Stream.unwrap(Effect.map(read(name), (text) => Stream.fromIterable(text.split("\n")))),
      Watch: ({ name }) =>
        Queue.offer(events, `${name} is watched`).pipe(
          Effect.andThen(Effect.never),
          Effect.onInterrupt(() => Queue.offer(events, `nobody watches ${name} any more`))
        ),
      Event: () => Queue.take(events),
      Crash: () => Effect.die("out of paper")
    })
  })
)

const Server = RpcServer.layer(Files).pipe(Layer.provide(FilesLive), Layer.provide(RpcServer.layerProtocolSocketServer))

const Client = Layer.unwrap(
  Effect.gen(function* () {
    const { address } = yield* SocketServer.SocketServer
    if (address._tag === "UnixPathAddress") return yield* Effect.die("not a port")
    return RpcClient.layerProtocolSocket().pipe(
      Layer.provide(NodeSocket.layerNet({ host: "127.0.0.1", port: address.port }))
    )
  })
)

const program = Effect.gen(function* () {
  const files = yield* RpcClient.make(Files)

  yield* Console.log(yield* files.Read({ name: "poem" }))
  yield* Console.log(yield* Effect.flip(files.Read({ name: "novel" })))
  yield* Console.log(yield* Stream.runCollect(files.Lines({ name: "poem" })))
  yield* Console.log(yield* Effect.flip(Stream.runDrain(files.Lines({ name: "novel" }))))

  const lengths = yield* Effect.forEach(["poem", "empty", "poem"], (name) => files.Read({ name }), {
    concurrency: "unbounded"
  })
  yield* Console.log(lengths.map((text) => text.length))

  yield* Effect.scoped(
    Effect.gen(function* () {
      yield* Effect.forkScoped(files.Watch({ name: "poem" }))
      yield* Console.log(yield* files.Event())
    })
  )
  yield* Console.log(yield* files.Event())

  const exit = yield* Effect.exit(files.Crash())
  yield* Console.log(exit._tag === "Failure" ? `died: ${String(Cause.squash(exit.cause))}` : "survived")
})

const ServerLive = NodeSocketServer.layer({ host: "127.0.0.1", port: 0 })

program.pipe(
  Effect.scoped,
  Effect.provide(
    Layer.merge(Client, Server).pipe(Layer.provide(ServerLive), Layer.provide(RpcSerialization.layerNdjson))
  ),
  NodeRuntime.runMain
)
