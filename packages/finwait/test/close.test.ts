import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type { CloseOutcome } from "finwait/CloseOutcome"
import type * as ClosePolicy from "finwait/ClosePolicy"
import * as Connection from "finwait/Connection"
import type { ConnectionError } from "finwait/ConnectionError"
import { connected, FakeTransport } from "./support/FakeTransport.ts"
import { bytes, ending, now, pair, type Pair, passing, politely, settled } from "./support/network.ts"

/** Fails the test unless the outcome has this tag; then gives it with its own fields. */
const expectTag = <Tag extends CloseOutcome["_tag"]>(
  outcome: CloseOutcome,
  tag: Tag
): Extract<CloseOutcome, { readonly _tag: Tag }> => {
  assert.strictEqual(outcome._tag, tag, JSON.stringify(outcome))
  return outcome as Extract<CloseOutcome, { readonly _tag: Tag }>
}

const closing = (connection: Connection.Connection) => Effect.forkChild(connection.close, { startImmediately: true })

/** Asserts that the close is still going on a millisecond before this time, and over at it. */
const endsAt = Effect.fnUntraced(function* (fiber: Fiber.Fiber<CloseOutcome>, millis: number) {
  const begun = yield* now
  yield* passing(millis - 1)
  assert.isUndefined(fiber.pollUnsafe(), "a millisecond before")
  yield* passing(1)
  const exit = fiber.pollUnsafe()
  assert.isDefined(exit, "at the time")
  assert.strictEqual((yield* now) - begun, millis)
  return yield* exit
})

const unlimited: ClosePolicy.Options = {
  lingerTimeout: "1 hour",
  lingerIdleTimeout: "1 hour",
  deadline: "2 hours"
}

describe("a graceful close", () => {
  it.effect("both sides say their last word, and nothing is left open", () =>
    Effect.gen(function* () {
      const { here, peer, sim } = yield* pair({ close: { farewell: Connection.sendLine("BYE") } })
      const reading = yield* Effect.forkChild(politely(peer))
      yield* here.write("hello\n")
      const outcome = expectTag(yield* here.close, "Graceful")
      assert.strictEqual(yield* Fiber.join(reading), "hello\nBYE\n")
      const { _tag, ...account } = outcome
      assert.deepStrictEqual(account, {
        stage: "Lingering",
        closedFirst: "local",
        farewell: "flushed",
        bytesRead: 0,
        bytesWritten: 10,
        bytesDiscarded: 0,
        bytesUnsent: 0,
        closeMillis: 0
      })
      assert.strictEqual(here.stage, "Closed")
      assert.strictEqual(yield* sim.socketsOpen, 0)
    })
  )

  it.effect("it says nothing when the policy has no farewell", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const reading = yield* Effect.forkChild(politely(peer))
      assert.strictEqual((yield* here.close).farewell, "none")
      assert.strictEqual(yield* Fiber.join(reading), "")
    })
  )

  it.effect("the peer that said goodbye first closed first", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const peerClosing = yield* closing(peer)
      assert.strictEqual(yield* Connection.readText(here), "")
      assert.strictEqual(expectTag(yield* here.close, "Graceful").closedFirst, "peer")
      assert.strictEqual(expectTag(yield* Fiber.join(peerClosing), "Graceful").closedFirst, "local")
    })
  )

  it.effect("who half-closed first closed first, whoever calls close first", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* here.closeWrite
      yield* settled
      const peerClosing = yield* closing(peer)
      yield* settled
      assert.strictEqual((yield* here.close).closedFirst, "local")
      yield* Fiber.join(peerClosing)
    })
  )

  it.effect("it counts what was read, written and thrown away", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* peer.write("12345")
      assert.strictEqual((yield* here.pull).length, 5)
      yield* peer.write("1234567")
      yield* settled
      yield* here.write("123")
      const reading = yield* Effect.forkChild(politely(peer))
      const outcome = yield* here.close
      assert.strictEqual(outcome.bytesRead, 12)
      assert.strictEqual(outcome.bytesDiscarded, 7)
      assert.strictEqual(outcome.bytesWritten, 3)
      assert.strictEqual(outcome.bytesUnsent, 0)
      assert.strictEqual(yield* Fiber.join(reading), "123")
      const theirs = yield* peer.outcome
      assert.strictEqual(theirs.bytesRead, 3)
      assert.strictEqual(theirs.bytesWritten, 12)
    })
  )

  it.effect("it takes the latency of the network, and says so", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const fiber = yield* closing(here)
      yield* passing(1234)
      const reading = yield* Effect.forkChild(politely(peer))
      assert.strictEqual((yield* Fiber.join(fiber)).closeMillis, 1234)
      yield* Fiber.join(reading)
    })
  )

  it.effect("nothing is lost while the peer is still sending and input is unread", () =>
    Effect.gen(function* () {
      const { here, peer, sim } = yield* pair()
      // The peer's upload fills every buffer on the way; nobody here has read a byte of it when the answer is given.
      const upload = yield* Effect.forkChild(peer.write(bytes(1_000_000)))
      yield* settled
      assert.isUndefined(upload.pollUnsafe())
      yield* here.write("413 too large\n")
      const fiber = yield* closing(here)
      yield* Fiber.join(upload)
      assert.strictEqual(yield* politely(peer), "413 too large\n")
      const outcome = expectTag(yield* Fiber.join(fiber), "Graceful")
      assert.strictEqual(outcome.bytesDiscarded, 1_000_000)
      assert.strictEqual(yield* sim.socketsOpen, 0)
    })
  )

  it.effect("the end of the connection's scope is the same close", () =>
    Effect.gen(function* () {
      const { here, peer, sim } = yield* pair()
      const reading = yield* Effect.forkChild(politely(peer))
      const inner = yield* Effect.scoped(
        Effect.gen(function* () {
          const listener = yield* sim.network.listen("tcp://127.0.0.1:7001", {})
          listener.attach({
            onConnection: (connection) => void Effect.runFork(politely(connection)),
            onRefused: () => {},
            onError: () => {}
          })
          return yield* sim.network.connect("tcp://127.0.0.1:7001", { close: { farewell: Connection.sendLine("BYE") } })
        })
      )
      assert.strictEqual(inner.stage, "Closed")
      assert.strictEqual(expectTag(yield* inner.outcome, "Graceful").farewell, "flushed")
      yield* here.close
      yield* Fiber.join(reading)
    })
  )
})

