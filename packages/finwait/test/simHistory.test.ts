import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Connection from "finwait/Connection"
import * as Framing from "finwait/Framing"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import * as Fault from "finwait/testing/Fault"
import * as History from "finwait/testing/History"
import * as CloseModel from "finwait/testing/CloseModel"
import * as SimNetwork from "finwait/testing/SimNetwork"
import * as Simulation from "finwait/testing/Simulation"
import { address, clockUsed, politely, settled } from "./support/network.ts"
import { inItsTime, scene } from "./support/scene.ts"

const clients = 12

/** Faults that befall this many clients, drawn from the seed. */
const faultsOf = (seed: number) => [
  Fault.planned({ fault: Fault.Jitter({ millis: 7 }) }),
  Fault.planned({ side: "client", fault: Fault.Jitter({ millis: 7 }) }),
  ...Fault.draw(Fault.random(seed), { count: 8, connections: clients, withinMillis: 800 })
]

/** A server, many clients, whatever goes wrong, and a drain in the middle; the history of it. */
const busy = Effect.fnUntraced(function* (seed: number, options: SimNetwork.Options = {}) {
  const sim = yield* SimNetwork.make({ seed, latency: 3, bandwidth: 500_000, faults: faultsOf(seed), ...options })
  const scope = yield* Scope.make()
  yield* Server.make({
    listen: address,
    handler: (connection) =>
      Framing.lines(connection).pipe(
        Framing.respond((line) => Effect.as(Effect.sleep(line.length), line.toUpperCase().repeat(20)))
      ),
    close: { farewell: Connection.sendLine("BYE"), lingerIdleTimeout: 300, deadline: 2000 },
    drain: { grace: "10 seconds", lameDuck: 50, deadline: 3000, close: 1000, margin: 500 }
  }).pipe(Scope.provide(scope), Effect.provideService(Network.Network, sim.network))
  const client = (number: number) =>
    Effect.gen(function* () {
      yield* Effect.sleep(number * 17)
      const connection = yield* Effect.retry(
        sim.from(`10.0.0.${number % 3}`).connect(address, { close: { lingerIdleTimeout: 100, deadline: 1000 } }),
        Schedule.max([Schedule.spaced(50), Schedule.recurs(5)])
      )
      const asking = Effect.gen(function* () {
        for (let question = 0; question < 8; question++) {
          yield* connection.write(`question ${question} of ${number}\n`)
          yield* Effect.sleep(30 + number)
        }
        yield* connection.closeWrite
      })
      yield* Effect.all([Effect.exit(asking), Effect.exit(Connection.readText(connection))], { concurrency: 2 })
    }).pipe(Effect.scoped, Effect.timeoutOption("1 minute"), Effect.exit)
  const asking = yield* Effect.forkChild(
    Effect.forEach(
      Array.from({ length: clients }, (_, number) => number),
      client,
      { concurrency: "unbounded" }
    )
  )
  yield* Effect.sleep(250)
  yield* Scope.close(scope, Exit.void)
  yield* Fiber.join(asking)
  return { events: yield* sim.history, text: History.format(yield* sim.history) }
})

describe("the same seed and the same program", () => {
  it.effect("give the same history, byte for byte, under the test's clock", () =>
    Effect.gen(function* () {
      const first = yield* onAClock(busy(1))
      const second = yield* onAClock(busy(1))
      assert.isAbove(first.events.length, 300, "much happens in it")
      assert.isTrue(first.text === second.text)
    })
  )

  it("give the same history, byte for byte, in a simulation of their own; another seed gives another", () => {
    const histories = new Set<string>()
    for (let seed = 1; seed <= 10; seed++) {
      const { text } = Simulation.runSync(busy(seed))
      assert.isTrue(Simulation.runSync(busy(seed)).text === text, `seed ${seed}`)
      histories.add(text)
    }
    assert.strictEqual(histories.size, 10)
  })

  it.effect("give the same history on either clock", () =>
    Effect.gen(function* () {
      // The test's clock begins with a sleep of a millisecond.
      const { text } = Simulation.runSync(Effect.andThen(Effect.sleep(1), busy(3)))
      assert.isTrue((yield* onAClock(busy(3))).text === text)
    })
  )

  it("the network's own seed is enough for what it draws: with the same faults, another one gives another history", () => {
    const faults = faultsOf(1)
    assert.notStrictEqual(
      Simulation.runSync(busy(1, { faults })).text,
      Simulation.runSync(busy(1, { faults, seed: "another" })).text
    )
  })

  it("and every such history is as the model of the close has it", () => {
    for (let seed = 1; seed <= 10; seed++) {
      assert.deepStrictEqual(CloseModel.violations(Simulation.runSync(busy(seed)).events), [], `seed ${seed}`)
    }
  })
})

