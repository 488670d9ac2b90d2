import { assert, describe, it, vi } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Ref from "effect/Ref"
import * as Semaphore from "effect/Semaphore"
import * as Explore from "finwait/testing/Explore"
import { generator } from "../src/testing/internal/choicesRandom.ts"

// Thousands of runs each. It only tells an end from a hang.
vi.setConfig({ testTimeout: 120_000 })

const all = { deviationsMax: Infinity, runsMax: 100_000 } as const

const outcomesOf = (report: Explore.Report): ReadonlyArray<string> => [...report.outcomes.keys()].toSorted()

/** What somebody reads and writes later is no longer what is there. */
const lostUpdate = Effect.gen(function* () {
  const account = Explore.shared({ balance: 0 })
  const deposit = Effect.gen(function* () {
    const before = yield* Effect.sync(() => account.balance)
    yield* Effect.sync(() => {
      account.balance = before + 1
    })
  })
  yield* Effect.all([Explore.named("Ann")(deposit), Explore.named("Bob")(deposit)], { concurrency: 2 })
  return account.balance
})

const isTwo = (balance: number) =>
  balance === 2 ? Effect.void : Effect.die(new Error(`the balance is ${balance} instead of 2`))

describe("a program that is right only in the usual order", () => {
  it("fails with the shortest order in which it is not, and that order replays", () => {
    const options = { program: lostUpdate, check: isTwo }
    const { exhausted, found } = Explore.search(options)
    assert.instanceOf(found, Explore.OrderFound)
    assert.isFalse(exhausted)
    assert.strictEqual(found.why, "the balance is 1 instead of 2")
    assert.deepStrictEqual([found.deviations, found.preemptions], [1, 1])
    assert.throws(() => Explore.run(options), found.message)
    try {
      Explore.replay(options, found.replay)
      assert.fail("it fails again")
    } catch (error) {
      assert.instanceOf(error, Explore.OrderFound)
      assert.deepStrictEqual(error.order, found.order)
      assert.strictEqual((error.cause as Error).message, "the balance is 1 instead of 2")
    }
  })

  it("is told of step by step", () => {
    const { message } = Explore.search({ program: lostUpdate, check: isTwo }).found!
    assert.match(
      message,
      new RegExp(
        [
          /^the balance is 1 instead of 2/,
          /in an order with 1 deviation, 1 preemption, after \d+ runs:/,
          /\* 0      0 ms {2}main begins, then Ann, then Bob; Ann is preempted before: \(\) => \{ account\.balance = .*/,
          / {2}1      0 ms {2}Ann goes on, then main/,
          /run it again: Explore\.replay\(options, "2(-\d+\.\d+)+"\)$/
        ]
          .map(({ source }) => source)
          .join("\n")
      )
    )
  })

  it("gives what it succeeds with when it is replayed with what would have failed put right", () => {
    const { found } = Explore.search({ program: lostUpdate, check: isTwo })
    assert.strictEqual(Explore.replay({ program: lostUpdate }, found!.replay), 1)
  })

  it("is found whether what is shared has been named or not", () => {
    const unnamed = Effect.gen(function* () {
      let balance = 0
      const deposit = Effect.flatMap(
        Effect.sync(() => balance),
        (before) => Effect.sync(() => (balance = before + 1))
      )
      yield* Effect.all([deposit, deposit], { concurrency: 2 })
      return balance
    })
    assert.strictEqual(Explore.search({ program: unnamed, check: isTwo }).found?.why, "the balance is 1 instead of 2")
  })

  it("is found only when as many preemptions are allowed as it takes", () => {
    // Somebody has to come in between twice.
    const program = Effect.gen(function* () {
      const state = Explore.shared({ turn: 0, isBroken: false })
      const one = Effect.gen(function* () {
        const first = yield* Effect.sync(() => state.turn)
        const second = yield* Effect.sync(() => state.turn)
        const third = yield* Effect.sync(() => state.turn)
        if (first !== second && second !== third) state.isBroken = true
      })
      const other = Effect.gen(function* () {
        yield* Effect.sync(() => state.turn++)
        yield* Effect.sync(() => state.turn++)
      })
      yield* Effect.all([one, other], { concurrency: 2 })
      return state.isBroken
    })
    const search = (preemptionsMax: number) => Explore.search({ ...all, program, preemptionsMax })
    assert.deepStrictEqual(outcomesOf(search(0)), ["false"])
    assert.deepStrictEqual(outcomesOf(search(1)), ["false"])
    assert.deepStrictEqual(outcomesOf(search(3)), ["false", "true"])
  })
})

describe("a program that does not end", () => {
  it("in one order only, because two wait for each other, is found", () => {
    const program = Effect.gen(function* () {
      const [left, right] = [Semaphore.makeUnsafe(1), Semaphore.makeUnsafe(1)]
      const eats = (first: Semaphore.Semaphore, second: Semaphore.Semaphore) =>
        first.withPermits(1)(second.withPermits(1)(Effect.void))
      yield* Effect.all([eats(left, right), eats(right, left)], { concurrency: 2 })
    })
    const { found } = Explore.search({ program })
    assert.match(found!.why, /^deadlock after/)
    assert.strictEqual(found!.preemptions, 1)
    assert.isUndefined(Explore.search({ program, preemptionsMax: 0 }).found)
  })

  it("within its time or its steps is found", () => {
    const program = Effect.sleep("2 hours")
    assert.match(Explore.search({ program }).found!.why, /^no end within timeMax 1h/)
    assert.isUndefined(Explore.search({ program, timeMax: "3 hours" }).found)
    const polling = Effect.forever(Effect.yieldNow)
    assert.match(Explore.search({ program: polling, stepsMax: 50 }).found!.why, /^no end within stepsMax 50: 50 steps/)
  })

  it("because it polls ends: whoever is held goes on when all others only yield", () => {
    const program = Effect.gen(function* () {
      const state = Explore.shared({ done: false })
      const polling = Effect.repeat(Effect.yieldNow, { until: () => state.done })
      const working = Effect.andThen(
        Effect.yieldNow,
        Effect.sync(() => (state.done = true))
      )
      yield* Effect.all([polling, working], { concurrency: 2 })
    })
    assert.isTrue(Explore.run({ program, stepsMax: 500 }).exhausted)
  })

  it("does not hide behind somebody who catches everything", () => {
    const program = Effect.catchCause(Effect.never, () => Effect.void)
    assert.match(Explore.search({ program }).found!.why, /^deadlock/)
  })
})

describe("the orders", () => {
  const arrivals = (effects: ReadonlyArray<(log: (name: string) => void) => Effect.Effect<unknown>>) =>
    Effect.gen(function* () {
      const entries: Array<string> = []
      const fibers = yield* Effect.forEach(effects, (effect) => Effect.forkChild(effect((name) => entries.push(name))))
      yield* Fiber.joinAll(fibers)
      return entries.join("")
    })

  it("of tasks that are ready are all there are", () => {
    const names = ["a", "b", "c", "d"]
    const program = arrivals(names.map((name) => (log) => Effect.sync(() => log(name))))
    const report = Explore.run({ ...all, program, preemptionsMax: 0 })
    assert.isTrue(report.exhausted)
    assert.strictEqual(report.outcomes.size, 24)
  })

  it("come with the number of deviations", () => {
    const program = arrivals(["a", "b", "c"].map((name) => (log) => Effect.sync(() => log(name))))
    const orders = (deviationsMax: number) => outcomesOf(Explore.run({ program, deviationsMax, preemptionsMax: 0 }))
    assert.deepStrictEqual(orders(0), ["abc"])
    assert.deepStrictEqual(orders(1), ["abc", "acb", "bac", "bca", "cab"])
    assert.deepStrictEqual(orders(2), ["abc", "acb", "bac", "bca", "cab", "cba"])
  })

  it("of timers are free at one instant, and only there", () => {
    const sleeping = (name: string, millis: number) => (log: (name: string) => void) =>
      Effect.andThen(
        Effect.sleep(millis),
        Effect.sync(() => log(name))
      )
    const program = arrivals([sleeping("a", 5), sleeping("b", 5), sleeping("c", 6)])
    assert.deepStrictEqual(outcomesOf(Explore.run({ ...all, program, preemptionsMax: 0 })), ["abc", "bac"])
  })

  it("of a fiber that was woken and of who woke it are both tried", () => {
    const program = Effect.gen(function* () {
      const entries: Array<string> = []
      const signal = Deferred.makeUnsafe<void>()
      const waiting = Effect.gen(function* () {
        yield* Deferred.await(signal)
        yield* Effect.void
        yield* Effect.sync(() => entries.push("woken"))
      })
      const waking = Effect.andThen(
        Deferred.succeed(signal, undefined),
        Effect.sync(() => entries.push("waking"))
      )
      yield* Effect.all([waiting, waking], { concurrency: 2 })
      return entries.join(" ")
    })
    assert.deepStrictEqual(outcomesOf(Explore.run({ program })), ["waking woken", "woken waking"])
  })

  it("end with the runs that are allowed, and the report says how far it came", () => {
    const program = arrivals(["a", "b", "c", "d"].map((name) => (log) => Effect.sync(() => log(name))))
    const report = Explore.run({ program, runsMax: 12 })
    assert.strictEqual(report.runs, 12)
    assert.isFalse(report.exhausted)
    assert.strictEqual(report.deviations, 0)
  })

  it("begin where the program says", () => {
    const program = Effect.gen(function* () {
      const before = yield* arrivals(["a", "b", "c"].map((name) => (log) => Effect.sync(() => log(name))))
      yield* Effect.sleep(100)
      yield* Explore.fromHere
      const after = yield* arrivals(["d", "e"].map((name) => (log) => Effect.sync(() => log(name))))
      return `${before} ${after}`
    })
    const check = (_: string, { elapsedMillis }: Explore.Left) =>
      Effect.sync(() => assert.strictEqual(elapsedMillis, 0))
    const report = Explore.run({ ...all, program, check })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), ["abc de", "abc ed"])
    const failing = {
      program: Effect.flatMap(program, (order) => (order === "abc ed" ? Effect.die(order) : Effect.void))
    }
    const { found } = Explore.search(failing)
    assert.match(found!.order[0]!, /steps before \d+ in the usual order/)
    assert.throws(() => Explore.replay(failing, found!.replay), "abc ed")
  })

  it("of a program that does not do the same every time are none", () => {
    let runs = 0
    const program = Effect.gen(function* () {
      runs++
      yield* Effect.forEach(Array(runs === 1 ? 3 : 1), () => Effect.forkChild(Effect.yieldNow))
      yield* Effect.yieldNow
    })
    assert.match(Explore.search({ program, preemptionsMax: 0 }).found!.why, /does not do the same every time/)
  })

  it("have names that are read, or refused", () => {
    assert.throws(() => Explore.replay({ program: Effect.void }, "no order"), RangeError, `"no order"`)
  })
})