describe("the limits of a close", () => {
  it.effect("a farewell gets farewellTimeout, not a millisecond more", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair({
        close: { ...unlimited, farewell: () => Effect.never, farewellTimeout: 700 }
      })
      yield* Effect.forkChild(politely(peer))
      const fiber = yield* closing(here)
      yield* passing(699)
      assert.strictEqual(here.stage, "Farewell")
      assert.isUndefined(fiber.pollUnsafe())
      yield* passing(1)
      const outcome = expectTag(yield* fiber.pollUnsafe()!, "Graceful")
      assert.strictEqual(outcome.farewell, "failed")
      assert.strictEqual(outcome.closeMillis, 700)
    })
  )

  it.effect("a peer that goes on for ever is left at lingerTimeout", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair({
        close: { ...unlimited, lingerTimeout: 10_000, lingerIdleTimeout: 3000 }
      })
      const fiber = yield* closing(here)
      yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sleep(1000), peer.write("x"))))
      const outcome = expectTag(yield* endsAt(fiber, 10_000), "LingerExpired")
      assert.strictEqual(outcome.limit, "lingerTimeout")
      assert.strictEqual(outcome.stage, "Lingering")
      assert.strictEqual(outcome.closeMillis, 10_000)
      assert.isAtLeast(outcome.bytesDiscarded, 9)
    })
  )

  it.effect("a silent peer is left at lingerIdleTimeout", () =>
    Effect.gen(function* () {
      const { here } = yield* pair({ close: { ...unlimited, lingerIdleTimeout: 5000 } })
      const outcome = expectTag(yield* endsAt(yield* closing(here), 5000), "LingerExpired")
      assert.strictEqual(outcome.limit, "lingerIdleTimeout")
      assert.strictEqual(outcome.bytesDiscarded, 0)
    })
  )

  it.effect("every byte of progress starts lingerIdleTimeout anew", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair({ close: { ...unlimited, lingerIdleTimeout: 5000 } })
      const fiber = yield* closing(here)
      yield* passing(4999)
      yield* peer.write("x")
      yield* settled
      const outcome = expectTag(yield* endsAt(fiber, 5000), "LingerExpired")
      assert.strictEqual(outcome.limit, "lingerIdleTimeout")
      assert.strictEqual(outcome.closeMillis, 9999)
    })
  )

  it.effect("the defaults are 5 seconds of silence, 30 seconds in all", () =>
    Effect.gen(function* () {
      const silent = yield* pair()
      assert.strictEqual(
        expectTag(yield* endsAt(yield* closing(silent.here), 5000), "LingerExpired").limit,
        "lingerIdleTimeout"
      )
      const chatty = yield* pair()
      yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sleep(4000), chatty.peer.write("x"))))
      assert.strictEqual(
        expectTag(yield* endsAt(yield* closing(chatty.here), 30_000), "LingerExpired").limit,
        "lingerTimeout"
      )
    })
  )

  it.effect("as many bytes as lingerBytesMax are thrown away, and not one more", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair({ close: { ...unlimited, lingerBytesMax: 1000 } })
      const fiber = yield* closing(here)
      yield* peer.write(bytes(1000))
      yield* passing(60_000)
      assert.isUndefined(fiber.pollUnsafe(), "at the limit")
      yield* peer.write("x")
      yield* settled
      const outcome = expectTag(yield* fiber.pollUnsafe()!, "LingerExpired")
      assert.strictEqual(outcome.limit, "lingerBytesMax")
      assert.strictEqual(outcome.bytesDiscarded, 1001)
      assert.strictEqual(outcome.closeMillis, 60_000)
    })
  )

  for (const [length, exceeds] of [
    [10, false],
    [11, true]
  ] as const) {
    it.effect(`what was thrown away while flushing counts for lingerBytesMax: ${length} bytes of 10`, () =>
      Effect.gen(function* () {
        const transport = new FakeTransport()
        transport.flushes = false
        const here = yield* connected(transport, { ...unlimited, lingerBytesMax: 10 })
        const fiber = yield* closing(here)
        transport.receiver.onData(bytes(length))
        yield* settled
        // It has to be flushed all the same: what was written is not given up for what the peer sends.
        assert.strictEqual(here.stage, "Flushing")
        transport.receiver.onFlushed()
        yield* settled
        if (!exceeds) {
          assert.strictEqual(here.stage, "Lingering")
          transport.receiver.onEnd()
          expectTag(yield* Fiber.join(fiber), "Graceful")
        } else assert.strictEqual(expectTag(yield* Fiber.join(fiber), "LingerExpired").limit, "lingerBytesMax")
      })
    )
  }

  it.effect("a peer that reads nothing is reset at the deadline, and hears of it", () =>
    Effect.gen(function* () {
      const { here, peer, sim } = yield* pair({ close: { deadline: 20_000 } })
      const writing = yield* Effect.forkChild(Effect.exit(here.write(bytes(1_000_000))))
      yield* settled
      const fiber = yield* closing(here)
      yield* passing(19_999)
      assert.strictEqual(here.stage, "Flushing")
      assert.isUndefined(fiber.pollUnsafe())
      yield* passing(1)
      const outcome = expectTag(yield* fiber.pollUnsafe()!, "Aborted")
      assert.strictEqual(outcome.cause, "deadline")
      assert.strictEqual(outcome.stage, "Flushing")
      assert.strictEqual(outcome.closeMillis, 20_000)
      assert.isAbove(outcome.bytesUnsent, 0)
      assert.strictEqual(outcome.bytesWritten + outcome.bytesUnsent, 1_000_000)
      assert.strictEqual(ending(yield* Effect.exit(peer.pull)), "read tcp 127.0.0.1:49152: reset by the peer")
      assert.strictEqual(ending(yield* Fiber.join(writing)), "write tcp 127.0.0.1:7000: closed by this side")
      assert.strictEqual(expectTag(yield* peer.close, "ResetByPeer").code, "ECONNRESET")
      assert.strictEqual(yield* sim.socketsOpen, 0)
    })
  )

  it.effect("a flush to a peer that reads slowly takes longer than a linger may", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair({ close: { lingerTimeout: 2000, lingerIdleTimeout: 1000, deadline: 60_000 } })
      yield* Effect.forkChild(Effect.exit(here.write(bytes(600_000))))
      yield* settled
      const fiber = yield* closing(here)
      const reading = yield* Effect.forkChild(
        Effect.gen(function* () {
          let read = 0
          while (read < 600_000) {
            yield* Effect.sleep(3000)
            read += (yield* peer.pull).length
          }
        })
      )
      yield* passing(10_000)
      assert.strictEqual(here.stage, "Flushing")
      yield* passing(49_999)
      const outcome = expectTag(yield* fiber.pollUnsafe()!, "LingerExpired")
      assert.strictEqual(outcome.bytesWritten, 600_000)
      assert.strictEqual(outcome.bytesUnsent, 0)
      assert.isAbove(outcome.closeMillis, 20_000)
      yield* Fiber.join(reading)
    })
  )

  it.effect("the deadline holds over a farewell that has longer", () =>
    Effect.gen(function* () {
      const { here } = yield* pair({
        close: { ...unlimited, farewell: () => Effect.never, farewellTimeout: "1 hour", deadline: 1500 }
      })
      const outcome = expectTag(yield* endsAt(yield* closing(here), 1500), "Aborted")
      assert.strictEqual(outcome.stage, "Farewell")
      assert.strictEqual(outcome.cause, "deadline")
      assert.strictEqual(outcome.farewell, "failed")
    })
  )

  it.effect("the deadline holds over a linger that has longer", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair({ close: { ...unlimited, deadline: 1500 } })
      const outcome = expectTag(yield* endsAt(yield* closing(here), 1500), "Aborted")
      assert.strictEqual(outcome.stage, "Lingering")
      assert.strictEqual(outcome.cause, "deadline")
      assert.strictEqual(ending(yield* Effect.exit(peer.pull)), "read tcp 127.0.0.1:49152: reset by the peer")
    })
  )

  it.effect("the deadline is one for all stages, from the beginning of the close", () =>
    Effect.gen(function* () {
      const { here } = yield* pair({
        close: { ...unlimited, farewell: () => Effect.never, farewellTimeout: 1000, deadline: 1500 }
      })
      const outcome = expectTag(yield* endsAt(yield* closing(here), 1500), "Aborted")
      assert.strictEqual(outcome.stage, "Lingering")
    })
  )

  it.effect("no time at all is an abort", () =>
    Effect.gen(function* () {
      const { here, peer, sim } = yield* pair({ close: { deadline: 0 } })
      const outcome = expectTag(yield* here.close, "Aborted")
      assert.strictEqual(outcome.cause, "deadline")
      assert.strictEqual(outcome.closeMillis, 0)
      yield* settled
      assert.strictEqual(yield* sim.socketsOpen, 0)
      assert.strictEqual((yield* peer.close)._tag, "ResetByPeer")
    })
  )

  it.effect("no time to linger is a close right after the FIN", () =>
    Effect.gen(function* () {
      for (const limit of ["lingerTimeout", "lingerIdleTimeout"] as const) {
        const { here, peer } = yield* pair({ close: { [limit]: 0 } })
        yield* here.write("bye")
        const outcome = expectTag(yield* here.close, "LingerExpired")
        assert.strictEqual(outcome.limit, limit)
        assert.strictEqual(yield* Connection.readText(peer), "bye")
      }
    })
  )

  it.effect("a linger that expires takes nothing back: a peer that reads later gets it all", () =>
    Effect.gen(function* () {
      const { here, peer, sim } = yield* pair()
      // More than the peer's window: a part is still in this side's system when the program is done with it.
      yield* here.write(bytes(100_000))
      const outcome = expectTag(yield* endsAt(yield* closing(here), 5000), "LingerExpired")
      assert.strictEqual(outcome.bytesWritten, 100_000)
      assert.strictEqual(yield* sim.socketsOpen, 1)
      yield* passing(60_000)
      assert.strictEqual((yield* Connection.readAll(peer)).length, 100_000)
      assert.strictEqual(expectTag(yield* peer.close, "Graceful").closedFirst, "peer")
    })
  )
})

