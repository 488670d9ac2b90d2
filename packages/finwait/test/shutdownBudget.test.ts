import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as ShutdownBudget from "finwait/ShutdownBudget"

const parts = ["grace", "lameDuck", "deadline", "close", "margin"] as const
const millis = (input?: ShutdownBudget.Input) => {
  const budget = Effect.runSync(ShutdownBudget.make(input))
  return parts.map((part) => Duration.toMillis(budget[part]))
}
const problem = (input: ShutdownBudget.Input) => Effect.runSync(Effect.flip(ShutdownBudget.make(input))).message

describe("a shutdown budget", () => {
  it("divides 30 seconds when it is told nothing", () => {
    assert.deepStrictEqual(millis(), [30_000, 0, 22_000, 6000, 2000])
  })

  it("derives what is left out from the grace period", () => {
    assert.deepStrictEqual(
      millis({ grace: "60 seconds", lameDuck: "15 seconds" }),
      [60_000, 15_000, 37_000, 6000, 2000]
    )
    assert.deepStrictEqual(millis({ grace: "10 seconds" }), [10_000, 0, 7000, 2000, 1000])
    assert.deepStrictEqual(millis({ grace: 1000 }), [1000, 0, 700, 200, 100])
    assert.deepStrictEqual(millis({ grace: "90 seconds", close: "20 seconds" }), [90_000, 0, 68_000, 20_000, 2000])
  })

  it("takes what it is told, and leaves the rest of the time unused", () => {
    assert.deepStrictEqual(
      millis({ grace: 10_000, lameDuck: 1000, deadline: 2000, close: 3000, margin: 500 }),
      [10_000, 1000, 2000, 3000, 500]
    )
    assert.deepStrictEqual(millis({ deadline: 0 }), [30_000, 0, 0, 6000, 2000])
  })

  it("shows the sum when the parts do not fit", () => {
    assert.strictEqual(
      problem({ grace: "30 seconds", lameDuck: "10 seconds", deadline: "20 seconds" }),
      "shutdown budget: lameDuck 10s + deadline 20s + close 6s + margin 2s = 38s, 8s more than grace 30s"
    )
    assert.strictEqual(
      problem({ deadline: "30 seconds" }),
      "shutdown budget: lameDuck 0s + deadline 30s + close 6s + margin 2s = 38s, 8s more than grace 30s, " +
        "Kubernetes' default; set grace if yours is longer"
    )
    assert.strictEqual(
      problem({ grace: 1000, lameDuck: 1500 }),
      "shutdown budget: lameDuck 1500ms + deadline 0s + close 200ms + margin 100ms = 1800ms, 800ms more than grace 1s"
    )
  })

  it("is exact to the millisecond", () => {
    const exact = { grace: 10_000, lameDuck: 1000, deadline: 6000, close: 2000, margin: 1000 }
    assert.deepStrictEqual(millis(exact), [10_000, 1000, 6000, 2000, 1000])
    for (const part of ["lameDuck", "deadline", "close", "margin"] as const) {
      assert.include(problem({ ...exact, [part]: exact[part] + 1 }), "= 10001ms, 1ms more than grace 10s")
    }
  })

  it("refuses to leave the handlers nothing, unless it is told to", () => {
    assert.strictEqual(
      problem({ grace: 10_000, lameDuck: 7000 }),
      "shutdown budget: lameDuck 7s + deadline 0s + close 2s + margin 1s = 10s: nothing is left for the handlers' " +
        "deadline within grace 10s"
    )
    assert.deepStrictEqual(millis({ grace: 10_000, lameDuck: 7000, deadline: 0 }), [10_000, 7000, 0, 2000, 1000])
    assert.strictEqual(
      problem({ grace: 0 }),
      "shutdown budget: lameDuck 0s + deadline 0s + close 0s + margin 0s = 0s: nothing is left for the handlers' " +
        "deadline within grace 0s"
    )
  })

  it("refuses a part that is no duration, negative or endless", () => {
    for (const part of parts) {
      assert.strictEqual(problem({ [part]: "a while" }), `shutdown budget: ${part} "a while" is not a duration`)
      assert.strictEqual(problem({ [part]: -1 }), `shutdown budget: ${part} must be a duration of at least 0, not -1`)
      assert.strictEqual(problem({ [part]: Infinity }), `shutdown budget: ${part} must be finite`)
      assert.strictEqual(problem({ [part]: NaN }), `shutdown budget: ${part} NaN is not a duration`)
    }
  })

  it("never exceeds its grace period, whatever it is made of", () => {
    const part = fc.option(fc.integer({ min: 0, max: 40_000 }), { nil: undefined })
    fc.assert(
      fc.property(fc.record({ grace: part, lameDuck: part, deadline: part, close: part, margin: part }), (input) => {
        const exit = Effect.runSyncExit(ShutdownBudget.make(input))
        if (exit._tag === "Failure") return
        const { close, deadline, grace, lameDuck, margin } = exit.value
        const sum = [lameDuck, deadline, close, margin].reduce((sum, part) => sum + Duration.toMillis(part), 0)
        assert.isAtMost(sum, Duration.toMillis(grace) + 1e-6)
        assert.closeTo(
          Duration.toMillis(ShutdownBudget.hardDeadline(exit.value)),
          sum - Duration.toMillis(margin),
          1e-6
        )
        for (const name of parts) {
          if (input[name] !== undefined) assert.strictEqual(Duration.toMillis(exit.value[name]), input[name])
        }
      })
    )
  })

  describe("within that of the whole process", () => {
    const process = Effect.runSync(ShutdownBudget.make({ grace: 20_000, lameDuck: 3000, deadline: 9000, close: 4000 }))
    const within = (input: ShutdownBudget.Input) => {
      const budget = Effect.runSync(ShutdownBudget.make(input, process))
      return parts.map((part) => Duration.toMillis(budget[part]))
    }

    it("is the same when it is told nothing", () => {
      assert.strictEqual(Effect.runSync(ShutdownBudget.make({ grace: undefined }, process)), process)
    })

    it("takes from it what it is not told, and gives the handlers no more than it", () => {
      assert.deepStrictEqual(within({ lameDuck: 1000 }), [20_000, 1000, 9000, 4000, 2000])
      assert.deepStrictEqual(within({ lameDuck: 8000 }), [20_000, 8000, 6000, 4000, 2000])
      assert.deepStrictEqual(within({ grace: 10_000, deadline: 1000 }), [10_000, 3000, 1000, 4000, 2000])
    })

    it("is refused when it does not fit", () => {
      assert.strictEqual(
        Effect.runSync(Effect.flip(ShutdownBudget.make({ grace: "30 seconds" }, process))).message,
        "shutdown budget: grace 30s is longer than the whole process has, 20s"
      )
      assert.strictEqual(
        Effect.runSync(Effect.flip(ShutdownBudget.make({ deadline: "15 seconds" }, process))).message,
        "shutdown budget: lameDuck 3s + deadline 15s + close 4s + margin 2s = 24s, 4s more than grace 20s, " +
          "which the whole process has"
      )
    })
  })
})