describe("the check", () => {
  it("sees what is left", () => {
    const program = Effect.gen(function* () {
      yield* Effect.sleep(7)
      yield* Effect.forkDetach(Effect.sleep(10))
      yield* Effect.forkDetach(Effect.never)
      yield* Effect.forkDetach(Effect.yieldNow)
    })
    const lefts: Array<Explore.Left> = []
    const check = (_: void, left: Explore.Left) => Effect.sync(() => lefts.push(left))
    Explore.run({ program, check, deviationsMax: 0 })
    Explore.run({ program, check, deviationsMax: 0, settle: 10 })
    assert.deepStrictEqual(lefts, [
      { elapsedMillis: 7, timersLeft: 1, fibersLeft: 2 },
      { elapsedMillis: 7, timersLeft: 0, fibersLeft: 1 }
    ])
  })

  it("looks when the program's scope has ended", () => {
    const program = Effect.gen(function* () {
      const state = { isOpen: true }
      yield* Effect.addFinalizer(() => Effect.sync(() => (state.isOpen = false)))
      return state
    })
    Explore.run({ program, check: ({ isOpen }) => Effect.sync(() => assert.isFalse(isOpen)) })
  })
})

describe("what is named as shared", () => {
  it("is what it was, outside of an exploration and inside", () => {
    const inside = Effect.sync(() => {
      class Thing {
        count = 0
        readonly others = [1, 2, 3]
        readonly set = new Set([1])
        readonly map = new Map([["a", { deep: 1 }]])
        private inner = { list: ["x"] }
        get twice() {
          return this.count * 2
        }
        push(text: string) {
          this.inner.list.push(text)
          return this.inner.list.join("")
        }
      }
      const thing = new Thing()
      assert.strictEqual(Explore.shared(thing), thing)
      thing.count += 2
      thing.others.push(4)
      thing.others.splice(0, 1)
      thing.set.add(2).delete(1)
      thing.map.get("a")!.deep++
      thing.map.set("b", { deep: 9 })
      return [
        thing.twice,
        thing.push("y"),
        Array.isArray(thing.others),
        [...thing.others],
        thing.set.size,
        thing.set.has(2),
        [...thing.map.values()].map(({ deep }) => deep),
        Object.keys(thing),
        JSON.stringify(thing)
      ]
    })
    const outside = Effect.runSync(inside)
    assert.deepStrictEqual(outside.slice(0, 7), [4, "xy", true, [2, 3, 4], 1, true, [2, 9]])
    Explore.run({ program: inside, check: (value) => Effect.sync(() => assert.deepStrictEqual(value, outside)) })
  })

  it("spares runs that cannot differ", () => {
    // Each works on what is its own: whoever goes first, nobody can tell.
    const program = Effect.gen(function* () {
      const own = Explore.shared([{ count: 0 }, { count: 0 }, { count: 0 }])
      const working = (mine: { count: number }) =>
        Effect.forEach(Array(3), () =>
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => mine.count++)
          )
        )
      yield* Effect.forEach(own, working, { concurrency: "unbounded" })
      return own.map(({ count }) => count).join()
    })
    const search = (reduce: boolean) => Explore.run({ ...all, program, preemptionsMax: 0, reduce })
    const [reduced, full] = [search(true), search(false)]
    assert.deepStrictEqual(outcomesOf(reduced), ["3,3,3"])
    assert.isTrue(reduced.exhausted)
    // As many states as places that three of three steps can be in, each come to from at most three.
    assert.isBelow(reduced.runs, 300)
    assert.isAbove(reduced.pruned, 10)
    assert.isAbove(full.runs, 1000)
  })
})

