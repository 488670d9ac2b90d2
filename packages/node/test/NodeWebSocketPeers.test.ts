/** Peers without manners: that break the protocol, vanish, say nothing, read nothing. */
import { assert, describe, it } from "@effect/vitest"
import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { CloseOutcome } from "finwait/CloseOutcome"
import type * as Connection from "finwait/Connection"
import type * as Server from "finwait/Server"
import { randomBytes } from "node:crypto"
import { openSockets, serve as serveOn, turn, until } from "./support/network.ts"
import { client, closing, frame, type HandMade, handMade, onWebSockets, opcodes } from "./support/webSocket.ts"

/** A server whose one connection is known, with what its handler has come to and what became of it. */
const served = Effect.fnUntraced(function* (options: Partial<Server.Options<any, never>> = {}) {
  const connection = yield* Deferred.make<Connection.Connection>()
  const ended = yield* Deferred.make<Exit.Exit<unknown, unknown>>()
  const outcome = yield* Deferred.make<CloseOutcome>()
  const { handler = (connection) => connection.each((chunk) => connection.write(chunk)) } = options
  const server = yield* serveOn("tcp://127.0.0.1:0", {
    ...options,
    handler: Effect.fnUntraced(function* (accepted) {
      yield* Deferred.succeed(connection, accepted)
      yield* Effect.forkDetach(Effect.flatMap(accepted.outcome, (came) => Deferred.succeed(outcome, came)))
      yield* Deferred.succeed(ended, yield* Effect.exit(handler(accepted)))
    })
  })
  const [accepted, exit, came] = [Deferred.await(connection), Deferred.await(ended), Deferred.await(outcome)]
  return { ...server, connection: accepted, ended: exit, outcome: came }
})

const codeOf = (outcome: CloseOutcome): string => (outcome._tag === "ResetByPeer" ? outcome.code : outcome._tag)

describe("a peer that breaks the protocol", () => {
  const notMasked = frame(opcodes.text, "hello", false)
  const notUtf8 = frame(opcodes.text, Buffer.of(0xc3, 0x28))
  const unknown = frame(3, "?")
  const tooLong = frame(opcodes.bytes, Buffer.alloc(1001))

  for (const [what, sent, said, code] of [
    ["by a message that is too long", tooLong, "1009", "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"],
    ["by text that is not UTF-8", notUtf8, "1007", "WS_ERR_INVALID_UTF8"],
    ["by a frame that is not masked", notMasked, "1002", "WS_ERR_EXPECTED_MASK"],
    ["by a frame of no kind", unknown, "1002", "WS_ERR_INVALID_OPCODE"],
    ["by a code that nobody may say", frame(opcodes.close, closing(1005)), "1002", "WS_ERR_INVALID_CLOSE_CODE"]
  ] as const) {
    it.live(`${what} is told ${said}, and what came before is heard`, () =>
      onWebSockets(
        Effect.gen(function* () {
          const server = yield* served()
          const peer = yield* handMade(server.url)
          yield* peer.send(frame(opcodes.text, "before"), sent, frame(opcodes.text, "after"))
          assert.strictEqual(yield* peer.hearsGoodbye(), said)
          assert.deepStrictEqual(peer.messages, ["before"])
          assert.strictEqual(codeOf(yield* server.outcome), code)
          assert.strictEqual(yield* peer.ended(), "FIN")
        }),
        { maxPayload: 1000 }
      )
    )
  }

  it.live("and goes on sending is told so all the same, and heard for a moment only", () =>
    onWebSockets(
      Effect.gen(function* () {
        const before = openSockets()
        const server = yield* served()
        const peer = yield* handMade(server.url, { answersFin: false })
        // The head of the frame says it all; the rest of a large upload is on its way.
        const upload = frame(opcodes.bytes, Buffer.alloc(8 * 1024 * 1024))
        peer.raw.socket.write(upload)
        assert.strictEqual(yield* peer.hearsGoodbye(), "1009")
        assert.strictEqual(codeOf(yield* server.outcome), "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH")
        yield* until(() => peer.raw.socket.writableLength === 0, "the upload is taken")
        // It never ends its side. That is waited for, but not for long.
        yield* until(
          () => openSockets() === before! + 2,
          "the server's side is closed: a client and a listener are left"
        )
      }),
      { maxPayload: 1000 }
    )
  )

  it.live("by a flood of pings whose answers it does not read is cut off", () =>
    onWebSockets(
      Effect.gen(function* () {
        const server = yield* served()
        const peer = yield* handMade(server.url)
        peer.raw.socket.pause()
        const pings = Buffer.concat(Array.from({ length: 10_000 }, () => frame(opcodes.ping, Buffer.alloc(125))))
        let isOver = false
        yield* Effect.forkChild(Effect.tap(server.outcome, () => Effect.sync(() => (isOver = true))))
        yield* until(() => {
          if (peer.raw.socket.writableLength === 0) peer.raw.socket.write(pings)
          return isOver
        }, "it is cut off")
        assert.strictEqual(codeOf(yield* server.outcome), "ECONNABORTED")
      })
    )
  )
})

