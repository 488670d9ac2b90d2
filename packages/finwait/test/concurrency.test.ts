import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as ClosePolicy from "finwait/ClosePolicy"
import * as Connection from "finwait/Connection"
import * as Framing from "finwait/Framing"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import * as Shutdown from "finwait/Shutdown"
import * as SimNetwork from "finwait/testing/SimNetwork"
import type { ConnectionImpl } from "../src/internal/connection.ts"
import { connected, FakeTransport } from "./support/FakeTransport.ts"
import { address, bytes, ending, pair, passing, politely, settled, text } from "./support/network.ts"
import { adding } from "./support/server.ts"
import { interruptedAtEveryStep, yieldingEvery } from "./support/steps.ts"

const many = 100

describe("one close, from many fibers", () => {
  it.effect("a hundred fibers close at once: it happens once, and all get the same outcome", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      let farewells = 0
      const here = yield* connected(transport, {
        farewell: (connection) => Effect.suspend(() => (farewells++, connection.write("BYE")))
      })
      const fibers = yield* Effect.forEach(Array.from({ length: many }), () => Effect.forkChild(here.close))
      yield* settled
      transport.receiver.onEnd()
      const outcomes = yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(outcomes.length, many)
      for (const outcome of outcomes) assert.strictEqual(outcome, outcomes[0])
      assert.strictEqual(outcomes[0]!._tag, "Graceful")
      assert.strictEqual(farewells, 1)
      assert.deepStrictEqual(transport.told, ["write 3", "closeWrite", "release"])
      assert.strictEqual(yield* here.close, outcomes[0])
      assert.strictEqual(yield* here.abort, outcomes[0])
      assert.strictEqual(yield* here.outcome, outcomes[0])
      assert.deepStrictEqual(transport.told, ["write 3", "closeWrite", "release"])
    })
  )

  it.effect("closes and aborts mixed: one reset, one outcome", () =>
    Effect.gen(function* () {
      for (const abortAt of [0, 1, many / 2, many - 1]) {
        const transport = new FakeTransport()
        const here = yield* connected(transport, { farewell: () => Effect.never })
        const fibers = yield* Effect.forEach(
          Array.from({ length: many }, (_, index) => (index === abortAt ? here.abort : here.close)),
          (effect) => Effect.forkChild(effect)
        )
        const outcomes = yield* Effect.forEach(fibers, Fiber.join)
        for (const outcome of outcomes) assert.strictEqual(outcome, outcomes[0])
        assert.strictEqual(outcomes[0]!._tag, "Aborted")
        assert.deepStrictEqual(transport.told, ["reset", "release"])
      }
    })
  )

  it.effect("an abort after a reset by the peer changes nothing", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* peer.abort
      yield* settled
      assert.strictEqual((yield* here.abort)._tag, "ResetByPeer")
    })
  )

  it.effect("a close goes on when everybody who waits for it is interrupted", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const fibers = yield* Effect.forEach([here.close, here.close, here.outcome], (effect) => Effect.forkChild(effect))
      yield* settled
      yield* Fiber.interruptAll(fibers)
      assert.strictEqual(here.stage, "Lingering")
      assert.strictEqual(yield* politely(peer), "")
      yield* settled
      assert.strictEqual(here.stage, "Closed")
      assert.strictEqual((yield* here.outcome)._tag, "Graceful")
    })
  )

  it.effect("both ends close at once: both are graceful", () =>
    Effect.gen(function* () {
      const close = { farewell: Connection.sendLine("BYE") }
      const { here, peer, sim } = yield* pair({ close, peerClose: close, sim: { latency: 50 } }).pipe(
        Effect.forkChild,
        Effect.tap(passing(200)),
        Effect.flatMap(Fiber.join)
      )
      const both = yield* Effect.forkChild(Effect.all([here.close, peer.close], { concurrency: 2 }))
      yield* passing(50)
      const [ours, theirs] = yield* Fiber.join(both)
      for (const outcome of [ours, theirs]) {
        assert.strictEqual(outcome._tag, "Graceful")
        assert.strictEqual(outcome.bytesDiscarded, 4)
        assert.strictEqual(outcome.closedFirst, "local")
        assert.strictEqual(outcome.closeMillis, 50)
      }
      assert.strictEqual(yield* sim.socketsOpen, 0)
    })
  )
})

