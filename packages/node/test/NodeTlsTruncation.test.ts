import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import type { Connection } from "finwait/Connection"
import * as ConnectionModule from "finwait/Connection"
import type { ConnectionError } from "finwait/ConnectionError"
import * as Framing from "finwait/Framing"
import * as Network from "finwait/Network"
import { once } from "node:events"
import * as net from "node:net"
import { duplexPair } from "node:stream"
import * as tls from "node:tls"
import { serve, turn, until } from "./support/network.ts"
import { only, onTls, options, type Peer, tlsClient, tlsListener, type Version, versions } from "./support/tls.ts"
import { type Direction, wire } from "./support/tlsWire.ts"

/** What somebody who reads has heard, and how it ended. */
const raw = (connection: Connection) =>
  Effect.map(Effect.result(ConnectionModule.readText(connection)), (result) =>
    Result.isSuccess(result) ? `${result.success}|end` : `|${endOf(result.failure)}`
  )

const lines = Effect.fnUntraced(function* (connection: Connection) {
  let text = ""
  const reading = Framing.forEach(Framing.lines(connection), (line) => Effect.sync(() => (text += `${line}\n`)))
  const result = yield* Effect.result(reading)
  return `${text}|${Result.isSuccess(result) ? "end" : endOf(result.failure)}`
})

const endOf = ({ reason }: ConnectionError | Framing.FrameError): string => {
  if (reason._tag === "Truncated")
    return `Truncated ${reason.bytes}${reason.isUnannounced === true ? " unannounced" : ""}`
  return reason._tag === "Reset" ? reason.code : reason._tag
}

const readers = { raw, lines }

type Way = keyof typeof readers

/** What the peer does, and the man in the middle: of `first\n`, which is heard whole, and then of `secret\n`. */
const stories = {
  "a goodbye": (peer: Peer) => Effect.sync(() => peer.socket.end("secret\n")),
  "a goodbye in the middle of a message": (peer: Peer) => Effect.sync(() => peer.socket.end("sec")),
  "a cut at a message boundary": (peer: Peer, from: Direction) =>
    Effect.sync(() => {
      from.stripsAlerts = true
      peer.socket.end("secret\n")
    }),
  "a cut in the middle of a message": (peer: Peer, from: Direction) =>
    Effect.sync(() => {
      from.stripsAlerts = true
      peer.socket.end("sec")
    }),
  "a cut in the middle of a record": (peer: Peer, from: Direction) =>
    Effect.sync(() => {
      from.cutsRecordOf = 2_000
      peer.socket.write("sec")
      // A record of its own, because the one before has left with its write.
      peer.socket.write(`${"ret".repeat(1_000)}\n`)
    })
} as const

type Story = keyof typeof stories

/** What is heard, in each of the ways of `Options.truncation`. */
const expected = (truncation: "framed" | "error" | "end", way: Way, story: Story): string => {
  const isWhole = story === "a goodbye" || story === "a cut at a message boundary"
  const isCut = story.startsWith("a cut")
  const bytes = isWhole ? 0 : 3
  const text = way === "raw" ? `first\n${isWhole ? "secret\n" : "sec"}` : `first\n${isWhole ? "secret\n" : ""}`
  // Who reads all at once and fails has nothing.
  if (isCut && truncation === "error") return way === "raw" ? "|ERR_TLS_TRUNCATED" : `${text}|ERR_TLS_TRUNCATED`
  if (way === "raw" || (isWhole && (!isCut || truncation === "end"))) return `${text}|end`
  return `${text}|Truncated ${bytes}${isCut && truncation === "framed" ? " unannounced" : ""}`
}

interface Side {
  readonly peer: Peer
  /** Of what the peer says. */
  readonly direction: Direction
  /** What the one under test has heard, when it has heard the end. */
  readonly heard: Effect.Effect<string>
}