describe("a peer that vanishes", () => {
  it.live("by a reset when both have said goodbye has ended well", () =>
    onWebSockets(
      Effect.gen(function* () {
        const gone = yield* Deferred.make<void>()
        const server = yield* served({
          handler: Effect.fnUntraced(function* (connection) {
            yield* connection.closeWrite
            yield* connection.each(() => Effect.void)
            yield* Deferred.await(gone)
          })
        })
        const peer = yield* handMade(server.url)
        assert.strictEqual(yield* peer.hearsGoodbye(), "1000")
        const before = openSockets()!
        peer.raw.socket.write(frame(opcodes.close, closing(1000)), () => peer.raw.socket.resetAndDestroy())
        yield* until(() => openSockets()! <= before - 2, "both sides are gone")
        yield* Deferred.succeed(gone, undefined)
        assert.strictEqual(codeOf(yield* server.outcome), "Graceful")
      })
    )
  )

  const half = frame(opcodes.text, "hello, world").subarray(0, 10)

  it.live("by FIN without a goodbye, in the middle of a message, ends the input, and what was whole is heard", () =>
    onWebSockets(
      Effect.gen(function* () {
        const server = yield* served()
        const peer = yield* handMade(server.url)
        peer.raw.socket.end(Buffer.concat([frame(opcodes.text, "whole"), half]))
        assert.strictEqual(yield* peer.ended(), "FIN")
        assert.deepStrictEqual(peer.messages, ["whole"])
        assert.isUndefined(peer.goodbye)
        assert.strictEqual((yield* server.outcome)._tag, "Graceful")
      })
    )
  )

  it.live("by FIN hears what was written before, when it reads on", () =>
    onWebSockets(
      Effect.gen(function* () {
        const message = Buffer.alloc(16 * 1024 * 1024, "x")
        const written = Effect.fnUntraced(function* (connection: Connection.Connection) {
          yield* connection.write(message)
          yield* connection.each(() => Effect.void)
        })
        // One that waits for room and then hears the end, and one that hears it while that waits.
        const waits = (connection: Connection.Connection) =>
          Effect.andThen(
            Effect.forkChild(connection.write(message)),
            connection.each(() => Effect.void)
          )
        for (const handler of [written, waits]) {
          const server = yield* served({ handler })
          const peer = yield* handMade(server.url)
          peer.raw.socket.pause()
          peer.raw.socket.end()
          yield* server.connection
          for (let i = 0; i < 100; i++) yield* turn
          peer.raw.socket.resume()
          assert.strictEqual(yield* peer.ended(), "FIN")
          assert.strictEqual(peer.messages.length, 1)
          assert.strictEqual(peer.messages[0]!.length, message.length)
          const outcome = yield* server.outcome
          assert.strictEqual(outcome._tag, "Graceful")
          assert.strictEqual(outcome.bytesWritten, message.length)
        }
      })
    )
  )

  it.live("by FIN cannot be written to any more, and who does so is told", () =>
    onWebSockets(
      Effect.gen(function* () {
        const server = yield* served({
          handler: Effect.fnUntraced(function* (connection) {
            yield* Effect.exit(connection.each(() => Effect.void))
            while (true) {
              yield* connection.write("are you there?")
              yield* Effect.yieldNow
            }
          })
        })
        const peer = yield* handMade(server.url)
        peer.raw.socket.end()
        assert.isTrue(Exit.isFailure(yield* server.ended))
        yield* server.outcome
      })
    )
  )

  it.live("by a reset breaks the connection, behind what had arrived", () =>
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
        yield* peer.send(frame(opcodes.text, "one"), frame(opcodes.text, "two"), half)
        yield* until(() => heard.length === 2, "both are heard")
        peer.raw.socket.resetAndDestroy()
        assert.strictEqual(codeOf(yield* server.outcome), "ECONNRESET")
      })
    )
  )
})

