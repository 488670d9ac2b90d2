import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ClosePolicy from "finwait/ClosePolicy"
import { Alarms, type Ringing } from "../src/internal/alarms.ts"
import { now, pair, passing, settled } from "./support/network.ts"

/** The test's clock, with a count of those who sleep by it. */
const counting = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const clock = Context.get(context, Clock.Clock)
  const sleeps = { begun: 0, now: 0 }
  const counted: Clock.Clock = {
    // oxlint-disable-next-line typescript/no-misused-spread -- the test's clock is a record of closures
    ...clock,
    sleep: (duration) =>
      Effect.suspend(() => {
        sleeps.begun++
        sleeps.now++
        return Effect.ensuring(
          clock.sleep(duration),
          Effect.sync(() => sleeps.now--)
        )
      })
  }
  return { context: Context.add(context, Clock.Clock, counted), sleeps }
})

const calling = (ring: () => void): Ringing => ({ ring })

describe("alarms", () => {
  it.effect("ring at their times, in the order in which they were set", () =>
    Effect.gen(function* () {
      const { context } = yield* counting
      const rung: Array<string> = []
      const set = (name: string, millis: number) =>
        new Alarms(context).set(
          millis,
          calling(() => void rung.push(`${name} at ${Effect.runSync(Effect.provideContext(now, context))}`))
        )
      set("a", 100)
      set("b", 50)
      yield* passing(30)
      set("c", 100)
      set("d", 50)
      set("e", 100)
      yield* passing(1000)
      assert.deepStrictEqual(rung, ["b at 50", "d at 80", "a at 100", "c at 130", "e at 130"])
    })
  )

  it.effect("of one duration share one sleeper, which goes with the last of them", () =>
    Effect.gen(function* () {
      const { context, sleeps } = yield* counting
      let rung = 0
      const alarms = Array.from({ length: 1000 }, () =>
        new Alarms(context).set(
          100,
          calling(() => rung++)
        )
      )
      assert.deepStrictEqual(sleeps, { begun: 1, now: 1 })
      for (const alarm of alarms.slice(1)) alarm.clear()
      yield* settled
      assert.strictEqual(sleeps.now, 1)
      alarms[0]!.clear()
      yield* settled
      assert.strictEqual(sleeps.now, 0)
      yield* passing(1000)
      assert.strictEqual(rung, 0)
      assert.strictEqual(sleeps.begun, 1)
    })
  )

  it.effect("that are taken back do not delay the others, wherever in the row they stood", () =>
    Effect.gen(function* () {
      for (const taken of [[0], [1], [2], [0, 1], [1, 2], [2, 0], [1, 1], [0, 2, 0]]) {
        const { context, sleeps } = yield* counting
        const rung: Array<string> = []
        const begun = yield* now
        const alarms = []
        for (let n = 0; n < 3; n++) {
          alarms.push(
            new Alarms(context).set(
              100,
              calling(() => rung.push(`${n} at ${Effect.runSync(Effect.provideContext(now, context)) - begun}`))
            )
          )
          yield* passing(10)
        }
        for (const n of taken) alarms[n]!.clear()
        yield* passing(1000)
        assert.deepStrictEqual(
          rung,
          [0, 1, 2].filter((n) => !taken.includes(n)).map((n) => `${n} at ${100 + n * 10}`)
        )
        // What has rung can be taken back, to no effect.
        for (const alarm of alarms) alarm.clear()
        assert.strictEqual(sleeps.now, 0)
      }
    })
  )

  it.effect("may set and take back others when they ring", () =>
    Effect.gen(function* () {
      const { context, sleeps } = yield* counting
      const rung: Array<string> = []
      new Alarms(context).set(
        100,
        calling(() => {
          rung.push("first")
          second.clear()
          new Alarms(context).set(
            100,
            calling(() => rung.push("third"))
          )
        })
      )
      const second = new Alarms(context).set(
        100,
        calling(() => rung.push("second"))
      )
      yield* passing(199)
      assert.deepStrictEqual(rung, ["first"])
      yield* passing(1)
      assert.deepStrictEqual(rung, ["first", "third"])
      yield* settled
      assert.strictEqual(sleeps.now, 0)
    })
  )

  it.effect("that are kept fall asleep once, and go with who keeps them", () =>
    Effect.gen(function* () {
      const { context, sleeps } = yield* counting
      const letGo = new Alarms(context).keep(100)
      let rung = 0
      for (let n = 0; n < 10; n++)
        new Alarms(context)
          .set(
            100,
            calling(() => rung++)
          )
          .clear()
      assert.deepStrictEqual(sleeps, { begun: 1, now: 1 })
      yield* passing(50)
      new Alarms(context).set(
        100,
        calling(() => rung++)
      )
      yield* passing(99)
      assert.strictEqual(rung, 0)
      yield* passing(1)
      assert.strictEqual(rung, 1)
      new Alarms(context)
        .set(
          100,
          calling(() => rung++)
        )
        .clear()
      yield* settled
      assert.strictEqual(sleeps.now, 1)
      letGo()
      letGo()
      yield* settled
      assert.strictEqual(sleeps.now, 0)
    })
  )

  it.effect("of different clocks do not mix", () =>
    Effect.gen(function* () {
      const one = yield* counting
      const other = yield* counting
      new Alarms(one.context).set(
        100,
        calling(() => {})
      )
      new Alarms(other.context).set(
        100,
        calling(() => {})
      )
      assert.strictEqual(one.sleeps.now, 1)
      assert.strictEqual(other.sleeps.now, 1)
      yield* passing(100)
      assert.strictEqual(one.sleeps.now, 0)
      assert.strictEqual(other.sleeps.now, 0)
    })
  )

  it.effect(
    "a hundred connections that close together have two sleepers, and nothing sleeps when their listener has stopped",
    () =>
      Effect.gen(function* () {
        const { context, sleeps } = yield* counting
        const policy = ClosePolicy.layer({ lingerTimeout: "20 seconds" })
        yield* Effect.gen(function* () {
          const pairs = yield* Effect.forEach(Array.from({ length: 100 }), () => pair())
          for (const { here } of pairs) yield* Effect.forkChild(here.close)
          yield* settled
          // One for the deadline, one for the idle linger.
          assert.strictEqual(sleeps.now, 2)
          for (const { peer } of pairs) yield* Effect.forkChild(peer.close)
          yield* settled
          for (const { here } of pairs) assert.strictEqual((yield* here.outcome)._tag, "Graceful")
          // The next close is expected as long as a listener listens.
          assert.strictEqual(sleeps.now, 2)
        }).pipe(
          Effect.scoped,
          Effect.provide(policy),
          Effect.provideService(Clock.Clock, Context.get(context, Clock.Clock))
        )
        assert.strictEqual(sleeps.now, 0)
        assert.strictEqual(sleeps.begun, 2)
      })
  )
})
