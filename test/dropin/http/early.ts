/** Answers that are given before the body of the request has come. */
import { Deferred, Effect, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { both, differ } from "../contract/Row.ts"
import { ends, get, hears, lines, raw, sends, wire } from "./client.ts"
import type { Row } from "./Row.ts"
import { answering, type App } from "./world.ts"

const early: App = Effect.succeed(HttpServerResponse.text("early"))

const kept = ["Connection: keep-alive", "Keep-Alive: timeout=5"]

const answer = (...headers: ReadonlyArray<string>) =>
  lines("HTTP/1.1 200 OK", "content-type: text/plain", "content-length: 5", ...headers, "", "early")

const head = (...headers: ReadonlyArray<string>) => lines("POST / HTTP/1.1", "Host: a", ...headers, "", "")

const kilo = "x".repeat(1024)
const mebibyte = 1024 * 1024

/** Reads a first piece, and answers. */
const tasting: App = answering((request) =>
  Effect.as(Stream.runDrain(Stream.take(request.stream, 1)), HttpServerResponse.text("early"))
)

const usable =
  (app: App): Row["see"] =>
  (world) =>
    Effect.gen(function* () {
      const client = yield* raw(yield* world.serve(app))
      yield* sends(client, head(`Content-Length: 10240`) + kilo)
      yield* hears(client, "early")
      const first = wire(client)
      yield* sends(
        client,
        kilo.repeat(9) + lines("POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Connection: close", "", "x")
      )
      const end = yield* ends(client)
      return { first, second: wire(client).slice(first.length), end }
    })

/** A client that sends all, whatever it hears, and looks then. */
const stubborn =
  (app: App, ...headers: ReadonlyArray<string>): Row["see"] =>
  (world) =>
    Effect.gen(function* () {
      const client = yield* raw(yield* world.serve(app))
      const bytes = 24 * mebibyte
      const sent = yield* Deferred.make<string>()
      client.socket.write(head(...headers, `Content-Length: ${bytes}`))
      client.socket.write(Buffer.alloc(bytes), (error) => {
        Deferred.doneUnsafe(sent, Effect.succeed(error instanceof Error ? "broken off" : "all"))
      })
      yield* hears(client, "early")
      return { wire: wire(client), sent: yield* Deferred.await(sent) }
    })

const told = answer("connection: close", "Date: today")

export const earlyAnswers: ReadonlyArray<Row> = [
  {
    what: "a small rest is thrown away, and the connection can be used",
    over: ["http"],
    see: usable(early),
    expected: both({
      first: answer("Date: today", ...kept),
      second: answer("Date: today", "Connection: close"),
      end: "FIN"
    })
  },
  {
    what: "a small rest of a body that was begun is thrown away, and the connection can be used",
    over: ["http"],
    see: usable(tasting),
    expected: both({
      first: answer("Date: today", ...kept),
      second: answer("Date: today", "Connection: close"),
      end: "FIN"
    })
  },
  {
    what: "before a big rest: the answer says that the connection ends, and comes whole",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* raw(yield* world.serve(early))
        yield* sends(client, head(`Content-Length: ${mebibyte}`) + kilo)
        const end = yield* ends(client)
        return { wire: wire(client), end }
      }),
    expected: both({ wire: told, end: "FIN" })
  },
  {
    what: "a client that sends a big rest to its end has read the answer",
    over: ["http"],
    see: stubborn(early),
    expected: differ(
      "what is sent is read and thrown away until the client has ended, rather than for half a second",
      { wire: told, sent: "broken off" },
      { wire: told, sent: "all" }
    )
  },
  {
    what: "chunks that do not end: the connection does, behind a whole answer",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* raw(yield* world.serve(early))
        yield* sends(client, `${head("Transfer-Encoding: chunked")}400\r\n${kilo}\r\n`)
        yield* hears(client, "early")
        client.socket.write(`400\r\n${kilo}\r\n`.repeat(300))
        const end = yield* ends(client)
        return { wire: wire(client), end }
      }),
    expected: both({ wire: answer("Date: today", ...kept), end: "FIN" })
  },
  {
    what: "chunks that end soon: the connection can be used",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const client = yield* raw(yield* world.serve(early))
        yield* sends(client, `${head("Transfer-Encoding: chunked")}400\r\n${kilo}\r\n`)
        yield* hears(client, "early")
        yield* sends(client, `400\r\n${kilo}\r\n0\r\n\r\n${get("/", "Connection: close")}`)
        const end = yield* ends(client)
        return { wire: wire(client), end }
      }),
    expected: both({ wire: answer("Date: today", ...kept) + answer("Date: today", "Connection: close"), end: "FIN" })
  },
  {
    what: "a client that asked for the end: a big rest",
    over: ["http"],
    see: stubborn(early, "Connection: close"),
    expected: differ(
      "what is sent is read and thrown away until the client has ended, rather than for half a second",
      { wire: told, sent: "broken off" },
      { wire: told, sent: "all" }
    )
  }
]