describe("a peer that reads nothing", () => {
  it.live("holds the writer back, whose memory does not grow, and is reset at the deadline", () =>
    onWebSockets(
      Effect.gen(function* () {
        let written = 0
        const message = randomBytes(100_000)
        const server = yield* served({
          close: { deadline: "100 millis" },
          handler: Effect.fnUntraced(function* (connection) {
            while (true) {
              yield* connection.write(message)
              written += message.length
            }
          })
        })
        const peer = yield* handMade(server.url)
        peer.raw.socket.pause()
        const connection = yield* server.connection
        const { bufferedAmount } = Option.getOrThrow(NodeWebSocket.socket(connection))
        // Until the system takes no more: nothing has been written for a while.
        let before = -1
        yield* until(() => {
          const stands = written === before && written > 0
          before = written
          return stands
        }, "the writer is held back")
        assert.isBelow(bufferedAmount, 1024 * 1024)
        const outcome = yield* connection.close
        assert.strictEqual(outcome._tag === "Aborted" && outcome.cause, "deadline")
        assert.isAbove(outcome.bytesUnsent, 0)
        // Before Node 26 a client that had stopped reading takes a reset for an end.
        assert.include(["ECONNRESET", "FIN"], yield* ended(peer))
        assert.isUndefined(peer.goodbye)
      })
    )
  )

  const ended = (peer: HandMade) =>
    Effect.suspend(() => {
      peer.raw.socket.resume()
      return peer.ended()
    })
})

describe("a peer that is silent", () => {
  const liveness = { pingInterval: "20 millis", pongTimeout: "100 millis" } as const

  it.live("is asked, and broken when it does not answer", () =>
    onWebSockets(
      Effect.gen(function* () {
        const server = yield* served()
        const peer = yield* handMade(server.url)
        assert.strictEqual(codeOf(yield* server.outcome), "ETIMEDOUT")
        assert.strictEqual(peer.pings, 1)
        assert.strictEqual(yield* peer.ended(), "ECONNRESET")
      }),
      { liveness }
    )
  )

  it.live("and answers, lives, and is asked again", () =>
    onWebSockets(
      Effect.gen(function* () {
        const server = yield* served()
        const peer = yield* client(server.url)
        let pings = 0
        peer.socket.on("ping", () => pings++)
        yield* until(() => pings === 5, "five pings")
        assert.strictEqual((yield* server.connection).stage, "Open")
      }),
      { liveness }
    )
  )

  it.live("and sends something else in place of an answer, lives as well", () =>
    onWebSockets(
      Effect.gen(function* () {
        const server = yield* served()
        const peer = yield* handMade(server.url)
        for (let pings = 1; pings < 5; pings++) {
          yield* peer.until(() => peer.pings >= pings, `${pings} pings`)
          yield* peer.send(frame(opcodes.text, "here"))
        }
        assert.strictEqual((yield* server.connection).stage, "Open")
      }),
      { liveness }
    )
  )

  it.live("is not asked while it is not listened to, nor while it speaks", () =>
    onWebSockets(
      Effect.gen(function* () {
        // Nobody reads here: the handler waits for something else.
        const deaf = yield* served({ handler: () => Effect.sleep("200 millis") })
        const held = yield* handMade(deaf.url)
        const server = yield* served()
        const talker = yield* handMade(server.url)
        while (held.goodbye === undefined) {
          yield* talker.send(frame(opcodes.text, "still here"))
          yield* Effect.yieldNow
        }
        assert.strictEqual(held.goodbye, "1000")
        assert.strictEqual(held.pings, 0)
        assert.strictEqual(talker.pings, 0)
      }),
      { liveness: { pingInterval: "50 millis", pongTimeout: "50 millis" } }
    )
  )
})

it.live("a raw socket that is closed behind the connection's back ends it", () =>
  onWebSockets(
    Effect.gen(function* () {
      for (const [act, expected] of [
        ["terminate", "ECONNABORTED"],
        ["close", "Graceful"]
      ] as const) {
        const server = yield* served()
        const peer = yield* client(server.url)
        Option.getOrThrow(NodeWebSocket.socket(yield* server.connection))[act]()
        assert.strictEqual(codeOf(yield* server.outcome), expected)
        yield* until(() => peer.closed !== undefined, "the peer's close")
        assert.strictEqual(peer.closed, act === "close" ? "1005" : "1006")
      }
    })
  )
)
