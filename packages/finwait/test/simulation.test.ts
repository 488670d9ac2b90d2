import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as Connection from "finwait/Connection"
import * as Framing from "finwait/Framing"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import * as SimNetwork from "finwait/testing/SimNetwork"
import * as Simulation from "finwait/testing/Simulation"
import { generator } from "../src/testing/internal/choicesRandom.ts"
import { Timers } from "../src/testing/internal/worldTimers.ts"

/** Effects side by side that write down when they do what. */
const logging = <E>(make: (log: (entry: string) => void) => ReadonlyArray<Effect.Effect<unknown, E>>) =>
  Effect.suspend(() => {
    const entries: Array<string> = []
    const effects = make((entry) => entries.push(entry))
    return Effect.as(Effect.all(effects, { concurrency: "unbounded" }), entries)
  })

const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? Cause.squash(exit.cause) : assert.fail("it succeeded")

describe("time", () => {
  it("jumps to the next timer, and passes for nobody else", () => {
    const begun = process.hrtime.bigint()
    const { elapsedMillis, exit } = Simulation.inspect(
      Effect.gen(function* () {
        yield* Effect.sleep("3 hours")
        yield* Effect.sleep("1 second")
        return yield* Clock.currentTimeMillis
      })
    )
    assert.deepStrictEqual(exit, Exit.succeed(10_801_000))
    assert.strictEqual(elapsedMillis, 10_801_000)
    assert.isBelow(Number(process.hrtime.bigint() - begun) / 1e9, 10)
  })

  it("is the same on every clock, to the nanosecond", () => {
    const times = Simulation.runSync(
      Effect.gen(function* () {
        yield* Effect.sleep(Duration.nanos(1_500_001n))
        return [yield* Clock.currentTimeMillis, yield* Clock.currentTimeNanos, yield* Clock.monotonicTimeNanos]
      })
    )
    assert.deepStrictEqual(times, [1.500001, 1_500_001n, 1_500_001n])
  })

  it("wakes sleepers in the order in which they are due, then in that in which they lay down", () => {
    const entries = Simulation.runSync(
      logging((log) =>
        [30, 10, 20, 10, 0, 30].map((millis, index) =>
          Effect.andThen(
            Effect.sleep(millis),
            Effect.sync(() => log(`${millis} #${index}`))
          )
        )
      )
    )
    assert.deepStrictEqual(entries, ["0 #4", "10 #1", "10 #3", "20 #2", "30 #0", "30 #5"])
  })

  it("knows a sleep of no time as a yield, and an endless one as none", () => {
    assert.strictEqual(Simulation.inspect(Effect.sleep(0)).steps, 1)
    assert.instanceOf(defectOf(Simulation.run(Effect.sleep(Infinity))), Simulation.Deadlock)
  })

  it("passes with the shortest of sleeps", () => {
    const program = Effect.andThen(Effect.sleep(Duration.nanos(1n)), Clock.currentTimeNanos)
    assert.strictEqual(Simulation.runSync(program), 1n)
  })

  it("lets nothing of an interrupted sleep stay", () => {
    const program = Effect.gen(function* () {
      for (let round = 0; round < 1000; round++) yield* Effect.timeout(Effect.sleep(1), "10 hours")
    })
    const { elapsedMillis, exit, fibersLeft, timersLeft } = Simulation.inspect(program)
    assert.isTrue(Exit.isSuccess(exit))
    assert.deepStrictEqual([elapsedMillis, fibersLeft, timersLeft], [1000, 0, 0])
  })

  it("orders thousands of timers, set and taken back at random", () => {
    const random = generator("timers")
    const timers = new Timers()
    const rung: Array<number> = []
    const set: Array<{ readonly at: number; readonly timer: ReturnType<Timers["add"]> }> = []
    const expected: Array<number> = []
    for (let round = 0; round < 5000; round++) {
      const at = random.below(1000)
      set.push({ at, timer: timers.add(at, () => rung.push(at)) })
      if (random.below(10) < 8) timers.cancel(set[random.below(set.length)]!.timer)
    }
    for (const { at, timer } of set) if (timer.task !== undefined) expected.push(at)
    assert.strictEqual(timers.armed, expected.length)
    while (timers.next !== Infinity) timers.ring()()
    assert.deepStrictEqual(
      rung,
      expected.toSorted((a, b) => a - b)
    )
    assert.strictEqual(timers.armed, 0)
  })
})

