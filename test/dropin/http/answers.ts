/** Bodies of answers. */
import { Effect, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Readable } from "node:stream"
import { both } from "../contract/Row.ts"
import { temporaryDirectory } from "../contract/world.ts"
import { ask, exchange, get, hears, raw, sends, standstill, wire } from "./client.ts"
import { all, http1, type Row } from "./Row.ts"
import { type App, answering } from "./world.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const answered = (what: string, app: App, headers: Record<string, string>, body: string): Row => ({
  what,
  over: all,
  see: (world) => Effect.flatMap(world.serve(app), (listening) => ask(listening, "/")),
  expected: both({ status: 200, headers, body })
})

const three = Stream.make("one ", "two ", "three").pipe(Stream.map(bytes))

/** What comes over the wire until the connection ends. */
const wired = (what: string, app: App, head: ReadonlyArray<string>, body: string): Row => ({
  what,
  over: ["http"],
  see: (world) => Effect.flatMap(world.serve(app), (listening) => exchange(listening, get("/", "Connection: close"))),
  expected: both({
    wire: ["HTTP/1.1 200 OK", ...head, "Date: today", "Connection: close"].join("\r\n") + body,
    end: "FIN"
  })
})

const chunkBytes = 256 * 1024
const chunks = 96

export const answers: ReadonlyArray<Row> = [
  answered(
    "text",
    Effect.succeed(HttpServerResponse.text("hällo")),
    { "content-type": "text/plain", "content-length": "6" },
    "hällo"
  ),
  answered(
    "HTML",
    Effect.succeed(HttpServerResponse.html("<p>")),
    { "content-type": "text/html", "content-length": "3" },
    "<p>"
  ),
  answered(
    "JSON",
    HttpServerResponse.json({ a: [1, null] }),
    { "content-type": "application/json", "content-length": "14" },
    `{"a":[1,null]}`
  ),
  answered(
    "URL parameters",
    Effect.succeed(HttpServerResponse.urlParams({ a: "1 2", b: "&" })),
    { "content-type": "application/x-www-form-urlencoded", "content-length": "11" },
    "a=1+2&b=%26"
  ),
  answered(
    "bytes",
    Effect.succeed(HttpServerResponse.uint8Array(bytes("bytes"), { contentType: "image/x" })),
    { "content-type": "image/x", "content-length": "5" },
    "bytes"
  ),
  answered("an empty body", Effect.succeed(HttpServerResponse.empty({ status: 200 })), {}, ""),
  answered(
    "a stream",
    Effect.succeed(HttpServerResponse.stream(three)),
    { "content-type": "application/octet-stream" },
    "one two three"
  ),
  answered(
    "a stream of a known length",
    Effect.succeed(HttpServerResponse.stream(three, { contentLength: 13, contentType: "text/x" })),
    { "content-type": "text/x", "content-length": "13" },
    "one two three"
  ),
  answered(
    "a stream of nothing",
    Effect.succeed(HttpServerResponse.stream(Stream.empty)),
    { "content-type": "application/octet-stream" },
    ""
  ),
  answered(
    "a raw string",
    Effect.succeed(HttpServerResponse.raw("raw", { contentType: "text/x", contentLength: 3 })),
    { "content-type": "text/x", "content-length": "3" },
    "raw"
  ),
  answered(
    "a Readable of Node's",
    Effect.sync(() =>
      HttpServerResponse.raw(Readable.from(["a", "b"], { objectMode: false }), { contentType: "text/x" })
    ),
    { "content-type": "text/x" },
    "ab"
  ),
  answered(
    "a web response",
    Effect.sync(() => HttpServerResponse.fromWeb(new Response("web", { headers: { "x-web": "yes" } }))),
    { "content-type": "text/plain;charset=UTF-8", "x-web": "yes" },
    "web"
  ),
  {
    what: "a form",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const form = new FormData()
        form.append("name", "ada")
        form.append("file", new Blob(["content"], { type: "text/x" }), "a.txt")
        const listening = yield* world.serve(Effect.succeed(HttpServerResponse.formData(form)))
        const { body, headers } = yield* ask(listening, "/")
        const contentType = String(headers["content-type"])
        const got = yield* Effect.promise(() =>
          new Response(body, { headers: { "content-type": contentType } }).formData()
        )
        const file = got.get("file") as File
        return [got.get("name"), file.name, file.type, yield* Effect.promise(() => file.text())]
      }),
    expected: both(["ada", "a.txt", "text/x", "content"])
  },
  {
    what: "a file, and a part of it",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const path = join(yield* temporaryDirectory, "a.txt")
        writeFileSync(path, "a file of text")
        utimesSync(path, 1_700_000_000, 1_700_000_000)
        const app = answering(({ url }) =>
          HttpServerResponse.file(path, url === "/part" ? { offset: 2, bytesToRead: 4 } : undefined)
        )
        const listening = yield* world.serve(app)
        return [yield* ask(listening, "/"), yield* ask(listening, "/part")]
      }),
    expected: both([
      {
        status: 200,
        headers: {
          "content-type": "text/plain",
          "content-length": "14",
          etag: `"e-18bcfe56800"`,
          "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT"
        },
        body: "a file of text"
      },
      {
        status: 200,
        headers: {
          "content-type": "text/plain",
          "content-length": "4",
          etag: `"e-18bcfe56800"`,
          "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT"
        },
        body: "file"
      }
    ])
  },
  {
    what: "a file that is not there",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const listening = yield* world.serve(HttpServerResponse.file(join(directory, "nobody")))
        return (yield* ask(listening, "/")).status
      }),
    expected: both(500)
  },
  wired(
    "text on the wire",
    Effect.succeed(HttpServerResponse.text("hello")),
    ["content-type: text/plain", "content-length: 5"],
    "\r\n\r\nhello"
  ),
  wired(
    "a stream on the wire",
    Effect.succeed(HttpServerResponse.stream(three)),
    ["content-type: application/octet-stream"],
    "\r\nTransfer-Encoding: chunked\r\n\r\nd\r\none two three\r\n0\r\n\r\n"
  ),
  wired(
    "a stream of a known length on the wire",
    Effect.succeed(HttpServerResponse.stream(three, { contentLength: 13 })),
    ["content-type: application/octet-stream", "content-length: 13"],
    "\r\n\r\none two three"
  ),
  {
    what: "more than what Node takes at once, as bytes and as a stream",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const big = "x".repeat(3 * 1024 * 1024)
        const app = answering(({ url }) =>
          Effect.succeed(
            url === "/bytes"
              ? HttpServerResponse.uint8Array(bytes(big))
              : HttpServerResponse.stream(Stream.make(bytes(big), bytes("end")))
          )
        )
        const listening = yield* world.serve(app)
        const asBytes = yield* ask(listening, "/bytes")
        const asStream = yield* ask(listening, "/stream")
        return [asBytes.body === big, asBytes.broken, asStream.body === `${big}end`, asStream.broken]
      }),
    expected: both([true, undefined, true, undefined])
  },
  {
    what: "what is not read is not made, and comes when it is read",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        let made = 0
        const chunk = new Uint8Array(chunkBytes)
        const body = Stream.range(1, chunks).pipe(
          Stream.rechunk(1),
          Stream.map(() => {
            made++
            return chunk
          })
        )
        const listening = yield* world.serve(
          Effect.succeed(HttpServerResponse.stream(body, { contentLength: chunks * chunkBytes }))
        )
        const client = yield* raw(listening)
        client.socket.pause()
        yield* sends(client, get("/", "Connection: close"))
        const unread = yield* standstill(() => made)
        client.socket.resume()
        yield* hears(client, chunks * chunkBytes)
        return { began: unread > 0, waited: unread < chunks, made }
      }),
    expected: both({ began: true, waited: true, made: chunks })
  },
  {
    what: "a stream comes as it is made",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(
          Effect.succeed(HttpServerResponse.stream(Stream.concat(Stream.make(bytes("first")), Stream.never)))
        )
        const client = yield* raw(listening)
        yield* sends(client, get("/"))
        yield* hears(client, "first")
        return wire(client).split("\r\n\r\n")[1]
      }),
    expected: both("5\r\nfirst\r\n")
  },
  {
    what: "what was added to the request's scope is released behind the answer",
    over: http1,
    see: (world) =>
      Effect.gen(function* () {
        const steps: Array<string> = []
        const app = HttpServerRequest.HttpServerRequest.use(() =>
          Effect.gen(function* () {
            yield* Effect.addFinalizer(() => Effect.sync(() => void steps.push("released")))
            const body = Stream.make(bytes("x")).pipe(Stream.tap(() => Effect.sync(() => void steps.push("said"))))
            return HttpServerResponse.stream(body)
          })
        )
        const listening = yield* world.serve(app)
        const { body } = yield* ask(listening, "/")
        return { body, steps }
      }),
    expected: both({ body: "x", steps: ["said", "released"] })
  }
]
