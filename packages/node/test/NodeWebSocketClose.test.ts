/** The two goodbyes of a WebSocket: who says what, who waits for whom, and for how long. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type { CloseOutcome } from "finwait/CloseOutcome"
import * as Connection from "finwait/Connection"
import * as Network from "finwait/Network"
import type * as Server from "finwait/Server"
import { openSockets, serve as serveOn, until } from "./support/network.ts"
import { client, closing, frame, handMade, onWebSockets, opcodes } from "./support/webSocket.ts"

const warnings: Array<Error> = []
const onWarning = (warning: Error) => warnings.push(warning)

beforeAll(() => void process.on("warning", onWarning))
afterAll(() => {
  process.off("warning", onWarning)
  assert.deepStrictEqual(warnings, [])
})

const serve = (options: Partial<Server.Options<any, never>> = {}) => serveOn("tcp://127.0.0.1:0", options)

/** A server whose one connection's outcome is known. */
const served = Effect.fnUntraced(function* (options: Partial<Server.Options<any, never>> = {}) {
  const outcome = yield* Deferred.make<CloseOutcome>()
  const { handler = (connection) => connection.each((chunk) => connection.write(chunk)) } = options
  const server = yield* serve({
    ...options,
    handler: (connection) =>
      Effect.andThen(
        Effect.forkDetach(Effect.flatMap(connection.outcome, (o) => Deferred.succeed(outcome, o))),
        handler(connection)
      )
  })
  return { ...server, outcome: Deferred.await(outcome) }
})