describe("who waits and is interrupted leaves nothing behind", () => {
  const waiters = (connection: Connection.Connection) => {
    const impl = connection as ConnectionImpl
    return [impl, impl.input, impl.output].flatMap((part) =>
      ["outcomeWaiters", "drainWaiters", "waiter", "sink", "waiters"].flatMap((name) => {
        const value: unknown = Reflect.get(part, name)
        return Array.isArray(value) ? value : value === undefined ? [] : [value]
      })
    )
  }

  it.effect("of an outcome, a drain, an each or a write", () =>
    Effect.gen(function* () {
      const { here } = yield* pair()
      yield* Effect.forkChild(Effect.exit(here.write(bytes(1_000_000))))
      yield* settled
      for (const effect of [here.outcome, here.draining, here.each(() => Effect.void), here.write("x")]) {
        const before = waiters(here).length
        const fiber = yield* Effect.forkChild(effect)
        yield* settled
        assert.strictEqual(waiters(here).length, before + 1, "it waits")
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(waiters(here).length, before)
      }
    })
  )

  it.effect("a pull: its place is the next reader's, who waits, and whom nobody else may disturb", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const { input } = here as ConnectionImpl
      const readers = [here.pull, here.pullRest, here.pull, Effect.forever(here.each(() => Effect.void))]
      for (const reader of readers) {
        const fiber = yield* Effect.forkChild(reader)
        yield* settled
        assert.isTrue(input.waiting)
        yield* Fiber.interrupt(fiber)
        assert.isFalse(input.waiting)
      }
      const waiting = yield* Effect.forkChild(here.pull)
      yield* settled
      for (const second of [
        here.pull,
        Effect.as(
          here.each(() => Effect.void),
          bytes(0)
        ),
        here.pullRest
      ]) {
        const error = yield* Effect.flip(second)
        assert.strictEqual(error._tag === "ConnectionError" && error.reason._tag, "Busy")
      }
      assert.isTrue(input.waiting)
      yield* peer.write("bytes")
      assert.strictEqual(text(yield* Fiber.join(waiting)), "bytes")
    })
  )

  it.effect("a pull: the next one reads on, and not a byte is lost", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      let read = ""
      for (let round = 0; round < 20; round++) {
        const waiting = yield* Effect.forkChild(Effect.map(here.pull, (chunk) => (read += text(chunk))))
        // After `round` turns the byte is anywhere between the peer's write and the reader's hand.
        yield* peer.write(String.fromCharCode(0x61 + round))
        for (let turn = 0; turn < round % 10; turn++) yield* Effect.yieldNow
        yield* Fiber.interrupt(waiting)
      }
      yield* peer.closeWrite
      read += yield* Connection.readText(here)
      assert.strictEqual(read, "abcdefghijklmnopqrst")
    })
  )

  it.effect("a write: what it carries leaves whole, and the next writer is not woken for it", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const first = yield* Effect.forkChild(here.write(bytes(500_000, 0x61)))
      yield* settled
      yield* Fiber.interrupt(first)
      const second = yield* Effect.forkChild(here.write(bytes(10, 0x62)))
      yield* settled
      assert.isUndefined(second.pollUnsafe())
      yield* Effect.forkChild(Effect.andThen(Fiber.join(second), here.closeWrite))
      const read = yield* Connection.readAll(peer)
      assert.strictEqual(read.length, 500_010)
      assert.isTrue(read.subarray(0, 500_000).every((byte) => byte === 0x61))
      assert.isTrue(read.subarray(500_000).every((byte) => byte === 0x62))
    })
  )
})