describe("a pipe that breaks", () => {
  it.effect("while open: the close knows, and has nothing to do", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair({ close: { farewell: Connection.sendLine("BYE") } })
      yield* peer.abort
      yield* settled
      const outcome = expectTag(yield* here.close, "ResetByPeer")
      assert.strictEqual(outcome.code, "ECONNRESET")
      assert.strictEqual(outcome.stage, "Open")
      assert.strictEqual(outcome.closedFirst, "peer")
      assert.strictEqual(outcome.farewell, "failed")
      assert.strictEqual(outcome.closeMillis, 0)
    })
  )

  it.effect("during the farewell", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair({ close: { farewell: () => Effect.never } })
      const fiber = yield* closing(here)
      yield* passing(300)
      yield* peer.abort
      const outcome = expectTag(yield* Fiber.join(fiber), "ResetByPeer")
      assert.strictEqual(outcome.stage, "Farewell")
      assert.strictEqual(outcome.farewell, "failed")
      assert.strictEqual(outcome.closeMillis, 300)
    })
  )

  it.effect("while flushing: a farewell that was written but never left was not said", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair({ close: { farewell: Connection.sendLine("BYE") } })
      yield* Effect.forkChild(Effect.exit(here.write(bytes(1_000_000))))
      yield* settled
      const fiber = yield* closing(here)
      yield* passing(300)
      assert.strictEqual(here.stage, "Flushing")
      yield* peer.abort
      const outcome = expectTag(yield* Fiber.join(fiber), "ResetByPeer")
      assert.strictEqual(outcome.stage, "Flushing")
      assert.strictEqual(outcome.farewell, "failed")
      assert.isAbove(outcome.bytesUnsent, 0)
      assert.strictEqual(outcome.bytesWritten + outcome.bytesUnsent, 1_000_004)
    })
  )

  it.effect("while lingering: the farewell had been flushed", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair({ close: { farewell: Connection.sendLine("BYE") } })
      const fiber = yield* closing(here)
      yield* passing(300)
      assert.strictEqual(here.stage, "Lingering")
      yield* peer.abort
      const outcome = expectTag(yield* Fiber.join(fiber), "ResetByPeer")
      assert.strictEqual(outcome.stage, "Lingering")
      assert.strictEqual(outcome.farewell, "flushed")
      assert.strictEqual(outcome.closedFirst, "local")
      assert.strictEqual(outcome.bytesUnsent, 0)
    })
  )

  it.effect("it breaks twice, the first reason counts", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      transport.receiver.onBroken("ETIMEDOUT")
      transport.receiver.onBroken("EPIPE")
      assert.strictEqual(expectTag(yield* here.close, "ResetByPeer").code, "ETIMEDOUT")
      assert.deepStrictEqual(transport.told, ["release"])
    })
  )
})

