/** The handshakes of WebSockets, and those that are refused. */
import { Deferred, Effect, Exit, Layer } from "effect"
import { HttpServerResponse } from "effect/http"
import { both } from "../contract/Row.ts"
import { how, word } from "../contract/world.ts"
import { agent, askVia, exchange, lines, raw, sends } from "./client.ts"
import type { Row } from "./Row.ts"
import { dial, echo, handshake, key, over, refused, upgraded } from "./webSocketPeers.ts"
import { answering, type World } from "./world.ts"

const shaken = (what: string, bytes: string, status: string, headers: ReadonlyArray<string>, said: string): Row => ({
  what,
  over: ["http"],
  see: (world: World) => Effect.flatMap(world.serve(echo), (listening) => exchange(listening, bytes)),
  expected: both({
    wire: lines(
      `HTTP/1.1 ${status}`,
      "Connection: close",
      "Content-Type: text/html",
      `Content-Length: ${said.length}`,
      ...headers,
      "",
      said
    ),
    end: "FIN"
  })
})

export const webSocketHandshake: ReadonlyArray<Row> = [
  {
    what: "the handshake on the wire",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const app = upgraded(({ reader, writer }) => Effect.andThen(writer.write("hi"), how(reader.pull)))
        const client = yield* raw(yield* world.serve(app))
        yield* sends(client, handshake("Sec-WebSocket-Version: 13", key))
        yield* Effect.promise(() => client.hears("hi"))
        return client.bytes.toString("latin1")
      }),
    expected: both(
      `${lines(
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "",
        ""
      )}\u0081\u0002hi`
    )
  },
  {
    what: "frames in one packet with the handshake",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* raw(yield* world.serve(echo))
        const frame = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
        yield* sends(client, Buffer.concat([Buffer.from(handshake("Sec-WebSocket-Version: 13", key)), frame]))
        yield* Effect.promise(() => client.hears("hi"))
        return client.bytes.subarray(-4).toString("latin1")
      }),
    expected: both("\u0081\u0002hi")
  },
  {
    what: "a handler that declines answers as usual",
    over,
    see: (world) =>
      Effect.gen(function* () {
        const app = Effect.succeed(HttpServerResponse.text("not here", { status: 403 }))
        return yield* refused(yield* dial(yield* world.serve(app)))
      }),
    expected: both({ status: 403, body: "not here" })
  },
  {
    what: "a handler that declines, on the wire",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const app = Effect.succeed(HttpServerResponse.text("not here", { status: 403 }))
        return yield* exchange(yield* world.serve(app), handshake("Sec-WebSocket-Version: 13", key))
      }),
    expected: both({
      wire: lines(
        "HTTP/1.1 403 Forbidden",
        "content-type: text/plain",
        "content-length: 8",
        "Date: today",
        "Connection: keep-alive",
        "",
        "not here"
      ),
      end: "FIN"
    })
  },
  {
    what: "a handler that fails instead",
    over,
    see: (world) => Effect.flatMap(Effect.flatMap(world.serve(Effect.fail("on purpose")), dial), refused),
    expected: both({ status: 500, body: "" })
  },
  {
    what: "no route",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        return yield* refused(yield* dial(yield* world.route(Layer.empty)))
      }),
    expected: both({ status: 404, body: "" })
  },
  {
    what: "of a request that asks for no upgrade",
    over,
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(echo)
        return (yield* askVia(yield* agent(listening), listening, "/")).status
      }),
    expected: both(400)
  },
  {
    what: "headers of one's own are an error",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const app = answering((request) =>
          Effect.as(request.upgradeWith({ headers: { "x-own": "1" } }), HttpServerResponse.empty())
        )
        return yield* refused(yield* dial(yield* world.serve(app)))
      }),
    expected: both({ status: 500, body: "" })
  },
  {
    what: "verifyClient",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const failed = yield* Deferred.make<string>()
        const app = Effect.tapError(echo, (error) => Deferred.succeed(failed, word(Exit.fail(error))))
        const websocket = { verifyClient: () => false }
        const { status } = yield* refused(yield* dial(yield* world.serve(app, { options: { websocket } })))
        return { status, failed: yield* Deferred.await(failed) }
      }),
    expected: both({ status: 401, failed: "SocketOpenError Unknown" })
  },
  shaken(
    "no key",
    handshake("Sec-WebSocket-Version: 13"),
    "400 Bad Request",
    [],
    "Missing or invalid Sec-WebSocket-Key header"
  ),
  shaken(
    "another version",
    handshake("Sec-WebSocket-Version: 7", key),
    "400 Bad Request",
    ["Sec-WebSocket-Version: 13, 8"],
    "Missing or invalid Sec-WebSocket-Version header"
  ),
  shaken(
    "another method",
    handshake("Sec-WebSocket-Version: 13", key).replace("GET", "PUT"),
    "405 Method Not Allowed",
    [],
    "Invalid HTTP method"
  ),
  {
    what: "a client that is gone before the handler asks for the upgrade",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const waits = yield* Deferred.make<void>()
        const gone = yield* Deferred.make<void>()
        const seen = yield* Deferred.make<string>()
        const app = answering((request) =>
          Effect.gen(function* () {
            const { socket } = request.source as { socket: NodeJS.EventEmitter }
            socket.once("close", () => Deferred.doneUnsafe(gone, Effect.void))
            yield* Deferred.succeed(waits, void 0)
            yield* Deferred.await(gone)
            const upgraded = yield* request.upgrade
            yield* Deferred.succeed(seen, yield* how(Effect.scoped(upgraded.reader)))
            return HttpServerResponse.empty()
          })
        )
        const client = yield* raw(yield* world.serve(Effect.uninterruptible(app)))
        yield* sends(client, handshake("Sec-WebSocket-Version: 13", key))
        yield* Deferred.await(waits)
        client.socket.resetAndDestroy()
        return yield* Deferred.await(seen)
      }),
    expected: both("SocketOpenError Unknown")
  }
]
