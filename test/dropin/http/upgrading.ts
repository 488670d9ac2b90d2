/** Upgrades to a protocol of one's own. */
import { Deferred, Effect } from "effect"
import { type HttpServerError, HttpServerResponse } from "effect/http"
import type { Socket } from "effect/socket"
import { both } from "../contract/Row.ts"
import { how, textOf } from "../contract/world.ts"
import { ask, ends, exchange, hears, lines, raw, sends, standstill, wire } from "./client.ts"
import type { Row } from "./Row.ts"
import { answering, type App, type World } from "./world.ts"

const asking = (protocol = "echo", ...headers: ReadonlyArray<string>) =>
  lines("GET / HTTP/1.1", "Host: a", "Connection: Upgrade", `Upgrade: ${protocol}`, ...headers, "", "")

const switched = (...headers: ReadonlyArray<string>) =>
  lines("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: echo", ...headers, "", "")

const talking = (
  talk: (ends: { readonly reader: Socket.Reader; readonly writer: Socket.Writer }) => Effect.Effect<unknown, unknown>,
  headers: Record<string, string> = {}
): App =>
  answering((request) =>
    Effect.gen(function* () {
      const socket = yield* request.upgradeWith({ headers })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const writer = yield* socket.writer
          const reader = yield* socket.reader
          yield* talk({ reader, writer })
        })
      )
      return HttpServerResponse.empty()
    })
  )

const echoOnce = talking(({ reader, writer }) => Effect.flatMap(reader.pull, (frames) => writer.writeAll(frames)))

const sending = (app: App, bytes: string) => (world: World) =>
  Effect.flatMap(world.serve(app), (listening) => exchange(listening, bytes))

export const upgrading: ReadonlyArray<Row> = [
  {
    what: "101 with the protocol, and then what each likes",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* raw(yield* world.serve(echoOnce))
        yield* sends(client, asking())
        yield* hears(client, "\r\n\r\n")
        yield* sends(client, "bytes")
        const end = yield* ends(client)
        return { wire: wire(client), end }
      }),
    expected: both({ wire: `${switched()}bytes`, end: "FIN" })
  },
  {
    what: "bytes in one packet with the request come first",
    over: ["http"],
    see: sending(echoOnce, `${asking()}early`),
    expected: both({ wire: `${switched()}early`, end: "FIN" })
  },
  {
    what: "101 is not said before the socket is read",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const waits = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const app = answering((request) =>
          Effect.gen(function* () {
            const socket = yield* request.upgrade
            yield* Deferred.succeed(waits, void 0)
            yield* Deferred.await(goOn)
            yield* Effect.scoped(socket.reader)
            return HttpServerResponse.empty()
          })
        )
        const client = yield* raw(yield* world.serve(app))
        yield* sends(client, asking())
        yield* Deferred.await(waits)
        yield* standstill(() => client.bytes.length)
        const before = client.text
        yield* Deferred.succeed(goOn, void 0)
        yield* ends(client)
        return { before, after: wire(client) }
      }),
    expected: both({ before: "", after: switched() })
  },
  {
    what: "headers of one's own",
    over: ["http"],
    see: sending(
      talking(() => Effect.void, { "x-own": "1" }),
      asking()
    ),
    expected: both({ wire: switched("x-own: 1"), end: "FIN" })
  },
  ...(
    [
      ["connection", "close"],
      ["content-length", "1"],
      ["x-bad", "a\r\nb"],
      ["a b", "1"]
    ] as const
  ).map(([name, value]): Row => ({
    what: `a header that may not be set: ${name}`,
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const failed = yield* Deferred.make<string>()
        const app = Effect.tapError(
          talking(() => Effect.void, { [name]: value }),
          (error) => Deferred.succeed(failed, (error as HttpServerError.HttpServerError).reason._tag)
        )
        const { wire } = yield* exchange(yield* world.serve(app), asking())
        return { status: wire.split("\r\n")[0], failed: yield* Deferred.await(failed) }
      }),
    expected: both({ status: "HTTP/1.1 500 Internal Server Error", failed: "InternalError" })
  })),
  {
    what: "a handler that declines answers as usual",
    over: ["http"],
    see: sending(Effect.succeed(HttpServerResponse.text("no")), asking()),
    expected: both({
      wire: lines(
        "HTTP/1.1 200 OK",
        "content-type: text/plain",
        "content-length: 2",
        "Date: today",
        "Connection: keep-alive",
        "",
        "no"
      ),
      end: "FIN"
    })
  },
  {
    what: "the body of the request is read before, and what follows it behind",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const app = answering((request) =>
          Effect.gen(function* () {
            const body = yield* request.text
            const socket = yield* request.upgrade
            yield* Effect.scoped(
              Effect.gen(function* () {
                const { writeAll } = yield* socket.writer
                const { pull } = yield* socket.reader
                yield* writeAll([`${body}, `, textOf(yield* pull)])
              })
            )
            return HttpServerResponse.empty()
          })
        )
        return yield* exchange(yield* world.serve(app), `${asking("echo", "Content-Length: 4")}bodybehind`)
      }),
    expected: both({ wire: `${switched()}body, behind`, end: "FIN" })
  },
  {
    what: "the client's end is heard",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const heard = yield* Deferred.make<string>()
        const app = talking(({ reader }) => Effect.flatMap(how(reader.pull), (word) => Deferred.succeed(heard, word)))
        const client = yield* raw(yield* world.serve(app))
        yield* sends(client, asking())
        yield* hears(client, "\r\n\r\n")
        client.socket.end()
        return { heard: yield* Deferred.await(heard), end: yield* ends(client) }
      }),
    expected: both({ heard: "SocketCloseError 1000", end: "FIN" })
  },
  {
    what: "what is written behind the client's end is read",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const app = talking(({ reader, writer }) => Effect.andThen(how(reader.pull), how(writer.write("last words"))))
        const client = yield* raw(yield* world.serve(app))
        client.socket.end(asking())
        return { end: yield* ends(client), wire: wire(client) }
      }),
    expected: both({ end: "FIN", wire: `${switched()}last words` })
  },
  {
    what: "a reset is heard",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const heard = yield* Deferred.make<string>()
        const app = talking(({ reader }) => Effect.flatMap(how(reader.pull), (word) => Deferred.succeed(heard, word)))
        const client = yield* raw(yield* world.serve(Effect.uninterruptible(app)))
        yield* sends(client, asking())
        yield* hears(client, "\r\n\r\n")
        client.socket.resetAndDestroy()
        return yield* Deferred.await(heard)
      }),
    expected: both("SocketReadError")
  },
  {
    what: "a client that is gone interrupts a handler that does not read",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const over = yield* Deferred.make<boolean>()
        const app = Effect.interruptible(
          Effect.onInterrupt(
            talking(() => Effect.never),
            () => Deferred.succeed(over, true)
          )
        )
        const client = yield* raw(yield* world.serve(app))
        yield* sends(client, asking())
        yield* hears(client, "\r\n\r\n")
        client.socket.resetAndDestroy()
        return yield* Deferred.await(over)
      }),
    expected: both(true)
  },
  {
    what: "a request of HTTP/2's that asks for none",
    over: ["h2c", "h2"],
    see: (world) =>
      Effect.gen(function* () {
        return (yield* ask(yield* world.serve(echoOnce), "/")).status
      }),
    expected: both(400)
  }
]