/** Each role under test, with a peer on `node:tls` and somebody in the middle. */
const roles = {
  server: Effect.fnUntraced(function* (version: Version, read: (connection: Connection) => Effect.Effect<string>) {
    const heard: Array<string> = []
    const server = yield* serve("tcp://127.0.0.1:0", {
      handler: (connection) => Effect.map(read(connection), (text) => heard.push(text))
    })
    const { last, url } = yield* wire(server.url)
    return Effect.gen(function* () {
      const peer = yield* tlsClient(url, only(version))
      const before = heard.length
      const { fromClient } = yield* last
      const mine = Effect.map(
        until(() => heard.length > before, "the server hears an end"),
        () => heard[before]!
      )
      return { peer, direction: fromClient, heard: mine } satisfies Side
    })
  }),
  client: Effect.fnUntraced(function* (version: Version, read: (connection: Connection) => Effect.Effect<string>) {
    const listener = yield* tlsListener(only(version))
    const { last, url } = yield* wire(listener.url)
    return Effect.gen(function* () {
      const client = yield* Network.connect(url)
      const peer = yield* listener.next
      let heard: string | undefined
      yield* Effect.forkChild(
        Effect.map(read(client), (text) => (heard = text)),
        { startImmediately: true }
      )
      const mine = Effect.map(
        until(() => heard !== undefined, "the client hears an end"),
        () => heard!
      )
      return { peer, direction: (yield* last).fromServer, heard: mine } satisfies Side
    })
  })
} as const

for (const version of versions) {
  for (const role of ["server", "client"] as const) {
    describe(`a stream that ends, over ${version}, heard by a ${role}`, () => {
      for (const truncation of ["framed", "error", "end"] as const) {
        it.live(`with truncation "${truncation}"`, () =>
          onTls(
            Effect.gen(function* () {
              for (const way of ["raw", "lines"] as const) {
                const next = yield* roles[role](version, readers[way])
                for (const story of Object.keys(stories) as ReadonlyArray<Story>) {
                  const { direction, heard, peer } = yield* next
                  yield* peer.send("first\n")
                  yield* stories[story](peer, direction)
                  assert.strictEqual(yield* heard, expected(truncation, way, story), `${way}, ${story}`)
                }
              }
            }),
            options(version, { truncation })
          )
        )

        it.live(`with truncation "${truncation}", behind a megabyte that nobody has read yet`, () =>
          onTls(
            Effect.gen(function* () {
              const megabyte = `${"x".repeat(1023)}\n`.repeat(1024)
              for (const isCut of [false, true]) {
                const go = yield* Latch.make(false)
                let length = 0
                const next = yield* roles[role](version, (connection) =>
                  Effect.gen(function* () {
                    const framed = Framing.lines(connection)
                    yield* Effect.exit(framed.pull)
                    yield* go.await
                    const reading = Framing.forEach(framed, (line) => Effect.sync(() => (length += line.length + 1)))
                    const result = yield* Effect.result(reading)
                    return Result.isSuccess(result) ? "end" : endOf(result.failure)
                  })
                )
                const { direction, heard, peer } = yield* next
                direction.stripsAlerts = isCut
                yield* peer.send("first\n")
                peer.socket.end(megabyte)
                // Until nothing moves any more: what nobody reads holds back what is behind it, and the end with it.
                let records = -1
                while (records !== direction.records.length) {
                  records = direction.records.length
                  yield* Effect.repeat(turn, { times: 30 })
                }
                yield* go.open
                const end = { framed: "Truncated 0 unannounced", error: "ERR_TLS_TRUNCATED", end: "end" }[truncation]
                assert.strictEqual(yield* heard, isCut ? end : "end")
                assert.strictEqual(length, megabyte.length)
              }
            }),
            options(version, { truncation })
          )
        )
      }

      if (role === "server") {
        it.live('with truncation "error" is answered with a reset, and with "end" by an end', () =>
          Effect.gen(function* () {
            const told: Array<string> = []
            for (const truncation of ["error", "end"] as const) {
              const program = Effect.gen(function* () {
                const server = yield* serve("tcp://127.0.0.1:0", {
                  handler: (connection) => Effect.andThen(connection.write("hello"), connection.pullRest)
                })
                // The wire itself, because who speaks TLS on a socket hears of its end by TLS.
                const raw = net.connect({
                  host: "127.0.0.1",
                  port: Number(new URL(server.url).port),
                  allowHalfOpen: true
                })
                const [near, far] = duplexPair()
                raw.on("data", (bytes) => far.write(bytes))
                far.on("data", (bytes) => raw.write(bytes))
                const peer = tls.connect({ socket: near, rejectUnauthorized: false, ...only(version) })
                peer.on("error", () => {})
                yield* Effect.promise(() => once(peer, "data"))
                const ended = new Promise<string>((resolve) => {
                  raw.on("end", () => resolve("end")).on("error", ({ message }) => resolve(message))
                })
                // FIN, and no close_notify.
                raw.end()
                told.push(yield* Effect.promise(() => ended))
              })
              yield* onTls(program, options(version, { truncation }))
            }
            assert.deepStrictEqual(told, ["read ECONNRESET", "end"])
          })
        )
      }

      it.live("is never taken for what it is not: 100 of each, as it comes and in one piece", () =>
        onTls(
          Effect.gen(function* () {
            const next = yield* roles[role](version, lines)
            const all = [false, true].flatMap((isHeld) => [false, true].map((isCut) => ({ isHeld, isCut })))
            const wrong: Array<string> = []
            for (let i = 0; i < 100; i++) {
              for (const { isCut, isHeld } of all) {
                const { direction, heard, peer } = yield* next
                direction.isHeld = isHeld
                direction.stripsAlerts = isCut
                peer.socket.end("line\n".repeat(1 + (i % 50)))
                const end = (yield* heard).split("|")[1]
                const right = isCut ? "Truncated 0 unannounced" : "end"
                if (end !== right) wrong.push(`${i}: ${end} for ${right}${isHeld ? ", in one piece" : ""}`)
                peer.socket.destroy()
              }
            }
            assert.deepStrictEqual(wrong, [])
          }),
          options(version)
        )
      )

      it.live("is judged when it is read: a reader that stops at every chunk, 30 of each", () =>
        onTls(
          Effect.gen(function* () {
            // A turn between two chunks is a pause and a resume of the stream under it.
            const next = yield* roles[role](version, (connection) =>
              Effect.gen(function* () {
                let length = 0
                const framed = Framing.lines(connection)
                const result = yield* Effect.result(
                  Framing.forEach(framed, (line) => {
                    length += line.length + 1
                    return length % 64 === 0 ? turn : Effect.void
                  })
                )
                return `${length} ${Result.isSuccess(result) ? "end" : endOf(result.failure)}`
              })
            )
            for (let i = 0; i < 30; i++) {
              for (const isCut of [false, true]) {
                const { direction, heard, peer } = yield* next
                direction.isHeld = i % 2 === 0
                direction.stripsAlerts = isCut
                const lineCount = 16 * (1 + i * 40)
                peer.socket.end("123\n".repeat(lineCount))
                const end = isCut ? "Truncated 0 unannounced" : "end"
                assert.strictEqual(yield* heard, `${4 * lineCount} ${end}`, `${i}`)
                peer.socket.destroy()
              }
            }
          }),
          options(version)
        )
      )
    })
  }
}