describe("order", () => {
  /** Fibers that yield with all kinds of priorities, and write down when it is their turn. */
  const yielding = (seed: number, priorities: ReadonlyArray<number>) =>
    logging((log) => {
      const random = generator(`yielding ${seed}`)
      return Array.from({ length: 20 }, (_, fiber) =>
        Effect.gen(function* () {
          for (let turn = 0; turn < 10; turn++) {
            yield* Effect.yieldNowWith(priorities[random.below(priorities.length)])
            log(`${fiber}.${turn}`)
          }
        })
      )
    })

  /** Effect's own scheduler with one dispatcher for all, which is what a world has. */
  const shared = () => {
    const scheduler = new Scheduler.MixedScheduler()
    const dispatcher = scheduler.makeDispatcher()
    return Object.assign(scheduler, { makeDispatcher: () => dispatcher })
  }

  for (const [name, priorities] of Object.entries({ none: [0], some: [0, 0, 0, 0, 5], many: [-3, 0, 0, 1, 2, 10] })) {
    it.live(`without a seed is the order of Effect's own scheduler, with priorities: ${name}`, () =>
      Effect.gen(function* () {
        for (let seed = 0; seed < 20; seed++) {
          const effects = yield* Effect.provideService(yielding(seed, priorities), Scheduler.Scheduler, shared())
          assert.deepStrictEqual(Simulation.runSync(yielding(seed, priorities)), effects)
        }
      })
    )
  }

  it("with a seed is drawn from it: the same for the same", () => {
    const drawn = Array.from({ length: 20 }, (_, seed) => Simulation.runSync(yielding(0, [0]), { seed }))
    assert.strictEqual(new Set(drawn.map((entries) => entries.join())).size, 20)
    for (const [seed, entries] of drawn.entries()) {
      assert.deepStrictEqual(Simulation.runSync(yielding(0, [0]), { seed }), entries)
    }
    assert.notDeepEqual(Simulation.runSync(yielding(0, [0]), { seed: "words" }), drawn[0])
  })

  it("with a seed can be any order, as likely as the others", () => {
    const program = logging((log) =>
      ["a", "b", "c"].map((name) =>
        Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => log(name))
        )
      )
    )
    const orders = new Map<string, number>()
    for (let seed = 0; seed < 1200; seed++) {
      const order = Simulation.runSync(program, { seed }).join("")
      orders.set(order, (orders.get(order) ?? 0) + 1)
    }
    assert.strictEqual(orders.size, 6)
    for (const times of orders.values()) assert.isTrue(times > 140 && times < 260, String([...orders]))
  })

  it("lets nobody overtake one more urgent that was there before, whatever the seed", () => {
    const program = Effect.suspend(() => {
      const entries: Array<string> = []
      const yielded = (name: string, priority: number) =>
        Effect.andThen(
          Effect.yieldNowWith(priority),
          Effect.sync(() => entries.push(name))
        )
      const all = [yielded("late", 10), yielded("first", -1), yielded("second", 0), yielded("later", 10)]
      return Effect.as(Effect.all(all, { concurrency: "unbounded" }), entries)
    })
    const orders = new Set<string>()
    for (let seed = 0; seed < 200; seed++) orders.add(Simulation.runSync(program, { seed }).join())
    for (const order of orders) {
      assert.isBelow(order.indexOf("first"), order.indexOf("second"), order)
      assert.isBelow(order.indexOf("second"), order.indexOf("later"), order)
    }
    // One that was there before somebody more urgent came may go first, or may not.
    assert.deepStrictEqual([...orders].toSorted(), [
      "first,late,second,later",
      "first,second,late,later",
      "first,second,later,late",
      "late,first,second,later"
    ])
  })

  it("a fiber that does not end of itself makes room for others", () => {
    const program = Effect.gen(function* () {
      const busy = yield* Effect.forkChild(Effect.forever(Effect.void, { disableYield: true }))
      yield* Effect.sleep(1).pipe(Effect.raceFirst(Effect.forEach(Array(10), () => Effect.yieldNow)))
      yield* Fiber.interrupt(busy)
    })
    assert.isTrue(Exit.isSuccess(Simulation.run(program, { stepsMax: 1000 })))
  })
})