describe("interruption at every step of a connection's life", () => {
  const deadline = 3000

  const peers: Record<string, (peer: Connection.Connection) => Effect.Effect<unknown, unknown>> = {
    "is polite": politely,
    "reads but never says goodbye": (peer) => Effect.andThen(Connection.readAll(peer), Effect.never),
    "reads nothing": () => Effect.never,
    resets: (peer) => Effect.andThen(peer.pull, peer.abort)
  }

  /** Dials, writes and leaves the rest to the end of the scope, or closes first. */
  const life = (network: SimNetwork.Sim["network"], writes: number, closes: boolean) =>
    Effect.scoped(
      Effect.gen(function* () {
        const connection = yield* network.connect(address, {
          close: { farewell: Connection.sendLine("BYE"), lingerTimeout: 2000, deadline }
        })
        yield* Effect.timeoutOption(connection.write(bytes(writes)), 500).pipe(Effect.catch(() => Effect.void))
        return closes ? yield* connection.close : undefined
      })
    )

  for (const [kind, behave] of Object.entries(peers)) {
    for (const closes of [true, false]) {
      it.effect(`the peer ${kind}, ${closes ? "the program closes" : "the scope closes"}`, () =>
        Effect.gen(function* () {
          let interruptions = 0
          const steps = yield* interruptedAtEveryStep({
            within: 10_000,
            prepare: Effect.gen(function* () {
              const sim = yield* SimNetwork.make({ latency: 10 })
              const accepted: Array<ConnectionImpl> = []
              const listener = yield* Effect.provideService(
                sim.network.listen(address),
                ClosePolicy.CurrentClosePolicy,
                ClosePolicy.override(ClosePolicy.defaults, { deadline })
              )
              listener.attach({
                onConnection(connection) {
                  accepted.push(connection as ConnectionImpl)
                  Effect.runForkWith((connection as ConnectionImpl).context)(behave(connection))
                },
                onRefused: () => {},
                onError: () => {}
              })
              const program = life(sim.network, kind === "reads nothing" ? 300_000 : 5, closes)
              return { program, world: { sim, accepted } }
            }),
            check: ({ exit, millis, step }, { accepted, sim }) =>
              Effect.gen(function* () {
                const where = `interrupted before step ${step}`
                if (step !== undefined) interruptions++
                // Only the peers' sockets may be left, those of peers that do not close.
                const theirs = accepted.filter(({ transport }) => Reflect.get(transport, "state") === "open").length
                assert.strictEqual(yield* sim.socketsOpen, theirs, where)
                assert.isAtMost(millis, deadline + (step === undefined ? 600 : 0), where)
                if (Exit.isFailure(exit)) {
                  assert.isTrue(Cause.hasInterruptsOnly(exit.cause), `${where}: ${Cause.pretty(exit.cause)}`)
                }
                for (const peer of accepted) peer.cut("abort")
              })
          })
          assert.isAbove(steps, 100, "there are that many steps")
          assert.isAbove(interruptions, 50, "and many of them can be interrupted")
        })
      )
    }
  }

  for (const client of ["polite", "silent"] as const) {
    it.effect(`of a server's life, with a ${client} client`, () =>
      Effect.gen(function* () {
        let interruptions = 0
        const steps = yield* interruptedAtEveryStep({
          within: 20_000,
          prepare: Effect.gen(function* () {
            const sim = yield* SimNetwork.make({ latency: 10 })
            const shutdown = Shutdown.make()
            const clients: Array<ConnectionImpl> = []
            const connecting = Effect.gen(function* () {
              const connection = yield* sim.network.connect(address)
              clients.push(connection as ConnectionImpl)
              yield* connection.write("one\ntw")
              yield* client === "polite" ? politely(connection) : Effect.never
            })
            const program = Effect.scoped(
              Effect.gen(function* () {
                yield* Server.make({
                  listen: address,
                  drain: { grace: 10_000, deadline: 2000, close: 1000, margin: 500 },
                  handler: (connection) =>
                    Framing.lines(connection).pipe(Framing.respond((line) => Effect.as(Effect.sleep(50), line))),
                  // Dials from outside of the server: whatever interrupts the server does not interrupt its clients.
                  onListening: () => Effect.forkIn(connecting, scope)
                })
                yield* Effect.sleep(100)
              })
            ).pipe(
              Effect.provideService(Network.Network, sim.network),
              Effect.provideService(Shutdown.CurrentShutdown, shutdown)
            )
            const scope = yield* Effect.scope
            return { program, world: { clients, shutdown, sim } }
          }),
          check: ({ exit, millis, step }, { clients, shutdown, sim }) =>
            Effect.gen(function* () {
              const where = `interrupted before step ${step}`
              if (step !== undefined) interruptions++
              const theirs = clients.filter(({ transport }) => Reflect.get(transport, "state") === "open").length
              assert.strictEqual(yield* sim.socketsOpen, theirs, where)
              assert.isAtMost(millis, 3000 + (step === undefined ? 100 : 0), where)
              // Whatever was interrupted, the drain was whole: one report, and its figures add up.
              assert.isAtMost(shutdown.reports.length, 1, where)
              for (const report of shutdown.reports) adding(report)
              if (Exit.isFailure(exit)) {
                assert.isTrue(Cause.hasInterruptsOnly(exit.cause), `${where}: ${Cause.pretty(exit.cause)}`)
              }
              // Nothing listens there any more.
              yield* Effect.orDie(Effect.scoped(sim.network.listen(address)))
              for (const connection of clients) connection.cut("abort")
            })
        })
        assert.isAbove(steps, 200, "there are that many steps")
        assert.isAbove(interruptions, 100, "and many of them can be interrupted")
      })
    )
  }

  it.effect("however often the fibers yield, the close is the same", () =>
    Effect.gen(function* () {
      const scheduler = yield* Scheduler.Scheduler
      for (let operations = 3; operations < 30; operations++) {
        const outcome = yield* Effect.gen(function* () {
          const { here, peer } = yield* pair({ close: { farewell: Connection.sendLine("BYE") } })
          const reading = yield* Effect.forkChild(politely(peer))
          yield* here.write("hello\n")
          const outcome = yield* here.close
          assert.strictEqual(yield* Fiber.join(reading), "hello\nBYE\n")
          return outcome
        }).pipe(Effect.scoped, Effect.provideService(Scheduler.Scheduler, yieldingEvery(operations, scheduler)))
        assert.strictEqual(outcome._tag, "Graceful")
        assert.strictEqual(outcome.farewell, "flushed")
        assert.strictEqual(outcome.bytesWritten, 10)
      }
    })
  )

  it.effect("a dial that is interrupted while it is under way leaves no socket", () =>
    Effect.gen(function* () {
      const { sim } = yield* Effect.forkChild(pair({ sim: { latency: 100 } })).pipe(
        Effect.tap(passing(200)),
        Effect.flatMap(Fiber.join)
      )
      const before = yield* sim.socketsOpen
      const dialling = yield* Effect.forkChild(Effect.exit(Effect.scoped(sim.network.connect(address))))
      yield* passing(150)
      yield* Fiber.interrupt(dialling)
      yield* passing(1000)
      assert.strictEqual(yield* sim.socketsOpen, before)
      assert.strictEqual(ending((yield* Fiber.await(dialling)) as Exit.Exit<unknown, unknown>).length > 0, true)
    })
  )
})
