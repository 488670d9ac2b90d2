/** The server: who is served, with what, and how it ends. */
import { Context, Deferred, Effect, Exit, Fiber, Option, Scope } from "effect"
import { Socket, SocketServer } from "effect/socket"
import * as Net from "node:net"
import { TLSSocket } from "node:tls"
import { all, byteStreams, type Row } from "./Row.ts"
import { accepting, how, portOf, reads, readsAll, textOf, turns, type World } from "./world.ts"

const todo = () => ({ both: "?" })

const echo = Effect.fnUntraced(function* (socket: Socket.Socket) {
  const { writeAll } = yield* socket.writer
  const { pull } = yield* socket.reader
  while (true) yield* writeAll(yield* pull)
}, Effect.scoped)

/** A client that has been served, so that its handler is known to run. */
const served = Effect.fnUntraced(function* (world: World) {
  const client = yield* world.client
  const reader = yield* client.reader
  const writer = yield* client.writer
  yield* writer.write("hello")
  yield* reads({ reader }, 5)
  return { reader, writer }
})

const messageOf = (error: unknown): unknown =>
  error instanceof SocketServer.SocketServerError ? `${error._tag}: ${error.reason._tag}` : String(error)

class Name extends Context.Service<Name, string>()("test/Name") {}

export const serving: ReadonlyArray<Row> = [
  {
    what: "its address is known before it runs",
    over: all,
    see: ({ server }) =>
      Effect.sync(() => ({
        ...server.address,
        ...("port" in server.address ? { port: server.address.port > 0 } : { path: server.address.path.length > 0 })
      })),
    expected: todo
  },
  {
    what: "who comes before it runs waits, with what he has said",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const early = yield* Effect.forkScoped(served(world), { startImmediately: true })
        const client = yield* world.client
        const { pull } = yield* client.reader
        const { write } = yield* client.writer
        yield* write("early")
        yield* world.serve(echo)
        yield* Fiber.join(early)
        return textOf(yield* pull)
      }),
    expected: todo
  },
  {
    what: "what a handler finds in its context",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const seen = yield* Deferred.make<unknown>()
        const look = Effect.gen(function* () {
          const context = yield* Effect.context<never>()
          const has = <I, S>(key: Context.Key<I, S>) => Option.getOrUndefined(Context.getOption(context, key))
          const net = has(world.sockets.client.NetSocket)
          const request = has(world.sockets.server.IncomingMessage)
          const webSocket = has(Socket.WebSocket)
          return {
            name: has(Name),
            scope: has(Scope.Scope) !== undefined,
            netSocket: net === undefined ? undefined : net instanceof Net.Socket && !net.destroyed,
            tls: net instanceof TLSSocket,
            remote: net?.remoteAddress,
            request: request?.url,
            webSocket: webSocket?.readyState
          }
        })
        yield* Effect.provideService(
          world.serve((socket) =>
            Effect.andThen(look, (found) =>
              Effect.andThen(Effect.scoped(socket.reader), Deferred.succeed(seen, found))
            )
          ),
          Name,
          "ada"
        )
        yield* Effect.flatMap(world.client, ({ reader }) => reader)
        return yield* Deferred.await(seen)
      }),
    expected: todo
  },
  {
    what: "a handler that fails or dies ends its own connection and no other",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        yield* world.serve(
          Effect.fnUntraced(function* (socket) {
            const { writeAll } = yield* socket.writer
            const { pull } = yield* socket.reader
            while (true) {
              const frames = yield* pull
              if (textOf(frames) === "fail") return yield* Effect.fail("failed")
              if (textOf(frames) === "die") return yield* Effect.die(new Error("died"))
              yield* writeAll(frames)
            }
          }, Effect.scoped)
        )
        const other = yield* served(world)
        const ends: Array<unknown> = []
        for (const word of ["fail", "die"]) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const client = yield* served(world)
              yield* client.writer.write(word)
              ends.push(yield* readsAll(client))
            })
          )
        }
        yield* other.writer.write("still here")
        return { ends, other: yield* reads(other, 10), logged: world.logged.length }
      }),
    expected: todo
  },
  {
    what: "a peer that ends is an error of the handler: what the log hears of it",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<void>()
        yield* world.serve((socket) => Effect.ensuring(echo(socket), Deferred.succeed(ended, void 0)))
        yield* Effect.scoped(served(world))
        yield* Deferred.await(ended)
        // Another one, so that the first is logged.
        yield* served(world)
        return world.logged
      }),
    expected: todo
  },
  {
    what: "a handler that ends without reading",
    over: byteStreams,
    see: (world) =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<Net.Socket>()
        yield* world.serve(() =>
          Effect.flatMap(Effect.serviceOption(world.sockets.client.NetSocket), (net) =>
            Deferred.succeed(ended, Option.getOrThrow(net))
          )
        )
        const client = yield* world.client
        yield* client.reader
        const net = yield* Deferred.await(ended)
        // Who is not closed now never will be: the server would wait for it.
        yield* Effect.addFinalizer(() => Effect.sync(() => net.destroy()))
        yield* turns
        return net.writableEnded ? "is closed" : "stays open"
      }),
    expected: todo
  },
  {
    what: "a handler destroys Node's own socket: its pull ends, and the peer hears an end",
    over: byteStreams,
    see: (world) =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<string>()
        yield* world.serve((socket) =>
          Effect.gen(function* () {
            const net = Option.getOrThrow(yield* Effect.serviceOption(world.sockets.client.NetSocket))
            const { pull } = yield* socket.reader
            yield* pull
            const pulling = yield* Effect.forkChild(how(pull), { startImmediately: true })
            net.destroy()
            yield* Deferred.succeed(ended, yield* Fiber.join(pulling))
          }).pipe(Effect.scoped)
        )
        const client = yield* world.client
        const reader = yield* client.reader
        const { write } = yield* client.writer
        yield* write("kick me")
        const { end } = yield* readsAll({ reader })
        return { peer: end, pull: yield* Deferred.await(ended) }
      }),
    expected: todo
  },
  {
    what: "a port, or a path, that is taken",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const { server } = world.sockets
        const { address } = world.server
        const again =
          "path" in address
            ? server.make({ path: address.path })
            : world.transport === "websocket"
              ? server.makeWebSocket({ host: "127.0.0.1", port: address.port })
              : server.make({ host: "127.0.0.1", port: address.port })
        const { reason } = yield* Effect.flip(again)
        return `${reason._tag}, because of an error: ${reason.cause instanceof Error}`
      }),
    expected: todo
  },
  {
    what: "run is interrupted while a handler works",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const went: Array<string> = []
        const release = yield* Deferred.make<void>()
        const fiber = yield* world.serve(
          Effect.fnUntraced(function* (socket) {
            const { write, writeAll } = yield* socket.writer
            const { pull } = yield* socket.reader
            yield* writeAll(yield* pull)
            went.push(`pull: ${yield* how(pull)}`)
            yield* Deferred.await(release)
            yield* write("answer")
            went.push("answered")
          }, (effect) => Effect.scoped(Effect.onInterrupt(effect, () => Effect.sync(() => went.push("interrupted")))))
        )
        const client = yield* served(world)
        const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
        yield* Deferred.succeed(release, void 0)
        const heard = yield* readsAll(client)
        return { went, heard, stopping, ended: undefined }
      }).pipe(
        Effect.flatMap(({ stopping, ...seen }) => Effect.as(Effect.forkScoped(Fiber.join(stopping)), seen))
      ),
    expected: todo
  },
  {
    what: "a second run, after the first was interrupted",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const fiber = yield* world.serve(echo)
        yield* Fiber.interrupt(fiber)
        const second = yield* world.serve(echo)
        const failing = Effect.map(Effect.exit(Fiber.join(second)), (exit) =>
          Exit.isFailure(exit) ? messageOf(exit.cause.reasons.map((r) => (r._tag === "Fail" ? r.error : r._tag))[0]) : "?"
        )
        return yield* Effect.raceFirst(failing, Effect.as(Effect.scoped(served(world)), "it serves"))
      }),
    expected: todo
  },
  {
    what: "a second run, while the first runs",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        yield* world.serve(echo)
        yield* Effect.scoped(served(world))
        const second = yield* world.serve((socket) =>
          Effect.scoped(
            Effect.gen(function* () {
              const { write } = yield* socket.writer
              const { pull } = yield* socket.reader
              yield* pull
              yield* write("other")
              yield* pull
            })
          )
        )
        const failing = Effect.map(Effect.exit(Fiber.join(second)), (exit) =>
          Exit.isFailure(exit) ? messageOf(exit.cause.reasons.map((r) => (r._tag === "Fail" ? r.error : r._tag))[0]) : "?"
        )
        const asking = Effect.scoped(
          Effect.gen(function* () {
            const client = yield* world.client
            const reader = yield* client.reader
            const { write } = yield* client.writer
            yield* write("hello")
            return yield* reads({ reader }, 5)
          })
        )
        return [second.pollUnsafe() === undefined ? "runs" : yield* failing, yield* asking]
      }),
    expected: todo
  },
  {
    what: "its scope ends while clients are connected and it runs",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<string>()
        yield* world.serve(
          Effect.fnUntraced(function* (socket: Socket.Socket) {
            const { writeAll } = yield* socket.writer
            const { pull } = yield* socket.reader
            while (true) {
              const frames = yield* Effect.tapError(pull, (error) => Deferred.succeed(ended, error.reason._tag))
              yield* writeAll(frames)
            }
          }, Effect.scoped)
        )
        const client = yield* world.client
        const scope = yield* Scope.make()
        const reader = yield* Scope.provide(client.reader, scope)
        const { write } = yield* client.writer
        yield* write("hello")
        yield* reads({ reader }, 5)
        const closing = yield* Effect.forkChild(world.close, { startImmediately: true })
        const exchange = Effect.andThen(write("again"), reads({ reader }, 5)).pipe(
          Effect.match({ onSuccess: () => "goes on", onFailure: ({ reason }) => reason._tag })
        )
        const went = yield* Effect.raceFirst(exchange, Effect.map(Deferred.await(ended), () => "the handler's input ends"))
        yield* Effect.forkScoped(Scope.close(scope, Exit.void))
        yield* Fiber.join(closing)
        return went
      }),
    expected: todo
  },
  {
    what: "its scope ends before it runs, while somebody waits",
    over: ["tcp", "unix", "websocket"],
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* world.client
        const reader = yield* client.reader
        yield* Effect.forkScoped(world.close, { startImmediately: true })
        const { end } = yield* readsAll({ reader })
        return end
      }),
    expected: todo
  },
  {
    what: "after the end of its scope nobody listens",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const fiber = yield* world.serve(echo)
        yield* Fiber.interrupt(fiber)
        yield* world.close
        return yield* how(Effect.flatMap(world.client, ({ reader }) => reader))
      }),
    expected: todo
  }
]

void accepting
