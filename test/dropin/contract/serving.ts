/** The server: who is served, with what, and how it ends. */
import { Cause, Context, Deferred, Effect, Exit, Fiber, Option, Scope } from "effect"
import { Socket, SocketServer } from "effect/socket"
import * as Net from "node:net"
import { TLSSocket } from "node:tls"
import { all, both, byteStreams, differ, type Row } from "./Row.ts"
import { how, reads, readsAll, textOf, turns, type World } from "./world.ts"

const echo = Effect.fnUntraced(function* (socket: Socket.Socket) {
  const { writeAll } = yield* socket.writer
  const { pull } = yield* socket.reader
  while (true) yield* writeAll(yield* pull)
}, Effect.scoped)

/** A client that has said hello, and been answered: so its handler runs. */
const served = Effect.fnUntraced(function* (world: World) {
  const client = yield* world.client
  const reader = yield* client.reader
  const writer = yield* client.writer
  yield* writer.write("hello")
  return { reader, writer, answer: yield* reads({ reader }, 5) }
})

/** Node's socket under a connection, where a handler finds it. */
const netSocket = (world: World) =>
  Effect.map(Effect.serviceOption(world.sockets.client.NetSocket), (found) => Option.getOrThrow(found))

/** Why a run has failed. */
const reasonOf = (exit: Exit.Exit<unknown, unknown>): string => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof SocketServer.SocketServerError ? error.reason._tag : String(error)
}

class Name extends Context.Service<Name, string>()("test/Name") {}