describe("an Effect Socket", () => {
  for (const [isCut, code] of [
    [false, 1000],
    [true, 1006]
  ] as const) {
    it.live(`ends with close code ${code} when ${isCut ? "somebody has cut it" : "the peer has said goodbye"}`, () =>
      onTls(
        Effect.gen(function* () {
          const listener = yield* tlsListener()
          const { last, url } = yield* wire(listener.url)
          const client = yield* Network.connect(url)
          const peer = yield* listener.next
          const { fromServer } = yield* last
          fromServer.stripsAlerts = isCut
          const { pull } = yield* client.reader
          peer.socket.end("hello")
          yield* pull
          const { reason } = yield* Effect.flip(pull)
          assert.strictEqual(reason._tag === "SocketCloseError" && reason.code, code)
        })
      )
    )
  }
})

describe("a close that waits for the peer's end", () => {
  it.live("takes one that was cut for an end, and says so to nobody who reads no more", () =>
    onTls(
      Effect.gen(function* () {
        const listener = yield* tlsListener()
        const { last, url } = yield* wire(listener.url)
        const client = yield* Network.connect(url)
        yield* listener.next
        const { fromServer } = yield* last
        fromServer.stripsAlerts = true
        assert.strictEqual((yield* client.close)._tag, "Graceful")
      })
    )
  )
})
