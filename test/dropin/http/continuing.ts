/** `Expect: 100-continue`: the client asks before it sends its body. */
import { Deferred, Effect, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { both } from "../contract/Row.ts"
import { exchange, get, hears, inOrder, lines, post, raw, sends, standstill, wire } from "./client.ts"
import type { Row } from "./Row.ts"
import { answering, type App, type World } from "./world.ts"

const expecting = (length: number, ...headers: ReadonlyArray<string>) =>
  lines("POST / HTTP/1.1", "Host: a", `Content-Length: ${length}`, "Expect: 100-continue", ...headers, "", "")

const asText = answering((request) => Effect.map(request.text, (text) => HttpServerResponse.text(text)))
const asStream = answering((request) =>
  Effect.map(Stream.mkString(Stream.decodeText(request.stream)), (text) => HttpServerResponse.text(text))
)
const refusing: App = Effect.succeed(HttpServerResponse.text("no", { status: 403 }))

const goOn = lines("HTTP/1.1 100 Continue", "", "")

const answer = (text: string, ...headers: ReadonlyArray<string>) =>
  lines(
    "HTTP/1.1 200 OK",
    "content-type: text/plain",
    `content-length: ${text.length}`,
    "Date: today",
    ...headers,
    "",
    text
  )

const kept = ["Connection: keep-alive", "Keep-Alive: timeout=5"]

/** Sends a head, and the body when it is asked for. */
const obedient = (app: App) => (world: World) =>
  Effect.gen(function* () {
    const client = yield* raw(yield* world.serve(app))
    yield* sends(client, expecting(5))
    yield* hears(client, goOn)
    yield* sends(client, "hello")
    yield* hears(client, "\r\n\r\nhello")
    return wire(client)
  })

/** All until the end. */
const bold = (app: App, bytes: string) => (world: World) =>
  Effect.gen(function* () {
    const { end, wire } = yield* exchange(yield* world.serve(app), bytes)
    return { wire: wire.startsWith(goOn) ? wire : inOrder(wire), end }
  })

export const continuing: ReadonlyArray<Row> = [
  {
    what: "is said when the body is read, once, and the connection is kept",
    over: ["http"],
    see: obedient(asText),
    expected: both(goOn + answer("hello", ...kept))
  },
  {
    what: "is said when the body is read as a stream",
    over: ["http"],
    see: obedient(asStream),
    expected: both(goOn + answer("hello", ...kept))
  },
  {
    what: "is said when the body is read as a form with files",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const app = answering((request) =>
          Effect.map(Stream.runCount(request.multipartStream), (parts) => HttpServerResponse.text(`${parts} part`))
        )
        const body = lines("--x", `Content-Disposition: form-data; name="a"`, "", "1", "--x--", "")
        const client = yield* raw(yield* world.serve(app))
        yield* sends(client, expecting(body.length, "Content-Type: multipart/form-data; boundary=x"))
        yield* hears(client, goOn)
        yield* sends(client, body)
        yield* hears(client, "1 part")
        return wire(client)
      }),
    expected: both(goOn + answer("1 part", ...kept))
  },
  {
    what: "is not said before the body is read",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const began = yield* Deferred.make<void>()
        const mayRead = yield* Deferred.make<void>()
        const app = answering((request) =>
          Effect.gen(function* () {
            yield* Deferred.succeed(began, void 0)
            yield* Deferred.await(mayRead)
            return HttpServerResponse.text(yield* request.text)
          })
        )
        const client = yield* raw(yield* world.serve(app))
        yield* sends(client, expecting(5))
        yield* Deferred.await(began)
        yield* standstill(() => client.bytes.length)
        const before = client.text
        yield* Deferred.succeed(mayRead, void 0)
        yield* hears(client, goOn)
        return { before, after: client.text }
      }),
    expected: both({ before: "", after: goOn })
  },
  {
    what: "who is refused hears no 100, and the connection ends",
    over: ["http"],
    see: bold(refusing, expecting(5)),
    expected: both({
      wire: lines(
        "HTTP/1.1 403 Forbidden",
        "Date: today",
        "connection: close",
        "content-length: 2",
        "content-type: text/plain",
        "",
        "no"
      ),
      end: "FIN"
    })
  },
  {
    what: "who is refused by a stream hears no 100, and the connection ends",
    over: ["http"],
    see: bold(
      Effect.succeed(HttpServerResponse.stream(Stream.make(new TextEncoder().encode("no")), { contentLength: 2 })),
      expecting(5)
    ),
    expected: both({
      wire: lines(
        "HTTP/1.1 200 OK",
        "Date: today",
        "connection: close",
        "content-length: 2",
        "content-type: application/octet-stream",
        "",
        "no"
      ),
      end: "FIN"
    })
  },
  {
    what: "who is refused because of a failure hears no 100, and the connection ends",
    over: ["http"],
    see: bold(Effect.die("on purpose"), expecting(5)),
    expected: both({
      wire: lines(
        "HTTP/1.1 500 Internal Server Error",
        "Date: today",
        "Transfer-Encoding: chunked",
        "connection: close",
        "",
        "0",
        "",
        ""
      ),
      end: "FIN"
    })
  },
  {
    what: "who has sent the body already is answered alike",
    over: ["http"],
    see: bold(asText, `${expecting(5, "Connection: close")}hello`),
    expected: both({ wire: goOn + answer("hello", "Connection: close"), end: "FIN" })
  },
  {
    what: "who is refused and has sent the body already: the connection ends",
    over: ["http"],
    see: bold(refusing, `${expecting(5)}hello`),
    expected: both({
      wire: lines(
        "HTTP/1.1 403 Forbidden",
        "Date: today",
        "connection: close",
        "content-length: 2",
        "content-type: text/plain",
        "",
        "no"
      ),
      end: "FIN"
    })
  },
  {
    what: "the body is read while the answer goes on: 100 would come too late",
    over: ["http"],
    see: bold(
      answering((request) => Effect.succeed(HttpServerResponse.stream(request.stream, { contentLength: 5 }))),
      `${expecting(5)}hello`
    ),
    expected: both({
      wire: lines(
        "HTTP/1.1 200 OK",
        "Date: today",
        "connection: close",
        "content-length: 5",
        "content-type: application/octet-stream",
        "",
        "hello"
      ),
      end: "FIN"
    })
  },
  {
    what: "the next request on the connection",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* raw(yield* world.serve(asText))
        yield* sends(client, expecting(5))
        yield* hears(client, goOn)
        yield* sends(client, `hello${post("/", "again", "Connection: close")}`)
        const end = yield* Effect.promise(() => client.ended())
        return { wire: wire(client), end }
      }),
    expected: both({ wire: goOn + answer("hello", ...kept) + answer("again", "Connection: close"), end: "FIN" })
  },
  {
    what: "of a request without a body: the connection is kept",
    over: ["http"],
    see: bold(asText, get("/", "Expect: 100-continue") + get("/", "Connection: close")),
    expected: both({ wire: goOn + answer("", ...kept) + answer("", "Connection: close"), end: "FIN" })
  },
  {
    what: "something else is expected",
    over: ["http"],
    see: bold(asText, get("/", "Expect: coffee", "Connection: close")),
    expected: both({
      wire: lines(
        "HTTP/1.1 417 Expectation Failed",
        "Date: today",
        "Transfer-Encoding: chunked",
        "connection: close",
        "",
        "0",
        "",
        ""
      ),
      end: "FIN"
    })
  }
]
