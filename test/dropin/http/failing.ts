/** Applications that fail, before their answer and in the middle of it. */
import { Deferred, Effect, Schema, Stream } from "effect"
import { HttpServerError, HttpServerRespondable, HttpServerResponse } from "effect/http"
import { Readable } from "node:stream"
import { both } from "../contract/Row.ts"
import { turns } from "../contract/world.ts"
import { ask, askIn, ends, get, hears, lines, raw, sends, session, wire } from "./client.ts"
import { all, http1, http2, type Row } from "./Row.ts"
import { answering, type App, type World } from "./world.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

class Teapot extends Schema.TaggedError<Teapot>()("Teapot", {}) {
  [HttpServerRespondable.symbol]() {
    return Effect.succeed(HttpServerResponse.text("short and stout", { status: 418 }))
  }
}

const failed = (what: string, app: App, expected: readonly [status: number, body: string]): Row => ({
  what,
  over: all,
  see: (world) =>
    Effect.gen(function* () {
      const { body, status } = yield* ask(yield* world.serve(app), "/")
      return [status, body]
    }),
  expected: both(expected)
})

/** The first is on its way when the rest is made. */
const begun = (
  first: string,
  rest: Stream.Stream<Uint8Array, Error>,
  options?: { readonly contentLength: number }
): App =>
  Effect.succeed(
    HttpServerResponse.stream(
      Stream.make(bytes(first)).pipe(Stream.concat(Stream.drain(Stream.fromEffect(turns))), Stream.concat(rest)),
      options
    )
  )

const halfway = (rest: Stream.Stream<Uint8Array, Error>, options?: { readonly contentLength: number }): App =>
  begun("half", rest, options)

const failure = Stream.fail(new Error("on purpose"))

const readable = (rest: () => void, headers: Record<string, string> = {}): App =>
  Effect.sync(() => {
    async function* parts() {
      yield "half"
      await Effect.runPromise(turns)
      rest()
    }
    return HttpServerResponse.raw(Readable.from(parts(), { objectMode: false }), { headers })
  })

const broken = (app: App) => (world: World) =>
  Effect.gen(function* () {
    const { body, broken, status } = yield* ask(yield* world.serve(app), "/")
    return { status, body, broken }
  })

/** The wire behind the head. */
const wired = (app: App) => (world: World) =>
  Effect.gen(function* () {
    const client = yield* raw(yield* world.serve(app))
    yield* sends(client, get("/"))
    const end = yield* ends(client)
    const [head, ...body] = wire(client).split("\r\n\r\n")
    return { status: head?.split("\r\n")[0], body: body.join("\r\n\r\n"), end }
  })

const long = begun("too ", Stream.make(bytes("long")), { contentLength: 6 })
const short = begun("short", Stream.empty, { contentLength: 6 })

