/** Which handler a request gets. */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { both } from "../contract/Row.ts"
import { ask, exchange, lines, type Question } from "./client.ts"
import { all, type Row } from "./Row.ts"
import { answering, type World } from "./world.ts"

const params = Effect.map(HttpRouter.params, (params) => HttpServerResponse.jsonUnsafe(params))
const method = answering((request) => Effect.succeed(HttpServerResponse.text(request.method)))
const url = answering((request) => Effect.succeed(HttpServerResponse.text(request.url)))

const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/", HttpServerResponse.text("root")),
  HttpRouter.add("GET", "/things", HttpServerResponse.text("all")),
  HttpRouter.add("POST", "/things", HttpServerResponse.text("made", { status: 201 })),
  HttpRouter.add("GET", "/things/:id/parts/:part", params),
  HttpRouter.add("GET", "/files/*", params),
  HttpRouter.add("*", "/method", method),
  HttpRouter.add("GET", "/url", url),
  HttpRouter.addAll([HttpRouter.route("GET", "/inside", url)], { prefix: "/prefix" }),
  HttpRouter.add("GET", "/sent", HttpServerResponse.redirect("/things"))
)

const routed = (what: string, path: string, question: Question, expected: object): Row => ({
  what,
  over: all,
  see: (world) =>
    Effect.gen(function* () {
      const { body, headers, status } = yield* ask(yield* world.route(routes), path, question)
      const { location } = headers
      return location === undefined ? { status, body } : { status, body, location }
    }),
  expected: both(expected)
})

const unrouted = (see: (answer: string) => string) => (world: World) =>
  Effect.gen(function* () {
    const listening = yield* world.serve(url)
    const { end, wire } = yield* exchange(listening, see("Host: a\r\nConnection: close\r\n\r\n"))
    return { end, said: wire.split("\r\n\r\n")[1] }
  })

export const routing: ReadonlyArray<Row> = [
  routed("a route", "/", {}, { status: 200, body: "root" }),
  routed("of two methods, the one that is asked for", "/things", { method: "POST" }, { status: 201, body: "made" }),
  routed("no route", "/nowhere", {}, { status: 404, body: "" }),
  routed("no route for the method", "/things", { method: "DELETE" }, { status: 404, body: "" }),
  routed(
    "no route for a body, which is thrown away",
    "/nowhere",
    { method: "POST", body: "x" },
    { status: 404, body: "" }
  ),
  routed("parameters", "/things/7/parts/a%20b", {}, { status: 200, body: `{"id":"7","part":"a b"}` }),
  routed("a wildcard", "/files/a/b.txt", {}, { status: 200, body: `{"*":"a/b.txt"}` }),
  routed("every method", "/method", { method: "PATCH" }, { status: 200, body: "PATCH" }),
  routed("a method that is not HTTP's own", "/method", { method: "PROPFIND" }, { status: 200, body: "PROPFIND" }),
  routed("OPTIONS", "/method", { method: "OPTIONS" }, { status: 200, body: "OPTIONS" }),
  routed("HEAD of a route for GET", "/things", { method: "HEAD" }, { status: 200, body: "" }),
  routed("a query", "/url?a=1&b=%20", {}, { status: 200, body: "/url?a=1&b=%20" }),
  routed("a prefix is taken off", "/prefix/inside?a", {}, { status: 200, body: "/inside?a" }),
  routed("a redirection", "/sent", {}, { status: 302, body: "", location: "/things" }),
  {
    what: "no router: the application gets all",
    over: all,
    see: (world) =>
      Effect.flatMap(world.serve(url), (listening) => Effect.map(ask(listening, "/x/y"), ({ body }) => body)),
    expected: both("/x/y")
  },
  {
    what: "a target in absolute form is its path",
    over: ["http"],
    see: unrouted((headers) => `GET http://example.com:81/a?b HTTP/1.1\r\n${headers}`),
    expected: both({ end: "FIN", said: "/a?b" })
  },
  {
    what: "a target in absolute form is the host, too",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const app = answering(({ headers, originalUrl }) =>
          Effect.succeed(HttpServerResponse.text(`${headers["host"]} ${originalUrl}`))
        )
        const asked = lines("GET http://example.com:81/a HTTP/1.1", "Host: other", "Connection: close", "", "")
        return (yield* exchange(yield* world.serve(app), asked)).wire.split("\r\n\r\n")[1]
      }),
    expected: both("example.com:81 http://example.com:81/a")
  },
  {
    what: "the target * of OPTIONS",
    over: ["http"],
    see: unrouted((headers) => `OPTIONS * HTTP/1.1\r\n${headers}`),
    expected: both({ end: "FIN", said: "*" })
  },
  {
    what: "CONNECT ends the connection, where nobody listens for it",
    over: ["http"],
    see: unrouted((headers) => `CONNECT example.com:443 HTTP/1.1\r\n${headers}`),
    expected: both({ end: "FIN", said: undefined })
  }
]
