/** What only HTTP/2 has. */
import { Deferred, Effect, Option, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { once } from "node:events"
import { constants, type ClientHttp2Stream } from "node:http2"
import * as Tls from "node:tls"
import { certificate } from "../contract/certificate.ts"
import { both } from "../contract/Row.ts"
import { agent, askIn, askVia, exchange, get, raw, session, standstill } from "./client.ts"
import { http2, type Row } from "./Row.ts"
import { answering, host } from "./world.ts"

const url = answering((request) => Effect.succeed(HttpServerResponse.text(request.url)))

/** The code that a stream ends with. */
const closed = (stream: ClientHttp2Stream) =>
  Effect.callback<number>((resume) => {
    stream.on("error", () => {})
    stream.resume()
    const over = () => resume(Effect.succeed(stream.rstCode))
    if (stream.destroyed) over()
    else stream.once("close", over)
  })

const bigBytes = 8 * 1024 * 1024

export const onlyHttp2: ReadonlyArray<Row> = [
  {
    what: "pseudo headers are no headers, and the authority is the host",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const app = answering(({ headers, originalUrl }) =>
          Effect.succeed(HttpServerResponse.jsonUnsafe({ headers, originalUrl }))
        )
        const client = yield* session(yield* world.serve(app))
        const { body } = yield* askIn(client, "/a", {
          headers: { ":authority": "example.com", ":scheme": "https", x: "1" }
        })
        return JSON.parse(body)
      }),
    expected: both({ headers: { x: "1", host: "example.com" }, originalUrl: "https://example.com/a" })
  },
  {
    what: "the URL of a request",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const app = answering((request) =>
          Effect.succeed(HttpServerResponse.text(String(Option.getOrNull(HttpServerRequest.toURL(request)))))
        )
        const client = yield* session(yield* world.serve(app))
        const { body } = yield* askIn(client, "/a?b", { headers: { ":authority": "example.com" } })
        return body
      }),
    expected: (protocol) => ({ both: `${protocol === "h2" ? "https" : "http"}://example.com/a?b` })
  },
  {
    what: "headers of a connection are dropped from answers",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const headers = {
          connection: "keep-alive",
          "keep-alive": "timeout=5",
          "transfer-encoding": "chunked",
          upgrade: "h2c",
          "proxy-connection": "keep-alive",
          "x-own": "1"
        }
        const client = yield* session(yield* world.serve(Effect.succeed(HttpServerResponse.empty({ headers }))))
        const stream = client.request({ ":path": "/" })
        const [answer] = (yield* Effect.promise(() => once(stream, "response"))) as [Record<string, unknown>]
        yield* closed(stream)
        return Object.keys(answer).toSorted()
      }),
    expected: both([":status", "date", "x-own"])
  },
  {
    what: "streams of one session are answered as they come",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const second = yield* Deferred.make<void>()
        const app = answering(({ url }) =>
          Effect.as(url === "/1" ? Deferred.await(second) : Effect.void, HttpServerResponse.text(url))
        )
        const client = yield* session(yield* world.serve(app))
        const order: Array<string> = []
        const asked = (path: string) =>
          Effect.tap(askIn(client, path), ({ body }) => {
            order.push(body)
            return path === "/2" ? Deferred.succeed(second, void 0) : Effect.void
          })
        yield* Effect.all([asked("/1"), asked("/2")], { concurrency: "unbounded" })
        return order
      }),
    expected: both(["/2", "/1"])
  },
  {
    what: "a stream that fails half-way is reset with INTERNAL_ERROR",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const failure = Stream.fail(new Error("on purpose"))
        const client = yield* session(yield* world.serve(Effect.succeed(HttpServerResponse.stream(failure))))
        return yield* closed(client.request({ ":path": "/" }))
      }),
    expected: both(constants.NGHTTP2_INTERNAL_ERROR)
  },
  {
    what: "a stream that is whole ends with NO_ERROR",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* session(yield* world.serve(url))
        return yield* closed(client.request({ ":path": "/" }))
      }),
    expected: both(constants.NGHTTP2_NO_ERROR)
  },
  {
    what: "an early answer to an upload is whole, and the session goes on",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* session(yield* world.serve(url))
        const stream = client.request({ ":path": "/early", ":method": "POST" }, { endStream: false })
        stream.on("error", () => {})
        const [, body] = yield* Effect.promise(() =>
          Promise.all([
            once(stream, "response"),
            (async () => {
              let body = ""
              for await (const chunk of stream) body += String(chunk)
              return body
            })()
          ])
        )
        stream.destroy()
        return [body, (yield* askIn(client, "/next")).body]
      }),
    expected: both(["/early", "/next"])
  },
  {
    what: "a body that is not taken is not read, and comes when it is taken",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const goOn = yield* Deferred.make<void>()
        let bytes = 0
        const app = answering((request) =>
          Effect.as(
            Stream.runForEach(request.stream, (chunk) => {
              bytes += chunk.length
              return Deferred.await(goOn)
            }),
            HttpServerResponse.text("taken")
          )
        )
        const client = yield* session(yield* world.serve(app))
        const stream = client.request({ ":path": "/", ":method": "POST" }, { endStream: false })
        const answered = once(stream, "response")
        stream.end(Buffer.alloc(bigBytes))
        yield* standstill(() => bytes)
        const early = { begun: bytes > 0, waits: bytes < bigBytes / 2 }
        yield* Deferred.succeed(goOn, void 0)
        yield* Effect.promise(() => answered)
        yield* closed(stream)
        return { ...early, bytes }
      }),
    expected: both({ begun: true, waits: true, bytes: bigBytes })
  },
  {
    what: "100 is said to who expects it",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const app = answering((request) => Effect.map(request.text, (text) => HttpServerResponse.text(text)))
        const client = yield* session(yield* world.serve(app))
        const stream = client.request({ ":path": "/", ":method": "POST", expect: "100-continue" }, { endStream: false })
        yield* Effect.promise(() => once(stream, "continue"))
        stream.end("body")
        let body = ""
        yield* Effect.promise(async () => {
          for await (const chunk of stream) body += String(chunk)
        })
        return body
      }),
    expected: both("body")
  },
  {
    what: "who is refused and expects 100",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const app = Effect.succeed(HttpServerResponse.text("no", { status: 403 }))
        const client = yield* session(yield* world.serve(app))
        const stream = client.request({ ":path": "/", ":method": "POST", expect: "100-continue" }, { endStream: false })
        const heard: Array<string> = []
        stream.on("continue", () => heard.push("100"))
        stream.on("error", () => {})
        const [headers] = (yield* Effect.promise(() => once(stream, "response"))) as [Record<string, unknown>]
        heard.push(String(headers[":status"]))
        stream.destroy()
        return heard
      }),
    expected: both(["403"])
  },
  {
    what: "the session's own limits hold: maxConcurrentStreams",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url, { node: { settings: { maxConcurrentStreams: 7 } } })
        const client = yield* session(listening)
        if (client.remoteSettings.maxConcurrentStreams !== 7) {
          yield* Effect.promise(() => once(client, "remoteSettings"))
        }
        return client.remoteSettings.maxConcurrentStreams
      }),
    expected: both(7)
  },
  {
    what: "a ping is answered",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* session(yield* world.serve(url))
        return yield* Effect.promise(
          () =>
            new Promise((resolve) =>
              client.ping(Buffer.from("12345678"), (_, __, payload) => resolve(payload.toString()))
            )
        )
      }),
    expected: both("12345678")
  },
  {
    what: "a client that ends its session: its stream is answered first",
    over: http2,
    see: (world) =>
      Effect.gen(function* () {
        const goOn = yield* Deferred.make<void>()
        const begun = yield* Deferred.make<void>()
        const app = Effect.andThen(
          Deferred.succeed(begun, void 0),
          Effect.as(Deferred.await(goOn), HttpServerResponse.text("answer"))
        )
        const client = yield* session(yield* world.serve(app))
        const stream = client.request({ ":path": "/" })
        yield* Deferred.await(begun)
        const over = once(client, "close")
        client.close()
        yield* Deferred.succeed(goOn, void 0)
        let body = ""
        yield* Effect.promise(async () => {
          for await (const chunk of stream) body += String(chunk)
          await over
        })
        return body
      }),
    expected: both("answer")
  },
  {
    what: "who asks for HTTP/1.1 by ALPN is answered in it",
    over: ["h2"],
    see: (world) =>
      Effect.gen(function* () {
        const app = answering(({ source }) =>
          Effect.succeed(HttpServerResponse.text((source as { httpVersion: string }).httpVersion))
        )
        const listening = yield* world.serve(app)
        const client = yield* agent(listening)
        const first = yield* askVia(client, listening, "/")
        const second = yield* askVia(client, listening, "/")
        const inSession = yield* askIn(yield* session(listening), "/")
        return [first.body, second.body, inSession.body]
      }),
    expected: both(["1.1", "1.1", "2.0"])
  },
  {
    what: "who asks for HTTP/1.1 where there is only HTTP/2",
    over: ["h2"],
    see: (world) =>
      Effect.gen(function* () {
        const { port } = yield* world.serve(url, { node: { allowHTTP1: false, unknownProtocolTimeout: 50 } })
        const socket = yield* Effect.acquireRelease(
          Effect.sync(() => Tls.connect({ host, port, ca: certificate.cert })),
          (socket) => Effect.sync(() => socket.destroy())
        )
        socket.write(get("/"))
        const [data] = (yield* Effect.promise(() => once(socket, "data"))) as [Buffer]
        return data.toString().split("\r\n")[0]
      }),
    expected: both("HTTP/1.0 403 Forbidden")
  },
  {
    what: "HTTP/1.1 at a server of HTTP/2 without TLS",
    over: ["h2c"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url)
        const { end, wire } = yield* exchange(listening, get("/"))
        return { end, isHttp1: wire.includes("HTTP/1.1") }
      }),
    expected: both({ end: "FIN", isHttp1: false })
  },
  {
    what: "a client that says nothing and ends",
    over: ["h2c"],
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* raw(yield* world.serve(url))
        client.socket.end()
        return yield* Effect.promise(() => client.ended())
      }),
    expected: both("FIN")
  }
]