describe("an abort", () => {
  /** Brings the connection to a stage, where it stays. */
  const reaching: Record<string, { readonly close: ClosePolicy.Options; reach(pair: Pair): Effect.Effect<unknown> }> = {
    Open: { close: { farewell: Connection.sendLine("BYE") }, reach: () => Effect.void },
    Farewell: { close: { farewell: () => Effect.never }, reach: ({ here }) => closing(here) },
    Flushing: {
      close: {},
      reach: ({ here }) =>
        Effect.forkChild(here.write(bytes(1_000_000)), { startImmediately: true }).pipe(Effect.andThen(closing(here)))
    },
    Lingering: { close: { farewell: Connection.sendLine("BYE") }, reach: ({ here }) => closing(here) }
  }
  for (const [stage, { close, reach }] of Object.entries(reaching)) {
    it.effect(`at ${stage}: reset at once, and the outcome says where`, () =>
      Effect.gen(function* () {
        const ends = yield* pair({ close })
        const { here, peer, sim } = ends
        yield* reach(ends)
        yield* passing(100)
        assert.strictEqual(here.stage, stage)
        const outcome = expectTag(yield* here.abort, "Aborted")
        assert.strictEqual(outcome.stage, stage)
        assert.strictEqual(outcome.cause, "abort")
        assert.strictEqual(outcome.closedFirst, "local")
        assert.strictEqual(outcome.closeMillis, stage === "Open" ? 0 : 100)
        assert.strictEqual(outcome.farewell, { Flushing: "none", Lingering: "flushed" }[stage] ?? "failed")
        yield* settled
        assert.strictEqual(expectTag(yield* peer.close, "ResetByPeer").code, "ECONNRESET")
        assert.strictEqual(yield* sim.socketsOpen, 0)
      })
    )
  }

  it.effect("it sends RST and nothing before it: a FIN would look like the end of a whole answer", () =>
    Effect.gen(function* () {
      for (const farewell of [undefined, Connection.sendLine("BYE")]) {
        const transport = new FakeTransport()
        const here = yield* connected(transport, { farewell })
        yield* here.write("half an ans")
        yield* here.abort
        assert.deepStrictEqual(transport.told, ["write 11", "reset", "release"])
      }
    })
  )

  it.effect("a provider that never says that the descriptor is gone is waited for a second, not longer", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      transport.releases = false
      const here = yield* connected(transport)
      const fiber = yield* Effect.forkChild(here.abort)
      yield* settled
      const outcome = expectTag(yield* endsAt(fiber, 1000), "Aborted")
      assert.strictEqual(outcome.closeMillis, 1000, "the wait is part of the close")
      assert.deepStrictEqual(transport.told, ["reset", "release"])
    })
  )
})