describe("the reduction", () => {
  type Act = readonly [what: number, which: number, who: number]

  /** Fibers that do to shared things, and to each other, what is written on their sheets. */
  const program = (sheets: ReadonlyArray<ReadonlyArray<Act>>) =>
    Effect.gen(function* () {
      const things = Explore.shared({
        number: 0,
        counts: [{ count: 0 }, { count: 0 }],
        log: [] as Array<number>,
        set: new Set<number>(),
        map: new Map<number, number>(),
        late: undefined as { first: number } | undefined,
        guarded: 0,
        deferred: Deferred.makeUnsafe<number>(),
        semaphore: Semaphore.makeUnsafe(1),
        queue: yield* Queue.unbounded<number>(),
        ref: yield* Ref.make(0)
      })
      const fibers: Array<Fiber.Fiber<number>> = []
      const doing = Effect.fnUntraced(function* (sheet: ReadonlyArray<Act>, me: number) {
        // What it has seen, in order.
        let seen = 0
        const sees = (value: number) => (seen = (seen * 7 + value + 1) % 1_000_003)
        for (const [what, which, who] of sheet) {
          const acts: ReadonlyArray<() => unknown> = [
            () => sees(things.number),
            () => (things.number = seen),
            () => sees(things.counts[which]!.count),
            () => (things.counts[which]!.count += me + 1),
            () => things.log.push(me),
            () => sees(things.set.add(me).size),
            () => things.map.set(which, (things.map.get(which) ?? 0) + me + 1),
            () => Effect.yieldNow,
            () => Deferred.succeed(things.deferred, me),
            () => Effect.map(Effect.timeoutOption(Deferred.await(things.deferred), 5), ({ _tag }) => sees(_tag.length)),
            () =>
              things.semaphore.withPermits(1)(
                Effect.gen(function* () {
                  const before = things.guarded
                  yield* Effect.yieldNow
                  things.guarded = before + 1
                })
              ),
            () => (who === me || fibers[who] === undefined ? Effect.void : Fiber.interrupt(fibers[who])),
            () => (things.late === undefined ? (things.late = { first: me }) : (things.late.first += 10)),
            () => Queue.offer(things.queue, me),
            () => Effect.map(Effect.timeoutOption(Queue.take(things.queue), 5), ({ _tag }) => sees(_tag.length)),
            () => Effect.flatMap(Ref.get(things.ref), (value) => Ref.set(things.ref, value * 2 + me))
          ]
          const done = acts[what % acts.length]!()
          yield* Effect.isEffect(done) ? (done as Effect.Effect<unknown>) : Effect.void
        }
        return seen
      })
      for (const [me, sheet] of sheets.entries()) fibers.push(yield* Effect.forkChild(doing(sheet, me)))
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      return JSON.stringify([
        exits.map((exit) => (Exit.isSuccess(exit) ? exit.value : Cause.hasInterruptsOnly(exit.cause))),
        things.number,
        things.counts,
        things.log,
        [...things.set],
        [...things.map],
        things.late,
        things.guarded,
        yield* Ref.get(things.ref)
      ])
    })

  /** Of few kinds of acts each, so that they meet. */
  const drawn = (seed: number) => {
    const random = generator(`sheets ${seed}`)
    const fibers = 2 + random.below(2)
    const kinds = Array.from({ length: 3 }, () => random.below(16))
    return Array.from({ length: fibers }, () =>
      Array.from({ length: fibers === 2 ? 2 + random.below(2) : 1 + random.below(2) }, (): Act => [
        kinds[random.below(3)]!,
        random.below(2),
        random.below(fibers)
      ])
    )
  }

  const compared = (bounds: Partial<Explore.Options<string, never>>, programs: number) => {
    const runs = { full: 0, reduced: 0 }
    const outcomes = new Set<string>()
    for (let seed = 0; seed < programs; seed++) {
      const options = { runsMax: 100_000, ...bounds, program: program(drawn(seed)) }
      const full = Explore.run({ ...options, reduce: false })
      const reduced = Explore.run({ ...options, reduce: true })
      assert.isTrue(full.exhausted && reduced.exhausted, `seed ${seed}`)
      assert.deepStrictEqual(outcomesOf(reduced), outcomesOf(full), `seed ${seed}: ${JSON.stringify(drawn(seed))}`)
      runs.full += full.runs
      runs.reduced += reduced.runs
      for (const outcome of full.outcomes.keys()) outcomes.add(outcome)
    }
    // Programs with one outcome would prove nothing.
    assert.isAbove(outcomes.size, 2 * programs)
    return runs
  }

  it("leaves out no outcome of any order", () => {
    const { full, reduced } = compared({ deviationsMax: Infinity, preemptionsMax: 1 }, 12)
    assert.isBelow(reduced, full / 2)
  })

  it("leaves out no outcome of orders of two deviations", () => {
    const { full, reduced } = compared({ deviationsMax: 2, preemptionsMax: 2 }, 12)
    assert.isBelow(reduced, full)
  })
})

