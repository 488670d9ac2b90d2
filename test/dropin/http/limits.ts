/** Node's own limits, and its answers to what is no HTTP. */
import { Deferred, Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { both, differ } from "../contract/Row.ts"
import { turns } from "../contract/world.ts"
import { ask, ends, exchange, get, hears, lines, post, raw, sends, wire } from "./client.ts"
import type { Row } from "./Row.ts"
import { answering, type App, type Settings, type World } from "./world.ts"

const asText = answering((request) => Effect.map(request.text, (text) => HttpServerResponse.text(text)))
const url = answering((request) => Effect.succeed(HttpServerResponse.text(request.url)))

const nodes = (status: string) => lines(`HTTP/1.1 ${status}`, "Connection: close", "", "")

const sent = (what: string, bytes: string, expected: object, settings?: Settings, app: App = asText): Row => ({
  what,
  over: ["http"],
  see: (world) => Effect.flatMap(world.serve(app, settings), (listening) => exchange(listening, bytes)),
  expected: both(expected)
})

/** Small enough to be waited for. */
const quick = { headersTimeout: 100, requestTimeout: 150, connectionsCheckingInterval: 10 }

const half = lines("POST / HTTP/1.1", "Host: a", "Content-Length: 10", "", "half")

export const limits: ReadonlyArray<Row> = [
  sent("garbage", "hello, is anybody there?\r\n\r\n", { wire: nodes("400 Bad Request"), end: "FIN" }),
  sent("TLS at a server without", "\u0016\u0003\u0001\u0000\u0005hello", {
    wire: nodes("400 Bad Request"),
    end: "FIN"
  }),
  sent("no Host", "GET / HTTP/1.1\r\n\r\n", {
    wire: lines(
      "HTTP/1.1 400 Bad Request",
      "Connection: close",
      "Date: today",
      "Transfer-Encoding: chunked",
      "",
      "0",
      "",
      ""
    ),
    end: "FIN"
  }),
  sent("two lengths", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Content-Length: 2", "", "x"), {
    wire: nodes("400 Bad Request"),
    end: "FIN"
  }),
  sent(
    "a length and chunks",
    lines("POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Transfer-Encoding: chunked", "", "1", "x", "0", "", ""),
    { wire: nodes("400 Bad Request"), end: "FIN" }
  ),
  sent("a length that is none", lines("POST / HTTP/1.1", "Host: a", "Content-Length: x", "", ""), {
    wire: nodes("400 Bad Request"),
    end: "FIN"
  }),
  sent("another version of HTTP", "GET / HTTP/7.0\r\n\r\n", { wire: nodes("400 Bad Request"), end: "FIN" }),
  sent("headers that are too large", get("/", `X-Big: ${"x".repeat(20_000)}`), {
    wire: nodes("431 Request Header Fields Too Large"),
    end: "FIN"
  }),
  sent(
    "headers that are larger than maxHeaderSize",
    get("/", `X-Big: ${"x".repeat(600)}`),
    { wire: nodes("431 Request Header Fields Too Large"), end: "FIN" },
    { node: { maxHeaderSize: 512 } }
  ),
  sent("a target that is too long", get(`/${"x".repeat(20_000)}`), {
    wire: nodes("431 Request Header Fields Too Large"),
    end: "FIN"
  }),
  sent(
    "extensions of chunks that are too long",
    lines(
      "POST / HTTP/1.1",
      "Host: a",
      "Transfer-Encoding: chunked",
      "",
      `1;a=${"x".repeat(20_000)}`,
      "x",
      "0",
      "",
      ""
    ),
    { wire: nodes("413 Payload Too Large"), end: "FIN" }
  ),
  sent(
    "a chunk that is none, while its body is read",
    lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "", "1", "x", "zz", ""),
    { wire: nodes("400 Bad Request"), end: "FIN" }
  ),
  sent(
    "garbage behind a request that is answered: the answer is the last word",
    `${get("/")}garbage\r\n\r\n`,
    {
      wire: lines(
        "HTTP/1.1 200 OK",
        "content-type: text/plain",
        "content-length: 1",
        "Date: today",
        "Connection: keep-alive",
        "Keep-Alive: timeout=5",
        "",
        "/"
      ),
      end: "FIN"
    },
    undefined,
    url
  ),
  {
    what: "garbage behind a request that is worked on",
    over: ["http"],
    see: (world) =>
      Effect.flatMap(world.serve(Effect.as(turns, HttpServerResponse.text("x"))), (listening) =>
        exchange(listening, `${get("/")}garbage\r\n\r\n`)
      ),
    expected: differ(
      "what was asked for before is answered",
      { wire: nodes("400 Bad Request"), end: "FIN" },
      {
        wire: lines(
          "HTTP/1.1 200 OK",
          "content-type: text/plain",
          "content-length: 1",
          "Date: today",
          "Connection: close",
          "",
          "x"
        ),
        end: "FIN"
      }
    )
  },
  sent(
    "half of a head within headersTimeout",
    "GET / HTTP/1.1\r\nHo",
    { wire: nodes("408 Request Timeout"), end: "FIN" },
    {
      node: quick
    }
  ),
  sent(
    "half of a body within requestTimeout",
    half,
    { wire: nodes("408 Request Timeout"), end: "FIN" },
    { node: quick }
  ),
  sent("nothing at all within headersTimeout", "", { wire: nodes("408 Request Timeout"), end: "FIN" }, { node: quick }),
  {
    what: "half of a body within requestTimeout interrupts the handler",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const over = yield* Deferred.make<string>()
        const app = Effect.interruptible(Effect.onExit(asText, (exit) => Deferred.succeed(over, exit._tag)))
        yield* exchange(yield* world.serve(app, { node: quick }), half)
        return yield* Deferred.await(over)
      }),
    expected: both("Failure")
  },
  {
    what: "half of a body within requestTimeout, when the answer has begun",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const app = answering((request) => Effect.succeed(HttpServerResponse.stream(request.stream)))
        const { end, wire } = yield* exchange(yield* world.serve(app, { node: quick }), half)
        return { end, said: wire.split("\r\n\r\n").slice(1) }
      }),
    expected: both({ end: "FIN", said: ["4\r\nhalf\r\n"] })
  },
  {
    what: "a handler that takes longer than the timeouts",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const goOn = yield* Deferred.make<void>()
        const app = answering(({ url }) =>
          url === "/slow" ? Effect.as(Deferred.await(goOn), HttpServerResponse.text("slow")) : asText
        )
        const listening = yield* world.serve(app, { node: quick })
        const client = yield* raw(listening)
        yield* sends(client, get("/slow", "Connection: close"))
        // Somebody else's time is over: so is the first one's, if it ran.
        yield* exchange(listening, half)
        yield* Deferred.succeed(goOn, void 0)
        const end = yield* ends(client)
        return { end, said: wire(client).split("\r\n\r\n")[1] }
      }),
    expected: both({ end: "FIN", said: "slow" })
  },
  {
    what: "nothing moves within the server's timeout, while a handler works",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const over = yield* Deferred.make<string>()
        const app = Effect.interruptible(Effect.onExit(Effect.never, (exit) => Deferred.succeed(over, exit._tag)))
        const listening = yield* world.serve(app, { prepare: (node) => node.setTimeout(30) })
        return { ...(yield* exchange(listening, get("/"))), handler: yield* Deferred.await(over) }
      }),
    expected: both({ wire: "", end: "FIN", handler: "Failure" })
  },
  {
    what: "who listens for the server's timeout decides",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const heard = yield* Deferred.make<void>()
        const app = Effect.as(Deferred.await(heard), HttpServerResponse.text("in time"))
        const listening = yield* world.serve(app, {
          prepare: (node) => node.setTimeout(30, () => Deferred.doneUnsafe(heard, Effect.void))
        })
        return (yield* exchange(listening, get("/", "Connection: close"))).wire.split("\r\n\r\n")[1]
      }),
    expected: both("in time")
  },
  {
    what: "who listens for clientError answers",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url, {
          prepare: (node) => node.on("clientError", (_, socket) => socket.end("own words\r\n"))
        })
        return yield* exchange(listening, "garbage\r\n\r\n")
      }),
    expected: both({ wire: "own words\r\n", end: "FIN" })
  },
  {
    what: "who listens for clientError later answers, too",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url)
        listening.node.on("clientError", (_, socket) => socket.end("own words\r\n"))
        return yield* exchange(listening, "garbage\r\n\r\n")
      }),
    expected: both({ wire: "own words\r\n", end: "FIN" })
  },
  {
    what: "who listens for checkExpectation answers",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url, {
          prepare: (node) => node.on("checkExpectation", (_, response) => response.writeHead(400).end("what?"))
        })
        const { wire } = yield* exchange(listening, get("/", "Expect: coffee", "Connection: close"))
        return wire.split("\r\n\r\n")[1]
      }),
    expected: both("5\r\nwhat?\r\n0")
  },
  {
    what: "who listens for CONNECT has the connection",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url, {
          prepare: (node) => node.on("connect", ({ url }, socket) => socket.end(`HTTP/1.1 200 OK\r\n\r\n${url}`))
        })
        return yield* exchange(listening, "CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n")
      }),
    expected: both({ wire: "HTTP/1.1 200 OK\r\n\r\nb:1", end: "FIN" })
  },
  {
    what: "maxHeadersCount",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url, {
          prepare: (node) => {
            node.maxHeadersCount = 3
          }
        })
        return yield* exchange(listening, get("/", "Connection: close", "A: 1", "B: 2"))
      }),
    expected: both({ wire: nodes("431 Request Header Fields Too Large"), end: "FIN" })
  },
  {
    what: "maxConnections: one more is not served",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url, {
          prepare: (node) => {
            node.maxConnections = 1
          }
        })
        const first = yield* raw(listening)
        yield* sends(first, get("/first"))
        yield* hears(first, "/first")
        const second = yield* raw(listening)
        second.socket.write(get("/second", "Connection: close"))
        yield* ends(second)
        return second.text.includes("/second") ? "served" : "not served"
      }),
    expected: both("not served")
  },
  {
    what: "the server is served on behind what is no HTTP",
    over: ["http"],
    see: (world: World) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url)
        yield* exchange(listening, "garbage\r\n\r\n")
        return (yield* ask(listening, "/still")).body
      }),
    expected: both("/still")
  },
  {
    what: "requireHostHeader and joinDuplicateHeaders",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const app = answering(({ headers }) => Effect.succeed(HttpServerResponse.text(headers["age"] ?? "none")))
        const node = { requireHostHeader: false, joinDuplicateHeaders: true }
        const asked = lines("GET / HTTP/1.1", "Age: 1", "Age: 2", "Connection: close", "", "")
        return (yield* exchange(yield* world.serve(app, { node }), asked)).wire.split("\r\n\r\n")[1]
      }),
    expected: both("1, 2")
  },
  {
    what: "insecureHTTPParser",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(asText, { node: { insecureHTTPParser: true } })
        const head = lines(
          "POST / HTTP/1.1",
          "Host: a",
          "Content-Length: 1",
          "Transfer-Encoding: chunked",
          "Connection: close"
        )
        const { wire } = yield* exchange(listening, lines(head, "", "2", "xy", "0", "", ""))
        return wire.split("\r\n\r\n")[1]
      }),
    expected: both("xy")
  },
  {
    what: "a request in pieces of a byte",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* raw(yield* world.serve(asText))
        client.socket.setNoDelay(true)
        for (const byte of post("/", "hello", "Connection: close")) yield* sends(client, byte)
        const end = yield* ends(client)
        return { end, said: wire(client).split("\r\n\r\n")[1] }
      }),
    expected: both({ end: "FIN", said: "hello" })
  }
]