export const failing: ReadonlyArray<Row> = [
  failed("a failure", Effect.fail("on purpose"), [500, ""]),
  failed("a defect", Effect.die(new Error("on purpose")), [500, ""]),
  failed(
    "a throw",
    Effect.sync(() => {
      throw new Error("on purpose")
    }),
    [500, ""]
  ),
  failed("a failure that knows its answer", Effect.fail(new Teapot()), [418, "short and stout"]),
  failed("a defect that knows its answer", Effect.die(new Teapot()), [418, "short and stout"]),
  failed("a defect that is an answer", Effect.die(HttpServerResponse.text("own", { status: 409 })), [409, "own"]),
  failed(
    "a failure of the request",
    answering((request) =>
      Effect.fail(new HttpServerError.HttpServerError({ reason: new HttpServerError.RouteNotFound({ request }) }))
    ),
    [404, ""]
  ),
  failed("an interrupt of one's own", Effect.interrupt, [503, ""]),
  failed(
    "what is added to the scope fails behind the answer",
    Effect.as(
      Effect.addFinalizer(() => Effect.die("on purpose")),
      HttpServerResponse.text("fine")
    ),
    [200, "fine"]
  ),
  {
    what: "the connection goes on behind a failure",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const app = answering(({ url }) =>
          url === "/bad" ? Effect.fail("on purpose") : Effect.succeed(HttpServerResponse.text("good"))
        )
        const client = yield* raw(yield* world.serve(app))
        yield* sends(client, get("/bad") + get("/", "Connection: close"))
        const end = yield* ends(client)
        return { wire: wire(client), end }
      }),
    expected: both({
      wire:
        lines(
          "HTTP/1.1 500 Internal Server Error",
          "Date: today",
          "Connection: keep-alive",
          "Keep-Alive: timeout=5",
          "Transfer-Encoding: chunked",
          "",
          "0",
          "",
          ""
        ) +
        lines(
          "HTTP/1.1 200 OK",
          "content-type: text/plain",
          "content-length: 4",
          "Date: today",
          "Connection: close",
          "",
          "good"
        ),
      end: "FIN"
    })
  },
  {
    what: "a stream that fails half-way is broken off",
    over: all,
    see: broken(halfway(failure)),
    expected: (protocol) => ({
      both: {
        status: 200,
        body: "half",
        broken: protocol === "http" || protocol === "https" ? "ECONNRESET" : "ERR_HTTP2_STREAM_ERROR"
      }
    })
  },
  {
    what: "a stream of a known length that fails half-way is broken off",
    over: http1,
    see: broken(halfway(failure, { contentLength: 8 })),
    expected: both({ status: 200, body: "half", broken: "ECONNRESET" })
  },
  {
    what: "a stream that dies half-way is broken off",
    over: http1,
    see: broken(halfway(Stream.die("on purpose"))),
    expected: both({ status: 200, body: "half", broken: "ECONNRESET" })
  },
  {
    what: "a stream that fails half-way, on the wire",
    over: ["http"],
    see: wired(halfway(failure)),
    expected: both({ status: "HTTP/1.1 200 OK", body: "4\r\nhalf\r\n", end: "FIN" })
  },
  {
    what: "a stream that fails at once, on the wire",
    over: ["http"],
    see: wired(Effect.succeed(HttpServerResponse.stream(failure))),
    expected: both({ status: "", body: "", end: "FIN" })
  },
  {
    what: "a Readable that fails half-way is broken off",
    over: all,
    see: broken(
      readable(() => {
        throw new Error("on purpose")
      })
    ),
    expected: (protocol) => ({
      both: {
        status: 200,
        body: "half",
        broken: protocol === "http" || protocol === "https" ? "ECONNRESET" : "ERR_HTTP2_STREAM_ERROR"
      }
    })
  },
  {
    what: "a stream that is longer than its length",
    over: http1,
    see: broken(long),
    expected: both({ status: 200, body: "too ", broken: "ECONNRESET" })
  },
  {
    what: "a stream that is longer than its length, on the wire",
    over: ["http"],
    see: wired(long),
    expected: both({ status: "HTTP/1.1 200 OK", body: "too ", end: "FIN" })
  },
  {
    what: "a stream that is shorter than its length",
    over: http1,
    see: broken(short),
    expected: both({ status: 200, body: "short", broken: "ECONNRESET" })
  },
  {
    what: "bytes that are shorter than the length that was set",
    over: ["http"],
    see: wired(Effect.succeed(HttpServerResponse.setHeader(HttpServerResponse.text("short"), "content-length", "6"))),
    expected: both({ status: "", body: "", end: "FIN" })
  },
  {
    what: "a Readable that is shorter than its length",
    over: http1,
    see: broken(readable(() => {}, { "content-length": "6" })),
    expected: both({ status: 200, body: "half", broken: "ECONNRESET" })
  },
  {
    what: "the other streams of the session go on beside one that fails",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(halfway(failure))
        const client = yield* session(listening)
        const first = yield* askIn(client, "/")
        const second = yield* askIn(client, "/")
        return [first.broken, second.broken, client.closed]
      }),
    expected: both(["ERR_HTTP2_STREAM_ERROR", "ERR_HTTP2_STREAM_ERROR", false])
  },
  {
    what: "a stream that ends with an interrupt of its own",
    over: ["http"],
    see: wired(halfway(Stream.fromEffect(Effect.interrupt))),
    expected: both({ status: "HTTP/1.1 200 OK", body: "4\r\nhalf\r\n", end: "FIN" })
  },
  {
    what: "what waits behind an answer that is broken off is not answered",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const mayFail = yield* Deferred.make<void>()
        const app = answering(({ url }) =>
          url === "/1"
            ? halfway(Stream.concat(Stream.drain(Stream.fromEffect(Deferred.await(mayFail))), failure))
            : Effect.succeed(HttpServerResponse.text("second"))
        )
        const client = yield* raw(yield* world.serve(app))
        yield* sends(client, get("/1") + get("/2"))
        yield* hears(client, "half")
        yield* Deferred.succeed(mayFail, void 0)
        const end = yield* ends(client)
        return { second: client.text.includes("second"), end }
      }),
    expected: both({ second: false, end: "FIN" })
  }
]
