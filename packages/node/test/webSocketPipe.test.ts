/** A pipe as the provider gives it, in moments that no connection comes to. */
import { assert, describe, it } from "@effect/vitest"
import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
import * as Effect from "effect/Effect"
import * as Address from "finwait/Address"
import * as SimNetwork from "finwait/testing/SimNetwork"
import type * as Transport from "finwait/Transport"
import { vi } from "vitest"
import { listenWebSocket } from "../src/internal/webSocketListen.ts"
import { webSocketSettings } from "../src/internal/webSocketSettings.ts"
import { openSockets, turn, until } from "./support/network.ts"
import { client, closing, frame, handMade, opcodes } from "./support/webSocket.ts"

/** A listener, and the pipes that it accepts. */
const listening = Effect.fnUntraced(function* (options: NodeWebSocket.Options = {}) {
  const accepted: Array<Transport.Transport> = []
  const acceptor = yield* NodeWebSocket.provider(options).listen({ _tag: "Tcp", host: "127.0.0.1", port: 0 }, {})
  acceptor.attach({ onAccept: (pipe) => accepted.push(pipe), onAcceptError: () => {}, onOverflow: () => {} })
  return { url: Address.format(acceptor.address), accepted }
})

/** What a pipe tells, from now on. */
const heardOf = (pipe: Transport.Transport): ReadonlyArray<string> => {
  const told: Array<string> = []
  pipe.attach({
    onData: (bytes) => told.push(String(bytes)),
    onEnd: () => told.push("end"),
    onWritable: () => told.push("writable"),
    onFlushed: () => told.push("flushed"),
    onBroken: (code) => told.push(code === "EPIPE" || code === "ECONNRESET" ? "broken" : code),
    onReleased: () => told.push("released")
  })
  return told
}