describe("an order that is played again", () => {
  const program = Effect.all([Effect.yieldNow, Effect.yieldNow], { concurrency: 2 })

  it.each(["2-999.7", "2-0.1-40.1"])("%s: does not fit, and that is said", (order) => {
    assert.throws(
      () => Explore.replay({ program }, order),
      RangeError,
      /does not fit this program, which has \d+ choices/
    )
  })

  it.each(["hello", "he llo", "", "2-1", "-1-1.1"])("%s: is none", (order) => {
    assert.throws(() => Explore.replay({ program }, order), RangeError, "no order is called")
  })
})

describe("what decides besides the order", () => {
  it("random numbers are the same in every run", () => {
    const program = Effect.gen(function* () {
      const drawn = Explore.shared({ first: 0 })
      yield* Effect.all(
        [1, 2].map(() => Effect.flatMap(Random.nextInt, (number) => Effect.sync(() => (drawn.first ||= number)))),
        { concurrency: 2 }
      )
      return drawn.first
    })
    const outcomes = () => [...Explore.run({ program }).outcomes.keys()].toSorted()
    assert.deepStrictEqual(outcomes(), outcomes())
    // Whoever draws first has the first number: both are found, although nothing that was named differs.
    assert.strictEqual(outcomes().length, 2)
  })

  it("an interruption finds its fiber wherever it stands", () => {
    const program = Effect.gen(function* () {
      const said = Explore.shared({ text: "" })
      const say = (what: string) => Effect.sync(() => (said.text += what))
      const fiber = yield* Effect.forkChild(
        Effect.gen(function* () {
          yield* Effect.void
          yield* Effect.onExit(
            Effect.suspend(() => say("1")),
            ({ _tag }) => say(_tag)
          )
        })
      )
      yield* Fiber.interrupt(fiber)
      return said.text
    })
    for (const reduce of [true, false]) {
      const { exhausted, outcomes } = Explore.run({ program, reduce })
      assert.isTrue(exhausted)
      assert.deepStrictEqual([...outcomes.keys()].toSorted(), ["", "1Success", "Failure"])
    }
  })
})
