/** The end of a server. */
import { Deferred, Effect, Fiber, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import * as NodeWS from "@effect/platform-node/NodeWS"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { both, differ } from "../contract/Row.ts"
import { how, turns } from "../contract/world.ts"
import { ask, ends, exchange, get, hears, raw, sends, session, wire } from "./client.ts"
import { all, http1, http2, type Row } from "./Row.ts"
import { answering, type App, host, nodeServer, portOf, type Settings, socketPath } from "./world.ts"

const url = answering((request) => Effect.succeed(HttpServerResponse.text(request.url)))
const text = (text: string) => Effect.succeed(HttpServerResponse.text(text))

/** Small enough to be waited for. */
const hasty: Settings = { options: { gracefulShutdownTimeout: "50 millis" } }

/** Begins, and does not end. */
const endless = (contentType: string, begun: Effect.Effect<unknown>): App =>
  Effect.succeed(
    HttpServerResponse.stream(
      Stream.concat(
        Stream.make(new TextEncoder().encode("begun\n\n")),
        Stream.fromEffect(Effect.andThen(begun, Effect.never))
      ),
      { contentType }
    )
  )

export const closing: ReadonlyArray<Row> = [
  {
    what: "a socket file is gone with the server",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const path = yield* socketPath
        const listening = yield* world.serve(url, { options: { path } })
        const before = existsSync(path)
        yield* listening.close
        return [before, existsSync(path)]
      }),
    expected: both([true, false])
  },
  {
    what: "the port can be used again when its scope has ended",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const first = yield* world.serve(text("first"))
        yield* ask(first, "/")
        yield* first.close
        const second = yield* world.serve(text("second"), { options: { port: first.port } })
        return (yield* ask(second, "/")).body
      }),
    expected: both("second")
  },
  {
    what: "after the end of its scope nobody listens",
    over: http1,
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url)
        yield* listening.close
        const client = yield* raw(listening)
        return yield* ends(client)
      }),
    expected: both("ECONNREFUSED")
  },
  {
    what: "a handler that works when its scope ends is waited for",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const app = Effect.andThen(
          Deferred.succeed(begun, void 0),
          Effect.as(Deferred.await(goOn), HttpServerResponse.text("answered"))
        )
        const listening = yield* world.serve(app)
        const asking = yield* Effect.forkChild(ask(listening, "/"), { startImmediately: true })
        yield* Deferred.await(begun)
        const closing = yield* Effect.forkChild(listening.close, { startImmediately: true })
        yield* turns
        const waits = closing.pollUnsafe() === undefined
        yield* Deferred.succeed(goOn, void 0)
        const { body } = yield* Fiber.join(asking)
        yield* Fiber.join(closing)
        return { waits, body }
      }),
    expected: both({ waits: true, body: "answered" })
  },
  {
    what: "a connection that is idle when its scope ends gets FIN",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url)
        const client = yield* raw(listening)
        yield* sends(client, get("/"))
        yield* hears(client, "\r\n\r\n/")
        yield* Effect.forkChild(listening.close, { startImmediately: true })
        return yield* ends(client)
      }),
    expected: both("FIN")
  },
  {
    what: "an answer that is given when its scope ends says that the connection ends",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const app = Effect.andThen(
          Deferred.succeed(begun, void 0),
          Effect.as(Deferred.await(goOn), HttpServerResponse.text("answered"))
        )
        // Effect's keeps the connection, for as long.
        const listening = yield* world.serve(app, { node: { keepAliveTimeout: 20, keepAliveTimeoutBuffer: 0 } })
        const client = yield* raw(listening)
        yield* sends(client, get("/"))
        yield* Deferred.await(begun)
        yield* Effect.forkChild(listening.close, { startImmediately: true })
        yield* turns
        yield* Deferred.succeed(goOn, void 0)
        const end = yield* ends(client)
        return { end, connection: /^connection: .*$/im.exec(wire(client))?.[0].toLowerCase() }
      }),
    expected: differ(
      "who was told does not ask on a connection that ends",
      { end: "FIN", connection: "connection: keep-alive" },
      { end: "FIN", connection: "connection: close" }
    )
  },
  {
    what: "a signal that is aborted ends it",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const controller = new AbortController()
        const { node } = yield* world.serve(url, { options: { signal: controller.signal } })
        const before = node.listening
        controller.abort()
        yield* turns
        return [before, node.listening]
      }),
    expected: both([true, false])
  },
  {
    what: "disablePreemptiveShutdown: the end of serving does not end the server",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const node = nodeServer("http")
        const server = yield* world.servers.module.make(() => node, { host, port: 0, disablePreemptiveShutdown: true })
        const serve = (answer: string) => server.serve(text(answer))
        const asked = Effect.map(
          exchange({ port: portOf(server) }, get("/", "Connection: close")),
          ({ wire }) => wire.split("\r\n\r\n")[1]
        )
        const first = yield* Effect.scoped(Effect.andThen(serve("first"), asked))
        const between = node.listening
        const second = yield* Effect.scoped(Effect.andThen(serve("second"), asked))
        return [first, between, second]
      }),
    expected: both(["first", true, "second"])
  },
  {
    what: "two applications, one after the other, without disablePreemptiveShutdown",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const node = nodeServer("http")
        const server = yield* world.servers.module.make(() => node, { host, port: 0 })
        yield* Effect.scoped(server.serve(text("first")))
        return node.listening
      }),
    expected: both(false)
  },
  {
    what: "a handler that takes longer than gracefulShutdownTimeout is interrupted, and answers 503",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const over = yield* Deferred.make<string>()
        const app = Effect.andThen(Deferred.succeed(begun, void 0), Effect.never).pipe(
          Effect.onExit((exit) => Deferred.succeed(over, exit._tag)),
          Effect.interruptible
        )
        const listening = yield* world.serve(app, hasty)
        const asking = yield* Effect.forkChild(ask(listening, "/"), { startImmediately: true })
        yield* Deferred.await(begun)
        yield* listening.close
        return { handler: yield* Deferred.await(over), status: (yield* Fiber.join(asking)).status }
      }),
    expected: both({ handler: "Failure", status: 503 })
  },
  {
    what: "an answer that takes longer than gracefulShutdownTimeout is broken off",
    over: http1,
    see: (world) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const listening = yield* world.serve(endless("text/x", Deferred.succeed(begun, void 0)), hasty)
        const asking = yield* Effect.forkChild(ask(listening, "/"), { startImmediately: true })
        yield* Deferred.await(begun)
        yield* listening.close
        const { body, broken } = yield* Fiber.join(asking)
        return { body, broken }
      }),
    expected: both({ body: "begun\n\n", broken: "ECONNRESET" })
  },
  {
    what: "a stream of events",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const listening = yield* world.serve(endless("text/event-stream", Deferred.succeed(begun, void 0)), hasty)
        const asking = yield* Effect.forkChild(ask(listening, "/"), { startImmediately: true })
        yield* Deferred.await(begun)
        yield* listening.close
        const { body, broken } = yield* Fiber.join(asking)
        return { body, broken }
      }),
    expected: (protocol) => ({
      effect: {
        body: "begun\n\n",
        broken: protocol === "http" || protocol === "https" ? "ECONNRESET" : "ERR_HTTP2_STREAM_ERROR"
      },
      finwait: { body: "begun\n\n: the server is going away\n\n", broken: undefined },
      because: "who listens to events connects again, and need not be waited for"
    })
  },
  {
    what: "a WebSocket is told 1001",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const heard = yield* Deferred.make<void>()
        const app = answering((request) =>
          Effect.gen(function* () {
            const socket = yield* request.upgrade
            const { pull } = yield* socket.reader
            yield* Deferred.succeed(heard, void 0)
            yield* how(pull)
            return HttpServerResponse.empty()
          })
        )
        const listening = yield* world.serve(Effect.interruptible(app), hasty)
        const socket = yield* Effect.acquireRelease(
          Effect.sync(() => new NodeWS.WebSocket(`ws://${host}:${listening.port}`)),
          (socket) => Effect.sync(() => socket.terminate())
        )
        yield* Deferred.await(heard)
        const closed = once(socket, "close")
        yield* listening.close
        const [code] = (yield* Effect.promise(() => closed)) as [number]
        return code
      }),
    expected: both(1001)
  },
  {
    what: "a session of HTTP/2 is told that it ends",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url)
        const client = yield* session(listening)
        const told = once(client, "goaway")
        const closed = once(client, "close")
        yield* listening.close
        const [code] = (yield* Effect.promise(() => told)) as [number]
        yield* Effect.promise(() => closed)
        return code
      }),
    expected: both(0)
  }
]