describe("a server's goodbye", () => {
  it.live("is 1001 when it drains, behind the answers to what had arrived", () =>
    onWebSockets(
      Effect.gen(function* () {
        const server = yield* served()
        const peer = yield* client(server.url)
        peer.socket.send("last words")
        yield* until(() => peer.socket.bufferedAmount === 0, "they are sent")
        assert.isTrue((yield* server.drain.begin).clean)
        yield* until(() => peer.closed !== undefined, "the close")
        assert.deepStrictEqual(peer.messages.map(String), ["last words"])
        assert.strictEqual(peer.closed, "1001 going away")
        const outcome = yield* server.outcome
        assert.strictEqual(outcome._tag, "Graceful")
        assert.strictEqual(outcome.closedFirst, "local")
      })
    )
  )

  it.live("is 1000 when its handler ends, and the application's own when that says it", () =>
    onWebSockets(
      Effect.gen(function* () {
        const closeEvent = Effect.fnUntraced(function* (connection: Connection.Connection) {
          const { write } = yield* connection.writer
          yield* write(new Socket.CloseEvent(4002, "by an event"))
          return yield* connection.outcome
        }, Effect.scoped)
        const handlers = [
          [(connection: Connection.Connection) => connection.write("all"), "1000"],
          [
            (connection: Connection.Connection) => NodeWebSocket.close(connection, 4001, "as you wish"),
            "4001 as you wish"
          ],
          [closeEvent, "4002 by an event"]
        ] as const
        for (const [handler, expected] of handlers) {
          const peer = yield* client((yield* serve({ handler })).url)
          yield* until(() => peer.closed !== undefined, "the close")
          assert.strictEqual(peer.closed, expected)
        }
      })
    )
  )

  it.live("that cannot be said is said as far as it can be", () =>
    onWebSockets(
      Effect.gen(function* () {
        const goodbyes = [
          [{ code: 1006, reason: "" }, "1000"],
          [{ code: 70_000, reason: "why" }, "1000 why"],
          [{ code: 1005, reason: "why" }, "1005"],
          [{ code: 4000, reason: "é".repeat(100) }, `4000 ${"é".repeat(61)}`]
        ] as const
        for (const [goodbye, expected] of goodbyes) {
          const { url } = yield* serve({ handler: (connection) => Connection.closeWith(connection, goodbye) })
          const peer = yield* client(url)
          yield* until(() => peer.closed !== undefined, "the close")
          assert.strictEqual(peer.closed, expected)
        }
      })
    )
  )

  it.live("is answered, and then its FIN comes, before the client's", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { drain, url } = yield* serve()
        const peer = yield* handMade(url, { answersFin: false })
        const draining = yield* Effect.forkChild(drain.begin)
        assert.strictEqual(yield* peer.hearsGoodbye(), "1001 going away")
        yield* peer.send(frame(opcodes.close, closing(1001, "going away")))
        // It has not sent its own.
        assert.strictEqual(yield* peer.ended(), "FIN")
        assert.isTrue((yield* Fiber.join(draining)).clean)
      })
    )
  )

  it.live("said early, by closeWrite, ends the stream when it is answered, whatever the handler still does", () =>
    onWebSockets(
      Effect.gen(function* () {
        const goesOn = yield* Deferred.make<void>()
        const server = yield* served({
          handler: Effect.fnUntraced(function* (connection) {
            yield* connection.closeWrite
            yield* connection.each(() => Effect.void)
            yield* Deferred.await(goesOn)
          })
        })
        const peer = yield* handMade(server.url, { answersFin: false })
        assert.strictEqual(yield* peer.hearsGoodbye(), "1000")
        yield* peer.send(frame(opcodes.close, closing(1000)))
        assert.strictEqual(yield* peer.ended(), "FIN")
        yield* Deferred.succeed(goesOn, undefined)
        assert.strictEqual((yield* server.outcome)._tag, "Graceful")
      })
    )
  )

  it.live("that is not answered is waited for as the policy says, and no longer", () =>
    onWebSockets(
      Effect.gen(function* () {
        const server = yield* served({ close: { lingerIdleTimeout: "50 millis" } })
        const peer = yield* handMade(server.url)
        const report = yield* server.drain.begin
        assert.strictEqual(peer.goodbye, "1001 going away")
        assert.strictEqual(report.outcomes.LingerExpired, 1)
        const outcome = yield* server.outcome
        assert.strictEqual(outcome._tag === "LingerExpired" && outcome.limit, "lingerIdleTimeout")
        assert.isBelow(outcome.closeMillis, 1000)
        assert.strictEqual(yield* peer.ended(), "FIN")
      })
    )
  )

  it.live("is waited for although the peer goes on sending, and what it sends is thrown away", () =>
    onWebSockets(
      Effect.gen(function* () {
        const server = yield* served({ handler: () => Effect.void })
        const peer = yield* handMade(server.url)
        yield* peer.hearsGoodbye()
        for (let i = 0; i < 100; i++) yield* peer.send(frame(opcodes.bytes, Buffer.alloc(10_000)))
        yield* peer.send(frame(opcodes.close, closing(1000)))
        const outcome = yield* server.outcome
        assert.strictEqual(outcome._tag, "Graceful")
        assert.strictEqual(outcome.bytesDiscarded, 1_000_000)
      })
    )
  )

  it.live("comes behind messages that are still being compressed", () =>
    onWebSockets(
      Effect.gen(function* () {
        const texts = Array.from({ length: 30 }, (_, index) => `${index}`.repeat(50_000))
        const { url } = yield* serve({
          handler: (connection) => Effect.forEach(texts, (text) => connection.write(text), { discard: true })
        })
        const peer = yield* client(url, [], { perMessageDeflate: true })
        yield* until(() => peer.closed !== undefined, "the close")
        assert.deepStrictEqual(peer.messages, texts)
        assert.strictEqual(peer.closed, "1000")
      }),
      { perMessageDeflate: true }
    )
  )

  it.live("reaches each of a thousand that are idle", () =>
    onWebSockets(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { drain, url } = yield* Scope.provide(serve(), scope)
        const clients = yield* Effect.forEach(Array.from({ length: 1000 }), () => client(url), { concurrency: 100 })
        yield* Scope.close(scope, Exit.void)
        const report = yield* drain.report
        yield* until(() => clients.every(({ closed }) => closed !== undefined), "all are closed")
        assert.deepStrictEqual(new Set(clients.map(({ closed }) => closed)), new Set(["1001 going away"]))
        assert.strictEqual(report.outcomes.Graceful, 1000)
        assert.isTrue(report.clean)
      })
    )
  )

  it.live("is cut short by the second signal, which resets", () =>
    onWebSockets(
      Effect.gen(function* () {
        const server = yield* served()
        const peer = yield* handMade(server.url)
        const draining = yield* Effect.forkChild(server.drain.begin)
        yield* peer.hearsGoodbye()
        yield* server.drain.cut
        assert.strictEqual(yield* peer.ended(), "ECONNRESET")
        assert.strictEqual((yield* Fiber.join(draining)).outcomes.Aborted, 1)
        const outcome = yield* server.outcome
        assert.strictEqual(outcome._tag === "Aborted" && outcome.cause, "shutdown")
        assert.strictEqual(outcome.stage, "Lingering")
      })
    )
  )
})

