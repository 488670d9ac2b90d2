/** Conversations over WebSocket, their ends, and the options that are about them. */
import type * as NodeWS from "@effect/platform-node/NodeWS"
import { Deferred, Effect, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { both } from "../contract/Row.ts"
import { how } from "../contract/world.ts"
import { raw, sends } from "./client.ts"
import type { Row } from "./Row.ts"
import { closed, dial, echo, handshake, key, message, opened, over, type Talk, upgraded } from "./webSocketPeers.ts"
import { answering } from "./world.ts"

/** What a client hears of the end of a handler. */
const ended = (what: string, talk: Talk, expected: string): Row => ({
  what,
  over,
  see: (world) =>
    Effect.gen(function* () {
      const socket = yield* dial(yield* world.serve(upgraded(talk)))
      return yield* closed(socket)
    }),
  expected: both(expected)
})

/** What a handler hears of the end of a client. */
const left = (what: string, leave: (socket: NodeWS.WebSocket) => void, expected: string): Row => ({
  what,
  over,
  see: (world) =>
    Effect.gen(function* () {
      const heard = yield* Deferred.make<string>()
      const listening = yield* world.serve(
        upgraded(({ reader }) => Effect.flatMap(how(reader.pull), (word) => Deferred.succeed(heard, word)))
      )
      const socket = yield* dial(listening)
      yield* opened(socket)
      leave(socket)
      return yield* Deferred.await(heard)
    }),
  expected: both(expected)
})

export const webSocket: ReadonlyArray<Row> = [
  {
    what: "messages of text and of bytes come back",
    over,
    see: (world) =>
      Effect.gen(function* () {
        const socket = yield* dial(yield* world.serve(echo))
        yield* opened(socket)
        socket.send("hällo")
        const text = yield* message(socket)
        socket.send(new Uint8Array([0, 255]))
        return [text, yield* message(socket)]
      }),
    expected: both(["hällo", [0, 255]])
  },
  {
    what: "through a channel",
    over,
    see: (world) =>
      Effect.gen(function* () {
        const app = Stream.make("first").pipe(
          Stream.concat(Stream.never),
          Stream.pipeThroughChannel(HttpServerRequest.upgradeChannel()),
          Stream.take(1),
          Stream.runCollect,
          Effect.as(HttpServerResponse.empty())
        )
        const socket = yield* dial(yield* world.serve(app))
        const heard = yield* message(socket)
        socket.send("enough")
        return { heard, end: yield* closed(socket) }
      }),
    expected: both({ heard: "first", end: "1000" })
  },
  ended("a handler that is done says 1000", () => Effect.void, "1000"),
  ended("a handler that fails says 1011", () => Effect.fail("on purpose"), "1011"),
  ended("a handler that dies says 1011", () => Effect.die(new Error("on purpose")), "1011"),
  ended("a handler that is interrupted says 1001", () => Effect.interrupt, "1001"),
  left("a client that closes: 1000", (socket) => socket.close(1000), "SocketCloseError 1000"),
  left("a client that closes with a code of its own", (socket) => socket.close(4001, "mine"), "SocketCloseError 4001"),
  left("a client that closes without a code", (socket) => socket.close(), "SocketCloseError 1005"),
  left("a client that is gone", (socket) => socket.terminate(), "SocketCloseError 1006"),
  {
    what: "middleware sees 101",
    over,
    see: (world) =>
      Effect.gen(function* () {
        const status = yield* Deferred.make<number>()
        const listening = yield* world.serve(
          upgraded(() => Effect.void),
          { middleware: (app) => Effect.tap(app, (response) => Deferred.succeed(status, response.status)) }
        )
        yield* closed(yield* dial(listening))
        return yield* Deferred.await(status)
      }),
    expected: both(101)
  },
  {
    what: "what the request says is there behind the upgrade",
    over,
    see: (world) =>
      Effect.gen(function* () {
        const app = answering((request) =>
          Effect.gen(function* () {
            const socket = yield* request.upgrade
            const { write } = yield* socket.writer
            const { pull } = yield* socket.reader
            yield* write(`${request.method} ${request.url} ${request.headers["x-name"]}`)
            yield* how(pull)
            return HttpServerResponse.empty()
          })
        )
        const socket = yield* dial(yield* world.serve(app), { headers: { "x-name": "ada" } })
        return yield* message(socket)
      }),
    expected: both("GET /ws ada")
  },
  {
    what: "nothing is compressed unless options say so",
    over,
    see: (world) =>
      Effect.gen(function* () {
        const socket = yield* dial(yield* world.serve(echo), { perMessageDeflate: true })
        yield* opened(socket)
        return socket.extensions
      }),
    expected: both("")
  },
  {
    what: "perMessageDeflate",
    over,
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(echo, { options: { websocket: { perMessageDeflate: { threshold: 0 } } } })
        const socket = yield* dial(listening, { perMessageDeflate: { threshold: 0 } })
        yield* opened(socket)
        socket.send("x".repeat(1000))
        return [socket.extensions, yield* message(socket)]
      }),
    expected: both(["permessage-deflate", "x".repeat(1000)])
  },
  {
    what: "maxPayload",
    over,
    see: (world) =>
      Effect.gen(function* () {
        const socket = yield* dial(yield* world.serve(echo, { options: { websocket: { maxPayload: 10 } } }))
        yield* opened(socket)
        socket.send("x".repeat(10))
        const fits = yield* message(socket)
        socket.send("x".repeat(11))
        return [fits, yield* closed(socket)]
      }),
    expected: both(["xxxxxxxxxx", "1009"])
  },
  {
    what: "handleProtocols",
    over,
    see: (world) =>
      Effect.gen(function* () {
        const websocket = { handleProtocols: (protocols: Set<string>) => (protocols.has("b") ? "b" : false) } as const
        const socket = yield* dial(yield* world.serve(echo, { options: { websocket } }), {}, ["a", "b"])
        yield* opened(socket)
        return socket.protocol
      }),
    expected: both("b")
  },
  {
    what: "a frame that is none says 1002",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const heard = yield* Deferred.make<string>()
        const listening = yield* world.serve(
          upgraded(({ reader }) => Effect.flatMap(how(reader.pull), (word) => Deferred.succeed(heard, word)))
        )
        const client = yield* raw(listening)
        yield* sends(client, handshake("Sec-WebSocket-Version: 13", key))
        yield* Effect.promise(() => client.hears("\r\n\r\n"))
        const before = client.bytes.length
        yield* sends(client, Buffer.from([0xff, 0x80, 0, 0, 0, 0]))
        yield* Effect.promise(() => client.hears(before + 4))
        return { frame: client.bytes.subarray(before).toString("hex"), heard: yield* Deferred.await(heard) }
      }),
    expected: both({ frame: "880203ea", heard: "SocketReadError" })
  }
]
