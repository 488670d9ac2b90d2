/** The heads of answers: headers, cookies, statuses, and those that have no body. */
import { Effect, Option } from "effect"
import { type Cookies, HttpEffect, HttpServerResponse } from "effect/http"
import { both } from "../contract/Row.ts"
import { ask, exchange, get, lines, type Question } from "./client.ts"
import { all, http1, type Row } from "./Row.ts"
import { type App, answering } from "./world.ts"

const cookie = (name: string, value: string, options?: Cookies.Cookie["options"]) =>
  HttpServerResponse.setCookieUnsafe(name, value, options)

const headed = (what: string, app: App, expected: object, question?: Question): Row => ({
  what,
  over: all,
  see: (world) =>
    Effect.gen(function* () {
      const { headers, status } = yield* ask(yield* world.serve(app), "/", question)
      return { status, headers }
    }),
  expected: both(expected)
})

const wired = (what: string, app: App, asked: string, ...wire: ReadonlyArray<string>): Row => ({
  what,
  over: ["http"],
  see: (world) => Effect.flatMap(world.serve(app), (listening) => exchange(listening, asked)),
  expected: both({ wire: lines(...wire), end: "FIN" })
})

const closing = get("/", "Connection: close")
const succeed = (response: HttpServerResponse.HttpServerResponse): App => Effect.succeed(response)

export const headers: ReadonlyArray<Row> = [
  headed(
    "headers of one's own",
    succeed(HttpServerResponse.empty({ headers: { "X-One": "1", "cache-control": "no-store" } })),
    { status: 204, headers: { "x-one": "1", "cache-control": "no-store" } }
  ),
  headed(
    "cookies, one header each, with what they are set with",
    succeed(
      HttpServerResponse.empty().pipe(
        cookie("a", "1"),
        cookie("b", "x y", { path: "/b", httpOnly: true, secure: true, sameSite: "lax", maxAge: "1 minute" })
      )
    ),
    {
      status: 204,
      headers: { "set-cookie": ["a=1", "b=x%20y; Max-Age=60; Path=/b; HttpOnly; Secure; SameSite=Lax"] }
    }
  ),
  headed(
    "cookies beside a header that sets one",
    succeed(HttpServerResponse.empty({ headers: { "set-cookie": "own=1" } }).pipe(cookie("a", "1"))),
    { status: 204, headers: { "set-cookie": ["a=1", "own=1"] } }
  ),
  headed("a status without a name", succeed(HttpServerResponse.empty({ status: 299 })), { status: 299, headers: {} }),
  {
    what: "a header that is none",
    over: http1,
    see: (world) =>
      Effect.gen(function* () {
        const app = succeed(HttpServerResponse.text("x", { headers: { "x-bad": "a\nb" } }))
        const { headers, status } = yield* ask(yield* world.serve(app), "/")
        return { status, headers }
      }),
    expected: both({ status: 500, headers: {} })
  },
  headed("a status that is not an answer", succeed(HttpServerResponse.empty({ status: 101 })), {
    status: 500,
    headers: {}
  }),
  headed("a status that is none", succeed(HttpServerResponse.empty({ status: 1000 })), { status: 500, headers: {} }),
  headed(
    "what is done before an answer is sent may change it",
    Effect.as(
      HttpEffect.appendPreResponseHandler((_, response) =>
        Effect.succeed(HttpServerResponse.setHeader(response, "x-late", "yes"))
      ),
      HttpServerResponse.empty()
    ),
    { status: 204, headers: { "x-late": "yes" } }
  ),
  headed(
    "HEAD has the headers of GET, and no body",
    succeed(HttpServerResponse.text("hello")),
    { status: 200, headers: { "content-type": "text/plain", "content-length": "5" } },
    { method: "HEAD" }
  ),
  headed("204 has no length", succeed(HttpServerResponse.text("x", { status: 204 })), {
    status: 204,
    headers: { "content-type": "text/plain" }
  }),
  wired(
    "a status with a name of one's own",
    succeed(HttpServerResponse.empty({ status: 200, statusText: "Fine" })),
    closing,
    "HTTP/1.1 200 Fine",
    "Date: today",
    "Connection: close",
    "Transfer-Encoding: chunked",
    "",
    "0",
    "",
    ""
  ),
  wired(
    "HEAD on the wire",
    succeed(HttpServerResponse.text("hello")),
    lines("HEAD / HTTP/1.1", "Host: a", "Connection: close", "", ""),
    "HTTP/1.1 200 OK",
    "content-type: text/plain",
    "content-length: 5",
    "Date: today",
    "Connection: close",
    "",
    ""
  ),
  wired(
    "204 on the wire has no body",
    succeed(HttpServerResponse.text("x", { status: 204 })),
    closing,
    "HTTP/1.1 204 No Content",
    "content-type: text/plain",
    "Date: today",
    "Connection: close",
    "",
    ""
  ),
  wired(
    "205 on the wire has an empty body",
    succeed(HttpServerResponse.text("x", { status: 205 })),
    closing,
    "HTTP/1.1 205 Reset Content",
    "content-type: text/plain",
    "Date: today",
    "Connection: close",
    "Transfer-Encoding: chunked",
    "",
    "0",
    "",
    ""
  ),
  wired(
    "304 on the wire has the length of a body, and none",
    succeed(HttpServerResponse.text("x", { status: 304 })),
    closing,
    "HTTP/1.1 304 Not Modified",
    "content-type: text/plain",
    "content-length: 1",
    "Date: today",
    "Connection: close",
    "",
    ""
  ),
  {
    what: "the cookies of a request",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const app = answering(({ cookies }) => Effect.succeed(HttpServerResponse.jsonUnsafe(cookies)))
        return (yield* ask(yield* world.serve(app), "/", { headers: { cookie: "a=1; b=x%20y" } })).body
      }),
    expected: both(`{"a":"1","b":"x y"}`)
  },
  {
    what: "the headers of a request, in small letters",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const app = answering(({ headers }) => Effect.succeed(HttpServerResponse.jsonUnsafe(headers)))
        const asked = get(
          "/",
          "X-One: 1",
          "X-Twice: a",
          "X-Twice: b",
          "Cookie: c=1",
          "Cookie: d=2",
          "Connection: close"
        )
        return (yield* exchange(yield* world.serve(app), asked)).wire.split("\r\n\r\n")[1]
      }),
    expected: both(`{"host":"a","x-one":"1","x-twice":"a, b","cookie":"<redacted>","connection":"close"}`)
  },
  {
    what: "who asks",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const app = answering(({ method, originalUrl, peerAddress, protocol, remoteAddress, url }) =>
          Effect.succeed(
            HttpServerResponse.jsonUnsafe({
              method,
              url,
              originalUrl,
              protocol: protocol ?? "unsaid",
              remoteAddress: Option.getOrNull(remoteAddress),
              peerAddress: Option.getOrNull(peerAddress)
            })
          )
        )
        const listening = yield* world.serve(app)
        const { body } = yield* ask(listening, "/a?b=c", { method: "POST" })
        return JSON.parse(body.replace(String(listening.port), "0"))
      }),
    expected: (protocol) => ({
      both: {
        method: "POST",
        url: "/a?b=c",
        originalUrl: `${protocol === "http" || protocol === "h2c" ? "http" : "https"}://127.0.0.1:0/a?b=c`,
        protocol: "unsaid",
        remoteAddress: "127.0.0.1",
        peerAddress: "127.0.0.1"
      }
    })
  }
]