describe("random numbers", () => {
  const draws = Effect.all([Random.next, Random.nextInt, Random.nextBoolean, Random.nextIntBetween(1, 6)])

  it("are those of the seed", () => {
    for (const seed of [0, 7, "words"]) {
      assert.deepStrictEqual(Simulation.runSync(draws, { seed }), Effect.runSync(Random.withSeed(draws, seed)))
    }
    assert.deepStrictEqual(Simulation.runSync(draws), Effect.runSync(Random.withSeed(draws, 0)))
  })
})

describe("a program that does not end", () => {
  it("because nothing can happen any more: says how many wait", () => {
    const exit = Simulation.run(
      Effect.gen(function* () {
        yield* Effect.sleep(250)
        const never = Deferred.makeUnsafe<void>()
        yield* Effect.all([Deferred.await(never), Deferred.await(never)], { concurrency: 2 })
      })
    )
    const defect = defectOf(exit) as Simulation.Deadlock
    assert.instanceOf(defect, Simulation.Deadlock)
    assert.deepStrictEqual([defect.fibers, defect.elapsedMillis], [3, 250])
    assert.match(defect.message, /^deadlock after \d+ steps?, at 250 ms: .*3 fibers wait for each other/)
  })

  it("because it waits for the world outside: is one that waits", () => {
    assert.instanceOf(defectOf(Simulation.run(Effect.promise(() => Promise.resolve()))), Simulation.Deadlock)
  })

  it("within its time or its steps: says which", () => {
    const ticking = Effect.forever(Effect.sleep("1 minute"), { disableYield: true })
    const late = defectOf(Simulation.run(ticking, { timeMax: "1 hour" })) as Simulation.LimitReached
    assert.instanceOf(late, Simulation.LimitReached)
    assert.strictEqual(late.message, "no end within timeMax 1h: 60 steps taken, 3600000 ms passed, 1 fiber alive")
    const long = defectOf(
      Simulation.run(Effect.forever(Effect.yieldNow, { disableYield: true }), { stepsMax: 100 })
    ) as Simulation.LimitReached
    assert.strictEqual(long.message, "no end within stepsMax 100: 100 steps taken, 0 ms passed, 1 fiber alive")
    assert.instanceOf(defectOf(Simulation.run(ticking)), Simulation.LimitReached)
  })

  it("because somebody's callback throws where no fiber is: has its defect", () => {
    const throwing = Effect.flatMap(Scheduler.Scheduler, (scheduler) =>
      Effect.andThen(
        Effect.sync(() =>
          scheduler.makeDispatcher().scheduleTask(() => {
            throw new Error("outside")
          }, 0)
        ),
        Effect.never
      )
    )
    assert.strictEqual((defectOf(Simulation.run(throwing)) as Error).message, "outside")
  })
})

