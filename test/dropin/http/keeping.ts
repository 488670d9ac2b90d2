/** Which connection is kept, which ends, and in what order answers come. */
import { Deferred, Effect, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { both } from "../contract/Row.ts"
import { agent, askVia, ends, exchange, get, hears, lines, post, raw, sends, standstill, wire } from "./client.ts"
import { http1, type Row } from "./Row.ts"
import { answering, type App } from "./world.ts"

const url: App = answering((request) => Effect.succeed(HttpServerResponse.text(request.url)))

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

const talked = (what: string, app: App, bytes: string, expected: string): Row => ({
  what,
  over: ["http"],
  see: (world) => Effect.flatMap(world.serve(app), (listening) => exchange(listening, bytes)),
  expected: both({ wire: expected, end: "FIN" })
})

export const keeping: ReadonlyArray<Row> = [
  talked(
    "one request after the other, until the client asks for the end",
    url,
    get("/1") + get("/2") + get("/3", "Connection: close"),
    answer("/1", ...kept) + answer("/2", ...kept) + answer("/3", "Connection: close")
  ),
  talked(
    "what is asked behind the last request is not answered",
    url,
    get("/1", "Connection: close") + get("/2"),
    answer("/1", "Connection: close")
  ),
  talked("HTTP/1.0 ends", url, "GET /old HTTP/1.0\r\n\r\n", answer("/old", "Connection: close")),
  talked(
    "HTTP/1.0 that is kept",
    url,
    lines("GET /1 HTTP/1.0", "Connection: keep-alive", "", "GET /2 HTTP/1.0", "", ""),
    answer("/1", ...kept) + answer("/2", "Connection: close")
  ),
  talked(
    "HTTP/1.0 is not told in chunks",
    Effect.succeed(HttpServerResponse.stream(Stream.make(new TextEncoder().encode("to the end")))),
    "GET / HTTP/1.0\r\n\r\n",
    lines(
      "HTTP/1.1 200 OK",
      "content-type: application/octet-stream",
      "Date: today",
      "Connection: close",
      "",
      "to the end"
    )
  ),
  talked(
    "an application that asks for the end",
    Effect.succeed(HttpServerResponse.text("bye", { headers: { connection: "close" } })),
    get("/"),
    lines(
      "HTTP/1.1 200 OK",
      "connection: close",
      "content-type: text/plain",
      "content-length: 3",
      "Date: today",
      "",
      "bye"
    )
  ),
  talked(
    "bodies that nobody reads are in nobody's way",
    url,
    post("/1", "unread") + post("/2", "unread, too", "Connection: close"),
    answer("/1", ...kept) + answer("/2", "Connection: close")
  ),
  talked(
    "empty lines between requests",
    url,
    `${get("/1")}\r\n\r\n${get("/2", "Connection: close")}`,
    answer("/1", ...kept) + answer("/2", "Connection: close")
  ),
  {
    what: "answers to requests that came at once come in their order",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const second = yield* Deferred.make<void>()
        const steps: Array<string> = []
        const app = answering(({ url }) =>
          Effect.gen(function* () {
            if (url === "/1") yield* Deferred.await(second)
            steps.push(url)
            if (url === "/2") yield* Deferred.succeed(second, void 0)
            return HttpServerResponse.text(url)
          })
        )
        const { end, wire } = yield* exchange(yield* world.serve(app), get("/1") + get("/2", "Connection: close"))
        return { wire, end, steps }
      }),
    expected: both({
      wire: answer("/1", ...kept) + answer("/2", "Connection: close"),
      end: "FIN",
      steps: ["/2", "/1"]
    })
  },
  {
    what: "an agent's requests share one connection",
    over: http1,
    see: (world) =>
      Effect.gen(function* () {
        const ports = new Set<number>()
        const app = answering(({ source, url }) => {
          ports.add((source as { socket: { remotePort: number } }).socket.remotePort)
          return Effect.succeed(HttpServerResponse.text(url))
        })
        const listening = yield* world.serve(app)
        const connection = yield* agent(listening)
        const answers = yield* Effect.forEach(["/1", "/2", "/3"], (path) =>
          Effect.map(askVia(connection, listening, path, { method: "POST", body: "x" }), ({ body }) => body)
        )
        return { answers, connections: ports.size }
      }),
    expected: both({ answers: ["/1", "/2", "/3"], connections: 1 })
  },
  {
    what: "a connection that nothing is asked on is kept as long as keepAliveTimeout says",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url, { node: { keepAliveTimeout: 30, keepAliveTimeoutBuffer: 0 } })
        return yield* exchange(listening, get("/"))
      }),
    expected: both({ wire: answer("/", "Connection: keep-alive", "Keep-Alive: timeout=0"), end: "FIN" })
  },
  {
    what: "a connection that nothing is asked on is not ended before it",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url)
        const client = yield* raw(listening)
        yield* sends(client, get("/1"))
        yield* hears(client, "\r\n\r\n/1")
        yield* standstill(() => client.bytes.length)
        yield* sends(client, get("/2", "Connection: close"))
        const end = yield* ends(client)
        return { wire: wire(client), end }
      }),
    expected: both({ wire: answer("/1", ...kept) + answer("/2", "Connection: close"), end: "FIN" })
  },
  {
    what: "no more than maxRequestsPerSocket",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url, {
          prepare: (node) => {
            node.maxRequestsPerSocket = 2
          }
        })
        const client = yield* raw(listening)
        yield* sends(client, get("/1") + get("/2") + get("/3"))
        yield* hears(client, "0\r\n\r\n")
        return wire(client)
      }),
    expected: both(
      answer("/1", "Connection: keep-alive", "Keep-Alive: timeout=5, max=2") +
        answer("/2", "Connection: close") +
        lines(
          "HTTP/1.1 503 Service Unavailable",
          "Date: today",
          "Connection: close",
          "Transfer-Encoding: chunked",
          "",
          "0",
          "",
          ""
        )
    )
  },
  {
    what: "a client that ends behind its requests has its answers",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* raw(yield* world.serve(url))
        client.socket.end(get("/1") + get("/2"))
        const end = yield* ends(client)
        return { wire: wire(client), end }
      }),
    expected: both({ wire: answer("/1", ...kept) + answer("/2", ...kept), end: "FIN" })
  },
  {
    what: "a client that says nothing and ends",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* raw(yield* world.serve(url))
        client.socket.end()
        const end = yield* ends(client)
        return { wire: wire(client), end }
      }),
    expected: both({ wire: "", end: "FIN" })
  }
]
