/** Bodies of requests. */
import { ByteSize, Deferred, Effect, Schema, Stream } from "effect"
import { HttpIncomingMessage, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { both } from "../contract/Row.ts"
import { ask, exchange, hears, lines, post, type Question, raw, sends, standstill } from "./client.ts"
import { all, type Row } from "./Row.ts"
import { answering, type App } from "./world.ts"

const asText = answering((request) => Effect.map(request.text, (text) => HttpServerResponse.text(text)))
const asJson = answering((request) => Effect.map(request.json, (json) => HttpServerResponse.jsonUnsafe(json)))
const asForm = answering((request) =>
  Effect.map(request.urlParamsBody, (params) => HttpServerResponse.jsonUnsafe([...params]))
)
const bytesOf = answering((request) =>
  Effect.map(request.arrayBuffer, (buffer) => HttpServerResponse.jsonUnsafe([...new Uint8Array(buffer)]))
)
const echo = answering((request) => Effect.succeed(HttpServerResponse.stream(request.stream)))
const asPerson = Effect.map(HttpServerRequest.schemaBodyJson(Schema.Struct({ name: Schema.String })), ({ name }) =>
  HttpServerResponse.text(name)
)

/** Why a body could not be read, as an answer. */
const why = (app: App): App =>
  app.pipe(
    Effect.catch((error) => {
      if (!(error instanceof HttpServerError.HttpServerError)) return Effect.fail(error)
      const { reason } = error
      return Effect.succeed(
        HttpServerResponse.text(reason._tag === "RequestParseError" ? `${reason._tag} ${reason.reason}` : reason._tag)
      )
    })
  )

const limited = (app: App): App =>
  Effect.provideService(app, HttpIncomingMessage.MaxBodySize, ByteSize.fromInputUnsafe("1 KiB"))

const asked = (what: string, app: App, question: Question, expected: readonly [status: number, body: string]): Row => ({
  what,
  over: all,
  see: (world) =>
    Effect.gen(function* () {
      const { body, status } = yield* ask(yield* world.serve(app), "/", { method: "POST", ...question })
      return [status, body]
    }),
  expected: both(expected)
})

const wired = (what: string, app: App, bytes: string, expected: string): Row => ({
  what,
  over: ["http"],
  see: (world) =>
    Effect.gen(function* () {
      const { wire } = yield* exchange(yield* world.serve(app), bytes)
      return wire.split("\r\n\r\n")[1]
    }),
  expected: both(expected)
})

const chunked = (...body: ReadonlyArray<string>) =>
  lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Connection: close", "", ...body, "")

const bigBytes = 24 * 1024 * 1024

export const bodies: ReadonlyArray<Row> = [
  asked("text", asText, { body: "hällo" }, [200, "hällo"]),
  asked("no body as text", asText, {}, [200, ""]),
  asked("bytes", bytesOf, { body: new Uint8Array([0, 255, 13, 10]) }, [200, "[0,255,13,10]"]),
  asked("JSON", asJson, { body: `{"a":[1]}` }, [200, `{"a":[1]}`]),
  asked("no body as JSON", asJson, {}, [200, "null"]),
  asked("what is not JSON", why(asJson), { body: "{" }, [200, "RequestParseError Parse"]),
  asked("what is not JSON, where nobody catches it", asJson, { body: "{" }, [400, ""]),
  asked("JSON of a schema", asPerson, { body: `{"name":"ada"}` }, [200, "ada"]),
  asked("JSON that is not of the schema", asPerson, { body: `{"name":1}` }, [400, ""]),
  asked("a form", asForm, { body: "a=1+2&b=%26&a=3" }, [200, `[["a","1 2"],["b","&"],["a","3"]]`]),
  asked("a stream", echo, { body: "x".repeat(1000) }, [200, "x".repeat(1000)]),
  asked("no body as a stream", echo, {}, [200, ""]),
  asked("with GET", asText, { method: "GET", body: "x", headers: { "content-length": "1" } }, [200, "x"]),
  asked("as much as is allowed", limited(asText), { body: "x".repeat(1024) }, [200, "x".repeat(1024)]),
  asked("more than is allowed", limited(asText), { body: "x".repeat(1025) }, [413, ""]),
  asked("more than is allowed, caught", why(limited(asText)), { body: "x".repeat(1025) }, [
    200,
    "RequestParseError BodyTooLarge"
  ]),
  asked(
    "as a web request",
    answering((request) =>
      Effect.flatMap(HttpServerRequest.toWeb(request), (web) =>
        Effect.map(
          Effect.promise(() => web.text()),
          (text) => HttpServerResponse.text(`${web.method} ${new URL(web.url).pathname} ${text}`)
        )
      )
    ),
    { body: "body" },
    [200, "POST / body"]
  ),
  asked(
    "read twice is the same",
    answering((request) =>
      Effect.map(Effect.all([request.text, request.json]), ([text, json]) =>
        HttpServerResponse.text(`${text} ${JSON.stringify(json)}`)
      )
    ),
    { body: "[1]" },
    [200, "[1] [1]"]
  ),
  wired("chunks", asText, chunked("5", "hello", "1", "!", "0", ""), "hello!"),
  wired("chunks with extensions and trailers", asText, chunked("5;a=b", "hello", "0", "X-Trailer: yes", ""), "hello"),
  wired("no chunk", asText, chunked("0", ""), ""),
  wired(
    "more than is allowed in chunks",
    why(limited(asText)),
    chunked("800", "x".repeat(0x800), "0", ""),
    "RequestParseError BodyTooLarge"
  ),
  wired("in one packet with its head", asText, post("/", "hello", "Connection: close"), "hello"),
  {
    what: "a body that stays out is waited for",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const began = yield* Deferred.make<void>()
        const app = answering((request) =>
          Effect.andThen(
            Deferred.succeed(began, void 0),
            Effect.map(request.text, (text) => HttpServerResponse.text(text))
          )
        )
        const client = yield* raw(yield* world.serve(app))
        const [head, body] = post("/", "hello").split("\r\n\r\n")
        yield* sends(client, `${head}\r\n\r\n`)
        yield* Deferred.await(began)
        yield* sends(client, body!.slice(0, 2))
        yield* standstill(() => client.text.length)
        const early = client.text
        yield* sends(client, body!.slice(2))
        yield* hears(client, "\r\n\r\nhello")
        return early
      }),
    expected: both("")
  },
  {
    what: "as a stream, what is not taken is not read, and comes when it is taken",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const taken = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        let bytes = 0
        const app = answering((request) =>
          Effect.as(
            Stream.runForEach(request.stream, (chunk) => {
              bytes += chunk.length
              return Effect.andThen(Deferred.succeed(taken, void 0), Deferred.await(goOn))
            }),
            HttpServerResponse.text("taken")
          )
        )
        const client = yield* raw(yield* world.serve(app))
        client.socket.write(lines("POST / HTTP/1.1", "Host: a", `Content-Length: ${bigBytes}`, "", ""))
        client.socket.write(Buffer.alloc(bigBytes))
        yield* Deferred.await(taken)
        yield* standstill(() => client.socket.bytesWritten - client.socket.writableLength)
        const waits = { early: bytes < bigBytes / 2, unsent: client.socket.writableLength > 0 }
        yield* Deferred.succeed(goOn, void 0)
        yield* hears(client, "taken")
        return { ...waits, bytes }
      }),
    expected: both({ early: true, unsent: true, bytes: bigBytes })
  },
  {
    what: "an echo comes while the body is still being sent",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* raw(yield* world.serve(echo))
        yield* sends(client, lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "", "5", "hello", ""))
        yield* hears(client, "5\r\nhello\r\n")
        yield* sends(client, "3\r\nyou\r\n")
        yield* hears(client, "3\r\nyou\r\n")
        yield* sends(client, "0\r\n\r\n")
        yield* hears(client, "0\r\n\r\n")
        return client.text.split("\r\n\r\n")[1]
      }),
    expected: both("5\r\nhello\r\n3\r\nyou\r\n0")
  }
]