/** On a test's clock of its own, whose time begins at 0. */
const onAClock = <A, E>(program: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.scoped(inItsTime(Effect.scoped(program))).pipe(Effect.provide(TestClock.layer()))

describe("a history", () => {
  it.effect("tells what happened, in order: who did what, and what they were told", () =>
    scene({ latency: 5 }, ({ client, server, sim }) =>
      Effect.gen(function* () {
        yield* server.write("hello")
        const closing = yield* Effect.forkChild(server.close, { startImmediately: true })
        yield* politely(client)
        yield* Fiber.join(closing)
        assert.strictEqual(
          History.format(yield* sim.history),
          `       1.000 ms  listener     listen tcp 127.0.0.1:7000
      11.000 ms  #1 client    connected tcp 127.0.0.1:7000
      11.000 ms  listener     backlog 1
      11.000 ms  #1 server    accepted
      11.000 ms  #1 server    write 5
      11.000 ms  #1 server    stage Flushing
      11.000 ms  #1 server    closeWrite
      11.000 ms  #1 server    flushed
      11.000 ms  #1 server    stage Lingering
      16.000 ms  #1 client    data 5
      16.000 ms  #1 client    end
      16.000 ms  #1 client    stage Flushing
      16.000 ms  #1 client    closeWrite
      16.000 ms  #1 client    flushed
      16.000 ms  #1 client    stage Lingering
      16.000 ms  #1 client    release
      16.000 ms  #1 client    outcome Graceful
      21.000 ms  #1 server    end
      21.000 ms  #1 server    release
      21.000 ms  #1 server    outcome Graceful`
        )
        const outcomes = (yield* sim.history).filter(({ kind }) => kind === "outcome")
        assert.deepStrictEqual(
          outcomes.map(({ outcome }) => [outcome!.bytesRead, outcome!.bytesWritten, outcome!.closedFirst]),
          [
            [5, 0, "peer"],
            [0, 5, "local"]
          ]
        )
      })
    )
  )

  it.effect("of one end of one connection is what concerns that end", () =>
    scene({}, ({ client, server, sim }) =>
      Effect.gen(function* () {
        yield* sim.network.connect(address, { close: { deadline: 0 } })
        yield* client.write("x")
        yield* server.pull
        const events = History.of(yield* sim.history, 1, "server")
        assert.deepStrictEqual(
          events.map(({ kind }) => kind),
          ["accepted", "data"]
        )
      })
    )
  )

  /** Writes of one byte each, of which the history keeps so many. */
  const kept = Effect.fnUntraced(function* (historyMax: number, writes: number) {
    yield* clockUsed
    const sim = yield* SimNetwork.make({ historyMax })
    yield* sim.network.listen(address)
    const client = yield* sim.network.connect(address, { close: { deadline: 0 } })
    for (let write = 1; write <= writes; write++) yield* client.write("x".repeat(write))
    yield* settled
    return yield* sim.history
  })

  it.effect("keeps the latest events, as many as historyMax, and none of none", () =>
    Effect.gen(function* () {
      for (const historyMax of [1, 2, 7, 10]) {
        for (const writes of [1, 5, 8, 9, 20, 37]) {
          const all = yield* kept(historyMax, writes)
          // listen, connected, backlog and the writes; where some are missing the first line says how many.
          const dropped = Math.max(0, 3 + writes - historyMax)
          assert.deepStrictEqual(
            all.filter(({ kind }) => kind === "dropped").map(({ detail }) => detail),
            dropped === 0 ? [] : [dropped]
          )
          const events = dropped === 0 ? all : all.slice(1)
          assert.strictEqual(events.length, Math.min(historyMax, 3 + writes))
          if (dropped > 0) assert.match(CloseModel.violations(all).join(), /^the history is not whole: \d+ events/)
          assert.strictEqual(events.at(-1)!.detail, writes)
          const details = events.filter(({ kind }) => kind === "write").map(({ detail }) => Number(detail))
          assert.deepStrictEqual(
            details,
            Array.from({ length: details.length }, (_, index) => writes - details.length + 1 + index)
          )
        }
      }
      assert.deepStrictEqual(yield* kept(0, 20), [])
      assert.strictEqual((yield* kept(Infinity, 20)).length, 23)
    }).pipe(Effect.scoped)
  )

  it.effect("keeps 10,000 when nobody says how many", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      yield* sim.network.listen(address)
      const client = yield* sim.network.connect(address, { close: { deadline: 0 } })
      for (let write = 0; write < 21_000; write++) yield* client.write("x")
      const [dropped, ...events] = yield* sim.history
      assert.strictEqual(events.length, 10_000)
      assert.strictEqual(dropped!.detail, 11_003)
    }).pipe(Effect.scoped)
  )

  it.effect("that was asked for does not change afterwards", () =>
    scene({}, ({ client, sim }) =>
      Effect.gen(function* () {
        const before = yield* sim.history
        const length = before.length
        yield* client.write("x")
        assert.strictEqual(before.length, length)
        assert.strictEqual((yield* sim.history).length, length + 1)
      })
    )
  )
})