describe("a pipe of a WebSocket", () => {
  it.live("that breaks before anybody attaches tells so when somebody does", () =>
    Effect.gen(function* () {
      const { accepted, url } = yield* listening()
      const peer = yield* handMade(url)
      const pipe = accepted[0]!
      const before = openSockets()!
      peer.raw.socket.resetAndDestroy()
      yield* until(() => {
        pipe.write(new Uint8Array(1))
        return openSockets()! <= before - 2
      }, "both sides are gone")
      const told = heardOf(pipe)
      assert.deepStrictEqual(told, [])
      yield* until(() => told.includes("released"), "the break")
      assert.deepStrictEqual(told, ["broken", "released"])
    }).pipe(Effect.scoped)
  )

  it.live("hands over what is held when it breaks, paused or not, and each message once", () =>
    Effect.gen(function* () {
      const { accepted, url } = yield* listening({ maxPayload: 100 })
      const peer = yield* handMade(url)
      const pipe = accepted[0]!
      const told: Array<string> = []
      pipe.attach({
        onData: (bytes) => {
          told.push(String(bytes))
          pipe.pause()
        },
        onEnd: () => told.push("end"),
        onWritable: () => {},
        onFlushed: () => told.push("flushed"),
        onBroken: (code) => told.push(code),
        onReleased: () => told.push("released")
      })
      pipe.resume()
      const words = ["one", "two", "three"].map((word) => frame(opcodes.text, word))
      yield* peer.send(...words)
      yield* until(() => told.length === 1, "the first")
      pipe.resume()
      yield* until(() => told.length === 2, "the second")
      pipe.resume()
      yield* until(() => told.length === 3, "the third")
      yield* peer.send(...words, frame(opcodes.bytes, Buffer.alloc(101)))
      pipe.resume()
      yield* until(() => told.length === 7, "all that came before the break, and it")
      assert.deepStrictEqual(told, ["one", "two", "three", "one", "two", "three", "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"])
      // It says its goodbye for itself: nothing is flushed that was not asked for in time.
      pipe.closeWrite()
      assert.strictEqual(yield* peer.ended(), "FIN")
      yield* until(() => told.length === 8, "the release")
      assert.strictEqual(told[7], "released")
    }).pipe(Effect.scoped)
  )

  it.live("hands over the rest of what is held, and nothing twice", () =>
    Effect.gen(function* () {
      const { accepted, url } = yield* listening()
      const peer = yield* handMade(url)
      const pipe = accepted[0]!
      const told: Array<string> = []
      pipe.attach({
        onData: (bytes) => {
          told.push(String(bytes))
          pipe.pause()
        },
        onEnd: () => told.push("end"),
        onWritable: () => {},
        onFlushed: () => {},
        onBroken: () => told.push("broken"),
        onReleased: () => told.push("released")
      })
      pipe.resume()
      yield* peer.send(...["one", "two", "three"].map((word) => frame(opcodes.text, word)))
      yield* until(() => told.length === 1, "the first")
      pipe.resume()
      yield* until(() => told.length === 2, "the second")
      peer.raw.socket.resetAndDestroy()
      yield* until(() => {
        if (!told.includes("broken")) pipe.write(new Uint8Array(1))
        return told.includes("released")
      }, "the break")
      assert.deepStrictEqual(told, ["one", "two", "three", "broken", "released"])
    }).pipe(Effect.scoped)
  )

  it.live("calls back who waits for messages to be unpacked that never will be", () =>
    Effect.gen(function* () {
      const { accepted, url } = yield* listening({ perMessageDeflate: true })
      const bomb = yield* client(url, [], { perMessageDeflate: true })
      const pipe = accepted[0]!
      const told = heardOf(pipe)
      bomb.socket.send(Buffer.alloc(40_000_000))
      yield* until(() => bomb.socket.bufferedAmount === 0, "it is sent")
      pipe.resume()
      let calls = 0
      pipe.catchUp(() => calls++)
      yield* until(() => told.length > 0, "the break")
      yield* until(() => calls > 0, "the call")
      assert.deepStrictEqual(told, ["WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"])
      assert.strictEqual(calls, 1)
    }).pipe(Effect.scoped)
  )

  it.live("whose stream the peer has ended is released when its own side has, and not before", () =>
    Effect.gen(function* () {
      const { accepted, url } = yield* listening()
      for (const [goodbye, answer] of [
        [frame(opcodes.close, closing(4000, "bye")), "4000 bye"],
        [Buffer.alloc(0), undefined]
      ] as const) {
        const peer = yield* handMade(url)
        const pipe = accepted.pop()!
        const told = heardOf(pipe)
        pipe.resume()
        peer.raw.socket.end(goodbye)
        assert.strictEqual(yield* peer.ended(), "FIN")
        for (let i = 0; i < 100; i++) yield* turn
        assert.deepStrictEqual(told, ["end"])
        assert.strictEqual(peer.goodbye, answer)
        pipe.closeWrite()
        yield* until(() => told.length === 3, "the release")
        assert.deepStrictEqual(told, ["end", "flushed", "released"])
      }
    }).pipe(Effect.scoped)
  )

  it.live("that has said and heard goodbye is not broken by what comes then", () =>
    Effect.gen(function* () {
      const { accepted, url } = yield* listening()
      const peer = yield* handMade(url)
      const pipe = accepted[0]!
      const told = heardOf(pipe)
      pipe.resume()
      pipe.closeWrite()
      assert.strictEqual(yield* peer.hearsGoodbye(), "1000")
      peer.raw.socket.write(frame(opcodes.close, closing(1000)))
      peer.raw.socket.resetAndDestroy()
      yield* until(() => told.includes("released"), "the release")
      assert.deepStrictEqual(told, ["flushed", "end", "released"])
    }).pipe(Effect.scoped)
  )

  it.live("that is paused once both have said goodbye is released with the stream", () =>
    Effect.gen(function* () {
      const { accepted, url } = yield* listening()
      const peer = yield* handMade(url, { answersFin: false })
      const pipe = accepted[0]!
      const told = heardOf(pipe)
      pipe.resume()
      yield* peer.send(frame(opcodes.close, closing(1000)))
      yield* until(() => told.length === 1, "the goodbye")
      pipe.pause()
      pipe.closeWrite()
      assert.strictEqual(yield* peer.ended(), "FIN")
      // Behind a goodbye there is nothing to be heard, but the end of it.
      peer.raw.socket.end(Buffer.alloc(1_000_000))
      yield* until(() => told.length === 3, "the release")
      assert.deepStrictEqual(told, ["end", "flushed", "released"])
    }).pipe(Effect.scoped)
  )

  it.live("is reset in the very turn in which both goodbyes are said, and leaks nothing", () =>
    Effect.gen(function* () {
      const { accepted, url } = yield* listening()
      const before = openSockets()
      for (let i = 0; i < 10; i++) {
        const told: Array<string> = []
        yield* Effect.scoped(
          Effect.gen(function* () {
            const peer = yield* handMade(url)
            const pipe = accepted.pop()!
            pipe.attach({
              onData: () => {},
              // `ws` has just ended the stream.
              onEnd: () => pipe.reset(),
              onWritable: () => {},
              onFlushed: () => {},
              onBroken: (code) => told.push(code),
              onReleased: () => told.push("released")
            })
            pipe.resume()
            pipe.closeWrite()
            yield* peer.hearsGoodbye()
            yield* peer.send(frame(opcodes.close, closing(1000)))
            yield* until(() => told.length > 0, "the release")
            assert.deepStrictEqual(told, ["released"])
          })
        )
      }
      yield* until(() => openSockets() === before, "all sockets are closed")
    }).pipe(Effect.scoped)
  )

  it.live("over another transport than a socket breaks with that one's code", () =>
    Effect.gen(function* () {
      const { provider } = yield* SimNetwork.make()
      const webSockets = NodeWebSocket.provider({}, provider)
      const accepted: Array<Transport.Transport> = []
      const acceptor = yield* webSockets.listen(Address.tcp("127.0.0.1", 7000), {})
      acceptor.attach({ onAccept: (pipe) => accepted.push(pipe), onAcceptError: () => {}, onOverflow: () => {} })
      const dialled = yield* webSockets.connect(acceptor.address, () => {})
      yield* until(() => accepted.length > 0, "it is accepted")
      const codes: Array<string> = []
      const ignore = () => {}
      const receiver = { onData: ignore, onEnd: ignore, onWritable: ignore, onFlushed: ignore, onReleased: ignore }
      accepted[0]!.attach({ ...receiver, onBroken: (code) => codes.push(code) })
      accepted[0]!.resume()
      dialled.reset()
      yield* until(() => codes.length > 0, "the break")
      assert.deepStrictEqual(codes, ["ECONNRESET"])
    }).pipe(Effect.scoped)
  )

  it.live("is no longer looked at once it is closed", () =>
    Effect.gen(function* () {
      const settings = webSocketSettings({ liveness: { pingInterval: "1 hour", pongTimeout: "1 hour" } })
      const left = vi.spyOn(settings.liveness!, "leave")
      const acceptor = yield* listenWebSocket({ port: 0, host: "127.0.0.1" }, settings)
      acceptor.attach({ onAccept: () => {}, onAcceptError: () => {}, onOverflow: () => {} })
      const peer = yield* handMade(Address.format(acceptor.address))
      assert.strictEqual(left.mock.calls.length, 0)
      peer.raw.socket.resetAndDestroy()
      yield* until(() => left.mock.calls.length === 1, "it is let go")
    }).pipe(Effect.scoped)
  )
})