describe("the farewell", () => {
  class NotNow {
    readonly _tag = "NotNow"
  }
  const misbehaving: Record<string, ClosePolicy.Farewell> = {
    fails: () => Effect.fail(new NotNow()),
    dies: () => Effect.die("a defect"),
    throws: () => {
      throw new Error("a defect")
    },
    "interrupts itself": () => Effect.interrupt,
    "never ends": () => Effect.never,
    "cannot be interrupted": () => Effect.uninterruptible(Effect.never)
  }
  for (const [what, farewell] of Object.entries(misbehaving)) {
    it.effect(`one that ${what} does not stop the close`, () =>
      Effect.gen(function* () {
        const { here, peer } = yield* pair({ close: { farewell, farewellTimeout: 800 } })
        const reading = yield* Effect.forkChild(politely(peer))
        yield* here.write("answer\n")
        const fiber = yield* closing(here)
        yield* passing(800)
        const outcome = expectTag(yield* fiber.pollUnsafe()!, "Graceful")
        assert.strictEqual(outcome.farewell, "failed")
        const millis = what === "fails" ? 200 : ["never ends", "cannot be interrupted"].includes(what) ? 800 : 0
        assert.strictEqual(outcome.closeMillis, millis)
        assert.strictEqual(yield* Fiber.join(reading), "answer\n")
      })
    )
  }

  it.effect("one that is out of time is interrupted", () =>
    Effect.gen(function* () {
      let interrupted = false
      const { here, peer } = yield* pair({
        close: {
          farewellTimeout: 500,
          farewell: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
        }
      })
      yield* Effect.forkChild(politely(peer))
      const fiber = yield* closing(here)
      yield* passing(499)
      assert.isFalse(interrupted)
      yield* passing(1)
      assert.isTrue(interrupted)
      yield* Fiber.join(fiber)
    })
  )

  const saidAt =
    (times: Array<number>, succeedsAt = Infinity): ClosePolicy.Farewell =>
    (connection) =>
      Effect.flatMap(now, (time): Effect.Effect<void, ConnectionError | NotNow> => {
        times.push(time)
        return times.length >= succeedsAt ? connection.write("BYE\n") : Effect.fail(new NotNow())
      })

  it.effect("it is said again as the schedule says", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const { here, peer } = yield* pair({
        close: {
          farewell: saidAt(times),
          farewellTimeout: 60_000,
          farewellRetry: Schedule.max([Schedule.exponential(100), Schedule.recurs(4)])
        }
      })
      yield* Effect.forkChild(politely(peer))
      const fiber = yield* closing(here)
      yield* passing(60_000)
      assert.deepStrictEqual(times, [0, 100, 300, 700, 1500])
      assert.strictEqual((yield* Fiber.join(fiber)).closeMillis, 1500)
    })
  )

  it.effect("by default it is said three times, 100 ms apart", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const { here, peer } = yield* pair({ close: { farewell: saidAt(times) } })
      yield* Effect.forkChild(politely(peer))
      const fiber = yield* closing(here)
      yield* passing(10_000)
      assert.deepStrictEqual(times, [0, 100, 200])
      assert.strictEqual((yield* Fiber.join(fiber)).closeMillis, 200)
    })
  )

  it.effect("one that succeeds at the second attempt was said", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const { here, peer } = yield* pair({ close: { farewell: saidAt(times, 2) } })
      const reading = yield* Effect.forkChild(politely(peer))
      const fiber = yield* closing(here)
      yield* passing(100)
      assert.strictEqual((yield* fiber.pollUnsafe()!).farewell, "flushed")
      assert.deepStrictEqual(times, [0, 100])
      assert.strictEqual(yield* Fiber.join(reading), "BYE\n")
    })
  )

  it.effect("the retries end with farewellTimeout", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const { here, peer } = yield* pair({
        close: { farewell: saidAt(times), farewellTimeout: 350, farewellRetry: Schedule.spaced(100) }
      })
      yield* Effect.forkChild(politely(peer))
      const fiber = yield* closing(here)
      yield* passing(10_000)
      assert.deepStrictEqual(times, [0, 100, 200, 300])
      assert.strictEqual((yield* Fiber.join(fiber)).closeMillis, 350)
    })
  )

  it.effect("it is not said again when the connection cannot be written to any more", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const { here, peer } = yield* pair({
        close: { farewell: (connection) => Effect.andThen(connection.closeWrite, saidAt(times)(connection)) }
      })
      yield* Effect.forkChild(politely(peer))
      const outcome = expectTag(yield* here.close, "Graceful")
      assert.deepStrictEqual(times, [0])
      assert.strictEqual(outcome.farewell, "failed")
    })
  )

  it.effect("it is not said at all after the application's own half-close", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const { here, peer } = yield* pair({ close: { farewell: saidAt(times) } })
      yield* Effect.forkChild(politely(peer))
      yield* here.closeWrite
      assert.strictEqual((yield* here.close).farewell, "failed")
      assert.deepStrictEqual(times, [])
    })
  )

  it.effect("it does not wait for room: a peer that does not read costs it nothing", () =>
    Effect.gen(function* () {
      const { here } = yield* pair({ close: { farewell: Connection.sendLine("BYE"), deadline: 5000 } })
      yield* Effect.forkChild(Effect.exit(here.write(bytes(1_000_000))))
      yield* settled
      const fiber = yield* closing(here)
      yield* settled
      assert.strictEqual(here.stage, "Flushing")
      const outcome = expectTag(yield* endsAt(fiber, 5000), "Aborted")
      assert.strictEqual(outcome.farewell, "failed")
      assert.strictEqual(outcome.bytesWritten + outcome.bytesUnsent, 1_000_004)
    })
  )

  it.effect("it can read the connection's addresses, and not its input", () =>
    Effect.gen(function* () {
      let said = ""
      const { here, peer } = yield* pair({
        close: {
          farewell: (connection) =>
            Effect.map(Effect.exit(connection.pull), (exit) => {
              said = `${JSON.stringify(connection.remoteAddress)} ${ending(exit)}`
            })
        }
      })
      yield* Effect.forkChild(politely(peer))
      yield* here.close
      assert.strictEqual(
        said,
        `{"_tag":"Tcp","host":"127.0.0.1","port":7000} read tcp 127.0.0.1:7000: closed by this side`
      )
    })
  )

  it.effect("one that aborts the connection has its way, and one that closes it waits for itself in vain", () =>
    Effect.gen(function* () {
      const first = yield* pair({ close: { farewell: (connection) => connection.abort } })
      const aborted = expectTag(yield* first.here.close, "Aborted")
      assert.strictEqual(aborted.stage, "Farewell")
      assert.strictEqual(aborted.cause, "abort")

      const { here, peer } = yield* pair({
        close: { farewell: (connection) => connection.close, farewellTimeout: 500 }
      })
      yield* Effect.forkChild(politely(peer))
      const fiber = yield* closing(here)
      yield* passing(500)
      const outcome = expectTag(yield* fiber.pollUnsafe()!, "Graceful")
      assert.strictEqual(outcome.farewell, "failed")
      assert.strictEqual(outcome.closeMillis, 500)
    })
  )
})

