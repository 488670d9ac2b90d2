import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type * as Connection from "finwait/Connection"
import * as Network from "finwait/Network"
import * as SocketClient from "finwait/SocketClient"
import { address, now, passing, settled, text } from "./support/network.ts"
import { type World, world } from "./support/sockets.ts"

/** Accepts, and does nothing else unless the test does. */
const peers = Effect.fnUntraced(function* (here: World) {
  const accepted: Array<Connection.Connection> = []
  const listener = yield* here.sim.network.listen(address)
  listener.attach({
    onConnection: (connection) => accepted.push(connection),
    onRefused: () => {},
    onError: () => {}
  })
  return accepted
})

const client = (here: World, options: SocketClient.Options = {}) =>
  Effect.provideService(SocketClient.make(address, options), Network.Network, here.sim.network)

const reasonOf = (exit: Exit.Exit<unknown, Socket.SocketError>) => {
  const error = Effect.runSync(Effect.flip(exit))
  assert.isTrue(Socket.isSocketError(error))
  return error.reason
}

const code = (exit: Exit.Exit<unknown, Socket.SocketError>) => {
  const reason = reasonOf(exit)
  return reason._tag === "SocketCloseError" ? reason.code : reason._tag
}

const text1 = (frames: ReadonlyArray<Uint8Array | string>) => frames.map((frame) => text(frame as Uint8Array)).join("")

describe("a socket client", () => {
  it.effect("dials when its reader is acquired, and not before", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const accepted = yield* peers(here)
      const socket = yield* client(here)
      yield* settled
      assert.strictEqual(accepted.length, 0)
      const { pull } = yield* socket.reader
      yield* settled
      yield* accepted[0]!.write("hello")
      assert.strictEqual(text1(yield* pull), "hello")
      yield* accepted[0]!.abort
    })
  )

  it.effect("gives all that has arrived in one batch", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const accepted = yield* peers(here)
      const { pull } = yield* (yield* client(here)).reader
      yield* settled
      const first = yield* Effect.forkChild(pull)
      for (const word of ["one ", "two ", "three"]) yield* accepted[0]!.write(word)
      yield* settled
      const frames = [...(yield* Fiber.join(first))]
      while (text1(frames) !== "one two three") frames.push(...(yield* pull))
      yield* accepted[0]!.abort
    })
  )

  it.effect("tells why it could not open, and that it took too long", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const refused = reasonOf(yield* Effect.exit(Effect.scoped(Effect.flatMap(client(here), ({ reader }) => reader))))
      assert.strictEqual(refused._tag, "SocketOpenError")
      assert.strictEqual(refused._tag === "SocketOpenError" && refused.kind, "Unknown")
      assert.match(String(refused._tag === "SocketOpenError" && refused.cause), /connect tcp 127.0.0.1:7000: refused/)

      const slow = yield* SocketClient.fromDial(Effect.never, {
        openTimeout: "2 seconds"
      })
      const opening = yield* Effect.forkChild(Effect.exit(Effect.scoped(slow.reader)))
      yield* passing("2 seconds")
      const late = reasonOf(yield* Fiber.join(opening))
      assert.strictEqual(late._tag === "SocketOpenError" && late.kind, "Timeout")
    })
  )

  it.effect("a write waits while nothing is connected, and goes to the next connection", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const accepted = yield* peers(here)
      const socket = yield* client(here)
      const { write, writeAll } = yield* socket.writer
      const early = yield* Effect.forkChild(write("early"))
      yield* settled
      assert.isUndefined(early.pollUnsafe())
      for (const round of [0, 1]) {
        const scope = yield* Scope.make()
        yield* Scope.provide(socket.reader, scope)
        yield* settled
        if (round === 0) yield* Fiber.join(early)
        else yield* writeAll(["late", " and later"])
        assert.strictEqual(text(yield* accepted[round]!.pull), round === 0 ? "early" : "late and later")
        yield* Effect.forkChild(accepted[round]!.close)
        yield* Scope.close(scope, Exit.void)
        if (round === 0) {
          const between = yield* Effect.forkChild(write("between"))
          yield* settled
          assert.isUndefined(between.pollUnsafe())
          yield* Fiber.interrupt(between)
        }
      }
    })
  )

  it.effect(
    "the end of the reader's scope fails a pull that waits, and closes gracefully, within the policy's time",
    () =>
      Effect.gen(function* () {
        const here = yield* world()
        const accepted = yield* peers(here)
        const socket = yield* client(here, { close: { lingerTimeout: "3 seconds", lingerIdleTimeout: "3 seconds" } })
        const { write } = yield* socket.writer
        const scope = yield* Scope.make()
        const { pull } = yield* Scope.provide(socket.reader, scope)
        yield* write("last words")
        const pulling = yield* Effect.forkChild(Effect.exit(pull))
        yield* settled
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* settled
        assert.strictEqual(code(yield* Fiber.join(pulling)), 1006)
        assert.strictEqual(code(yield* Effect.exit(pull)), 1006)
        assert.strictEqual(text(yield* accepted[0]!.pull), "last words")
        // The peer never closes.
        assert.isUndefined(closing.pollUnsafe())
        yield* passing("3 seconds")
        yield* Fiber.join(closing)
        assert.strictEqual(yield* now, 3000)
        yield* accepted[0]!.abort
      })
  )

  it.effect("the end of the peer ends the pull with 1000, its reset with a cause, never with Done", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const accepted = yield* peers(here)
      const socket = yield* client(here)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { pull } = yield* socket.reader
          yield* settled
          yield* Effect.forkChild(accepted[0]!.close)
          assert.strictEqual(code(yield* Effect.exit(pull)), 1000)
        })
      )
      const { pull } = yield* socket.reader
      yield* settled
      yield* accepted[1]!.abort
      assert.strictEqual(code(yield* Effect.exit(pull)), "SocketReadError")
    })
  )

  it.effect("the release of the writer ends the writing, and reading goes on", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const accepted = yield* peers(here)
      const socket = yield* client(here)
      const { pull } = yield* socket.reader
      yield* settled
      yield* Effect.scoped(Effect.flatMap(socket.writer, ({ write }) => write("all")))
      assert.strictEqual(text(yield* accepted[0]!.pull), "all")
      assert.strictEqual((yield* Effect.exit(accepted[0]!.pull))._tag, "Failure")
      yield* accepted[0]!.write("answer")
      assert.strictEqual(text1(yield* pull), "answer")
      yield* Effect.forkChild(accepted[0]!.close)
    })
  )

  it.effect("a close event closes the connection", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const accepted = yield* peers(here)
      const socket = yield* client(here)
      const { pull } = yield* socket.reader
      const { write } = yield* socket.writer
      yield* settled
      yield* write("bye")
      yield* write(new Socket.CloseEvent(4000, "enough"))
      assert.strictEqual(code(yield* Effect.exit(pull)), 1000)
      assert.strictEqual(text(yield* accepted[0]!.pull), "bye")
      yield* accepted[0]!.close
    })
  )
})