export const serving: ReadonlyArray<Row> = [
  {
    what: "its address is known before it runs",
    over: all,
    see: ({ server: { address } }) =>
      Effect.succeed(
        "port" in address ? `${String(address.address)}, ${address.port > 0}` : address.path.endsWith(".sock")
      ),
    expected: (transport) => ({ both: transport === "unix" ? true : "127.0.0.1, true" })
  },
  {
    what: "who comes before it runs waits, with what he has said",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const scope = yield* Effect.scope
        return yield* Effect.scoped(
          Effect.gen(function* () {
            const first = yield* Effect.forkScoped(served(world), { startImmediately: true })
            const second = yield* Effect.forkScoped(served(world), { startImmediately: true })
            yield* turns
            yield* Scope.provide(world.serve(echo), scope)
            return [(yield* Fiber.join(first)).answer, (yield* Fiber.join(second)).answer]
          })
        )
      }),
    expected: both(["hello", "hello"])
  },
  {
    what: "what a handler finds in its context",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const seen = yield* Deferred.make<unknown>()
        const look = Effect.map(Effect.context<never>(), (context) => {
          const has = <I, S>(key: Context.Key<I, S>) => Option.getOrUndefined(Context.getOption(context, key))
          const net = has(world.sockets.client.NetSocket)
          return {
            name: has(Name),
            scope: has(Scope.Scope) !== undefined,
            net: net instanceof TLSSocket ? "tls" : net instanceof Net.Socket ? "net" : "none",
            isOpen: net?.destroyed === false,
            peer: net?.remoteAddress ?? "none",
            request: has(world.sockets.server.IncomingMessage)?.url ?? "none",
            webSocket: has(Socket.WebSocket)?.readyState ?? "none"
          }
        })
        const handler = (socket: Socket.Socket) =>
          Effect.flatMap(look, (found) => Effect.andThen(Effect.scoped(socket.reader), Deferred.succeed(seen, found)))
        yield* Effect.provideService(world.serve(handler), Name, "ada")
        yield* Effect.flatMap(world.client, ({ reader }) => reader)
        return yield* Deferred.await(seen)
      }),
    expected: (transport) => {
      const found = { name: "ada", scope: false, request: "none", webSocket: "none" }
      switch (transport) {
        case "tcp":
          return { both: { ...found, net: "net", isOpen: true, peer: "127.0.0.1" } }
        case "unix":
          return { both: { ...found, net: "net", isOpen: true, peer: "none" } }
        case "tls":
          return { both: { ...found, net: "tls", isOpen: true, peer: "127.0.0.1" } }
        case "websocket":
          return { both: { ...found, net: "none", isOpen: false, peer: "none", request: "/", webSocket: 1 } }
      }
    }
  },
  {
    what: "a handler that fails or dies ends its own connection and no other, and is logged",
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
        const ends: Array<string> = []
        for (const word of ["fail", "die"]) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const client = yield* served(world)
              yield* client.writer.write(word)
              ends.push((yield* readsAll(client)).end)
            })
          )
        }
        yield* other.writer.write("still here")
        return { ends, other: yield* reads(other, 10), logged: world.logged.length }
      }),
    expected: (transport) => {
      const seen = (code: number) => ({
        ends: [`SocketCloseError ${code}`, `SocketCloseError ${code}`],
        other: "still here",
        logged: 2
      })
      return transport === "websocket"
        ? {
            effect: seen(1005),
            finwait: seen(1000),
            because: "a server says 1000, where Effect's says no code at all"
          }
        : { both: seen(1000) }
    }
  },
  {
    what: "a peer that ends fails the handler's pull: what is logged of it",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<void>()
        yield* world.serve((socket) => Effect.ensuring(echo(socket), Deferred.succeed(ended, void 0)))
        yield* Effect.scoped(served(world))
        yield* Deferred.await(ended)
        yield* turns
        return world.logged
      }),
    expected: differ(
      "what a peer can bring about at will does not fill the log",
      ["Unhandled error in SocketServer"],
      []
    )
  },
  {
    what: "a handler that ends without having read",
    over: byteStreams,
    see: (world) =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<Net.Socket>()
        yield* world.serve(() => Effect.flatMap(netSocket(world), (net) => Deferred.succeed(ended, net)))
        const client = yield* world.client
        yield* client.reader
        const net = yield* Deferred.await(ended)
        yield* turns
        const seen = net.writableEnded ? "its connection is closed" : "its connection stays open"
        // With Effect's, the end of the server would wait for it for ever.
        if (!net.writableEnded) yield* Effect.addFinalizer(() => Effect.sync(() => net.destroy()))
        return seen
      }),
    expected: differ("a connection belongs to its handler", "its connection stays open", "its connection is closed")
  },
  {
    what: "a handler destroys Node's own socket: its pull ends, and the peer hears an end",
    over: byteStreams,
    see: (world) =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<string>()
        yield* world.serve((socket) =>
          Effect.gen(function* () {
            const net = yield* netSocket(world)
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
        yield* write("send me away")
        const { end } = yield* readsAll({ reader })
        return { peer: end, pull: yield* Deferred.await(ended) }
      }),
    expected: both({ peer: "SocketCloseError 1000", pull: "SocketCloseError 1000" })
  },
  {
    what: "a port, or a path, that is taken",
    over: all,
    see: ({ server: { address }, sockets: { server }, transport }) =>
      Effect.gen(function* () {
        const where = "path" in address ? { path: address.path } : { host: "127.0.0.1", port: address.port }
        const listening =
          transport === "websocket"
            ? server.makeWebSocket({ host: "127.0.0.1", port: "port" in address ? address.port : 0 })
            : transport === "tls"
              ? server.makeTls(where)
              : server.make(where)
        const { reason } = yield* Effect.flip(listening)
        return `${reason._tag}, because of an ${reason.cause instanceof Error ? "error" : "unknown"}`
      }),
    expected: both("SocketServerOpenError, because of an error")
  },
  {
    what: "run is interrupted while a handler works",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const went: Array<string> = []
        const work = yield* Deferred.make<void>()
        const handler = Effect.fnUntraced(function* (socket: Socket.Socket) {
          const { write, writeAll } = yield* socket.writer
          const { pull } = yield* socket.reader
          yield* writeAll(yield* pull)
          went.push(yield* how(pull))
          yield* Deferred.await(work)
          yield* write("answer")
          went.push("answered")
        }, Effect.scoped)
        const running = yield* world.serve((socket) =>
          Effect.onInterrupt(handler(socket), () => Effect.sync(() => went.push("interrupted")))
        )
        const heard = yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* served(world)
            yield* Effect.forkDetach(Fiber.interrupt(running), { startImmediately: true })
            yield* Deferred.succeed(work, void 0)
            return yield* readsAll(client)
          })
        )
        yield* Fiber.await(running)
        return { went, heard }
      }),
    expected: (transport) => {
      const [own, ours] = transport === "websocket" ? [1005, 1001] : [1000, 1000]
      return {
        effect: { went: ["interrupted"], heard: { text: "", end: `SocketCloseError ${own}` } },
        finwait: {
          went: ["SocketCloseError 1000", "answered"],
          heard: { text: "answer", end: `SocketCloseError ${ours}` }
        },
        because: "an interruption drains: the input ends, and what is in hand is finished; a WebSocket hears 1001"
      }
    }
  },
  {
    what: "a second run, after the first was interrupted",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        yield* Fiber.interrupt(yield* world.serve(echo))
        const second = yield* world.serve(echo)
        yield* turns
        const exit = second.pollUnsafe()
        return exit === undefined ? (yield* Effect.scoped(served(world))).answer : reasonOf(exit)
      }),
    expected: differ("a server that has drained listens no more", "hello", "SocketServerUnknownError")
  },
  {
    what: "a second run, while the first runs",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        yield* world.serve(echo)
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
        yield* turns
        const exit = second.pollUnsafe()
        const { answer } = yield* Effect.scoped(served(world))
        return { second: exit === undefined ? "runs" : reasonOf(exit), answer }
      }),
    expected: differ(
      "two at a time are a mistake",
      { second: "runs", answer: "other" },
      { second: "SocketServerUnknownError", answer: "hello" }
    )
  },
  {
    what: "its scope ends while it runs, and a client is connected",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<void>()
        yield* world.serve((socket) => Effect.ensuring(echo(socket), Deferred.succeed(ended, void 0)))
        const closing = yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* served(world)
            const closing = yield* Effect.forkDetach(world.close, { startImmediately: true })
            const exchange = Effect.andThen(client.writer.write("again"), reads(client, 5))
            const seen = yield* Effect.raceFirst(
              Effect.as(exchange, "it is served on"),
              Effect.as(Deferred.await(ended), "its handler's input ends")
            ).pipe(Effect.catch(() => Effect.as(Deferred.await(ended), "its handler's input ends")))
            return { closing, seen }
          })
        )
        yield* Fiber.join(closing.closing)
        return closing.seen
      }),
    expected: differ("the end of the scope drains", "it is served on", "its handler's input ends")
  },
  {
    what: "its scope ends before it runs, while somebody waits",
    // With Effect's over TLS, somebody whose handshake is not over yet is waited for, for ever.
    over: ["tcp", "unix", "websocket"],
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* world.client
        const reader = yield* client.reader
        yield* Effect.forkScoped(world.close, { startImmediately: true })
        return (yield* readsAll({ reader })).end
      }),
    expected: (transport) => {
      switch (transport) {
        case "websocket":
          return { both: "SocketReadError" }
        case "unix":
          return { both: "SocketCloseError 1000" }
        default:
          return {
            effect: "SocketCloseError 1000",
            finwait: "SocketReadError",
            because: "who was not served is reset, so that nobody takes an end for an answer"
          }
      }
    }
  },
  {
    what: "after the end of its scope nobody listens",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        yield* Fiber.interrupt(yield* world.serve(echo))
        yield* world.close
        return yield* how(Effect.flatMap(world.client, ({ reader }) => reader))
      }),
    expected: both("SocketOpenError Unknown")
  }
]