describe("a peer's goodbye", () => {
  it.live("ends the input, and is answered in its own words", () =>
    onWebSockets(
      Effect.gen(function* () {
        const said = [
          [closing(4000, "bye"), "4000 bye"],
          [closing(1000), "1000"],
          [Buffer.alloc(0), "no code"]
        ] as const
        for (const [payload, answer] of said) {
          const server = yield* served()
          const peer = yield* handMade(server.url)
          yield* peer.send(frame(opcodes.close, payload))
          assert.strictEqual(yield* peer.ended(), "FIN")
          assert.strictEqual(peer.goodbye, answer)
          const outcome = yield* server.outcome
          assert.strictEqual(outcome._tag, "Graceful")
          assert.strictEqual(outcome.closedFirst, "peer")
        }
      })
    )
  )

  it.live("right behind its messages waits for the answers to them, whatever time they take", () =>
    onWebSockets(
      Effect.gen(function* () {
        const server = yield* served({
          handler: (connection) => connection.each((chunk) => Effect.andThen(Effect.yieldNow, connection.write(chunk)))
        })
        const peer = yield* handMade(server.url)
        const words = ["one", "two", "three"]
        yield* peer.send(...words.map((word) => frame(opcodes.text, word)), frame(opcodes.close, closing(1000)))
        assert.strictEqual(yield* peer.ended(), "FIN")
        assert.deepStrictEqual(peer.messages, words)
        assert.strictEqual(peer.goodbye, "1000")
      })
    )
  )

  it.live("is what a reader of an Effect socket fails with", () =>
    onWebSockets(
      Effect.gen(function* () {
        const codes: Array<string> = []
        const { url } = yield* serve({
          handler: (connection) =>
            Effect.gen(function* () {
              const { pull } = yield* connection.reader
              codes.push((yield* Effect.flip(pull)).message)
            }).pipe(Effect.scoped)
        })
        for (const payload of [closing(4000, "bye"), Buffer.alloc(0)]) {
          const peer = yield* handMade(url)
          yield* peer.send(frame(opcodes.close, payload))
          yield* peer.ended()
        }
        // No goodbye: the stream has ended, and nothing more is known.
        const cut = yield* handMade(url)
        cut.raw.socket.end(frame(opcodes.text, "half").subarray(0, 8))
        yield* cut.ended()
        yield* until(() => codes.length === 3, "all have ended")
        assert.deepStrictEqual(codes, ["4000: bye", "1005", "1006"])
      })
    )
  )

  it.live("and the FIN that comes with it, without waiting, lose nothing that has arrived", () =>
    onWebSockets(
      Effect.gen(function* () {
        const heard: Array<string> = []
        const server = yield* served({
          handler: (connection) =>
            NodeWebSocket.each(connection, (message) =>
              Effect.andThen(
                Effect.yieldNow,
                Effect.sync(() => heard.push(message as string))
              )
            )
        })
        const peer = yield* handMade(server.url)
        peer.raw.socket.end(
          Buffer.concat([frame(opcodes.text, "one"), frame(opcodes.text, "two"), frame(opcodes.close)])
        )
        assert.strictEqual((yield* server.outcome)._tag, "Graceful")
        assert.deepStrictEqual(heard, ["one", "two"])
      })
    )
  )
})

describe("behind a peer's goodbye", () => {
  it.live("nothing can be written any more, and who tries is told; what was written before still leaves", () =>
    onWebSockets(
      Effect.gen(function* () {
        const message = Buffer.alloc(4 * 1024 * 1024)
        const written: Array<string> = []
        const server = yield* served({
          handler: Effect.fnUntraced(function* (connection) {
            yield* Effect.forkChild(
              Effect.forEach([message, message, message], (bytes) => connection.write(bytes), {
                concurrency: "unbounded"
              })
            )
            yield* connection.each(() => Effect.void)
            written.push((yield* Effect.flip(connection.write("more"))).reason._tag)
          })
        })
        const peer = yield* handMade(server.url)
        peer.raw.socket.pause()
        yield* peer.send(frame(opcodes.close, closing(1000)))
        yield* until(() => written.length > 0, "the write behind the goodbye")
        peer.raw.socket.resume()
        assert.strictEqual(yield* peer.ended(), "FIN")
        assert.deepStrictEqual(written, ["Closed"])
        assert.strictEqual(peer.messages.length, 3)
        const outcome = yield* server.outcome
        assert.strictEqual(outcome._tag, "Graceful")
        assert.strictEqual(outcome.bytesWritten, 3 * message.length)
      })
    )
  )
})

describe("both goodbyes", () => {
  it.live("may be said at once, by two of ours, and nothing stays open", () =>
    onWebSockets(
      Effect.gen(function* () {
        const before = openSockets()
        for (let i = 0; i < 20; i++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const server = yield* served()
              const connection = yield* Network.connect(server.url)
              yield* connection.write("hello")
              assert.strictEqual(new TextDecoder().decode(yield* connection.pull), "hello")
              const [report, outcome] = yield* Effect.all([server.drain.begin, connection.close], { concurrency: 2 })
              assert.isTrue(report.clean)
              assert.strictEqual(outcome._tag, "Graceful")
            })
          )
        }
        yield* until(() => openSockets() === before, "all sockets are closed")
      })
    )
  )

  it.live("are said at the end of a client's scope", () =>
    onWebSockets(
      Effect.gen(function* () {
        const server = yield* served({ handler: (connection) => Connection.readText(connection) })
        const connection = yield* Effect.scoped(Network.connect(server.url))
        assert.strictEqual((yield* connection.outcome)._tag, "Graceful")
        assert.strictEqual((yield* server.outcome)._tag, "Graceful")
      })
    )
  )
})