describe("a transport that misbehaves", () => {
  for (const act of ["closeWrite", "resume", "reset", "release"]) {
    it.effect(`it throws in ${act}: the close ends, and the descriptor is given back`, () =>
      Effect.gen(function* () {
        const transport = new FakeTransport()
        transport.throwsIn = act
        const here = yield* connected(transport)
        if (act === "reset") transport.flushes = false
        const fiber = yield* closing(here)
        yield* passing(60_000)
        yield* passing(1000)
        const exit = fiber.pollUnsafe()
        assert.isDefined(exit, "the close ended")
        assert.isTrue(Exit.isSuccess(exit))
        assert.include(transport.told, "release")
        assert.strictEqual(here.stage, "Closed")
        const outcome = yield* exit
        if (act === "closeWrite" || act === "resume") {
          assert.deepStrictEqual(transport.told.slice(-2), ["reset", "release"])
          assert.strictEqual(expectTag(outcome, "Aborted").stage, "Flushing")
        }
      })
    )
  }

  it.effect("one that never flushes is reset at the deadline", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      transport.flushes = false
      const here = yield* connected(transport, { deadline: 7000 })
      const outcome = expectTag(yield* endsAt(yield* closing(here), 7000), "Aborted")
      assert.strictEqual(outcome.stage, "Flushing")
      assert.deepStrictEqual(transport.told, ["closeWrite", "reset", "release"])
    })
  )
})