describe("what comes out of it", () => {
  it("is the exit, the value or the error", () => {
    assert.deepStrictEqual(Simulation.run(Effect.fail("no")), Exit.fail("no"))
    assert.strictEqual(Simulation.runSync(Effect.delay(Effect.succeed(5), 10)), 5)
    assert.throws(() => Simulation.runSync(Effect.die(new RangeError("no"))), RangeError, "no")
  })

  it("comes when the program's scope has ended", () => {
    let ended = 0
    const program = Effect.addFinalizer(() =>
      Effect.andThen(
        Effect.sleep(5),
        Effect.sync(() => ended++)
      )
    )
    assert.strictEqual(Simulation.inspect(program).elapsedMillis, 5)
    assert.strictEqual(ended, 1)
  })

  it("tells of fibers and timers that are left, when they have had their time", () => {
    const program = Effect.gen(function* () {
      yield* Effect.forkDetach(Effect.sleep(10))
      yield* Effect.forkDetach(Effect.sleep(20))
      yield* Effect.forkDetach(Effect.never)
      yield* Effect.forkDetach(Effect.yieldNow)
    })
    const left = (settle?: number) => {
      const { elapsedMillis, fibersLeft, timersLeft } = Simulation.inspect(program, { settle })
      assert.strictEqual(elapsedMillis, 0)
      return [fibersLeft, timersLeft]
    }
    assert.deepStrictEqual(left(), [3, 2])
    assert.deepStrictEqual(left(10), [2, 1])
    assert.deepStrictEqual(left(1000), [1, 0])
  })

  it("is logged only to loggers of its own", () => {
    const logged: Array<unknown> = []
    const logger = Logger.make<unknown, void>(({ message }) => void logged.push(message))
    const program = Effect.logError("something")
    const { error, log } = console
    const printed: Array<unknown> = []
    console.log = console.error = (...args) => void printed.push(args)
    try {
      Simulation.runSync(program)
      Simulation.runSync(Effect.provide(program, Logger.layer([logger])))
    } finally {
      Object.assign(console, { error, log })
    }
    assert.deepStrictEqual(printed, [])
    assert.deepStrictEqual(logged, [["something"]])
  })
})

describe("a server and its clients", () => {
  const conversation = Effect.gen(function* () {
    const sim = yield* SimNetwork.make({ latency: 3 })
    const texts = yield* Effect.scoped(
      Effect.gen(function* () {
        yield* Server.make({
          listen: "tcp://127.0.0.1:7000",
          handler: (connection) =>
            Framing.lines(connection).pipe(
              Framing.respond((line) =>
                Effect.as(Effect.flatMap(Random.nextIntBetween(0, 50), Effect.sleep), line.toUpperCase())
              )
            )
        })
        const client = (name: string) =>
          Effect.scoped(
            Effect.gen(function* () {
              const connection = yield* Network.connect("tcp://127.0.0.1:7000")
              yield* connection.write(`${name}\n${name}\n`)
              yield* connection.closeWrite
              return yield* Connection.readText(connection)
            })
          )
        return yield* Effect.forEach(["a", "b", "c"], client, { concurrency: "unbounded" })
      })
    ).pipe(Effect.provideService(Network.Network, sim.network))
    return { texts, open: yield* sim.socketsOpen }
  })

  it("understand each other in whatever order, and leave nothing", () => {
    for (let seed = 0; seed < 100; seed++) {
      const { exit, fibersLeft, timersLeft } = Simulation.inspect(conversation, { seed, settle: 10 })
      assert.deepStrictEqual(exit, Exit.succeed({ texts: ["A\nA\n", "B\nB\n", "C\nC\n"], open: 0 }), `seed ${seed}`)
      assert.deepStrictEqual([fibersLeft, timersLeft], [0, 0], `seed ${seed}`)
    }
  })

  it("take the same steps with the same seed", () => {
    const run = () => {
      const { elapsedMillis, steps } = Simulation.inspect(conversation, { seed: 5 })
      return [elapsedMillis, steps]
    }
    assert.deepStrictEqual(run(), run())
  })
})
