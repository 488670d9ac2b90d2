/**
 * The time that a supervisor gives a process to stop, divided among what has to happen in it.
 *
 * Kubernetes calls the whole `terminationGracePeriodSeconds` (30 seconds by default), systemd `TimeoutStopSec` (90
 * seconds), Docker's `stop -t` (10 seconds). When it is over the process is killed, whatever it was doing. So the parts
 * must fit, and a budget whose parts do not is an error when the server starts, not when it stops.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Check from "./internal/options.ts"

/**
 * A budget in which every part is known, and whose sum is at most `grace`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ShutdownBudget {
  /** From the signal until the supervisor kills. */
  readonly grace: Duration.Duration
  /** Lame duck: still serving, already saying that the end is near. */
  readonly lameDuck: Duration.Duration
  /** From the announcement until handlers that still run are interrupted. */
  readonly deadline: Duration.Duration
  /** From the interruption until what is still open is reset. */
  readonly close: Duration.Duration
  /** Left for the rest of the process: other finalizers, the last log lines, the exit. */
  readonly margin: Duration.Duration
}

/**
 * Parts of a budget; what is left out follows from the others.
 *
 * @category models
 * @since 0.1.0
 */
export interface Input {
  /** Default 30 seconds, Kubernetes' own. A preStop hook spends of it too: subtract its time. */
  readonly grace?: Duration.Input | undefined
  /**
   * Default 0. Behind a load balancer: as long as it takes to notice that readiness has turned false, period times
   * failure threshold of its probe.
   */
  readonly lameDuck?: Duration.Input | undefined
  /** Default: what the other parts leave. */
  readonly deadline?: Duration.Input | undefined
  /**
   * Default a fifth of the grace period, at most 6 seconds: the 5 that a close waits for a silent peer, as nginx does,
   * and one for what it flushes, so that with 30 seconds a linger ends by itself and not by a reset.
   */
  readonly close?: Duration.Input | undefined
  /** Default a tenth of the grace period, at most 2 seconds. */
  readonly margin?: Duration.Input | undefined
}

/**
 * The parts do not fit the whole. The message shows the sum:
 * `shutdown budget: lameDuck 10s + deadline 20s + close 6s + margin 2s = 38s, 8s more than grace 30s`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ShutdownBudgetError extends Schema.TaggedError<ShutdownBudgetError>()("ShutdownBudgetError", {
  problem: Schema.String
}) {
  override get message() {
    return `shutdown budget: ${this.problem}`
  }
}

const kubernetesDefault = Duration.seconds(30)

const closeMillisMax = 6000

const show = (millis: number): string => (millis % 1000 === 0 ? `${millis / 1000}s` : `${millis}ms`)

/**
 * Divides a grace period. `within` is the budget of the whole process, in which this one has to fit and from which it
 * takes what `input` leaves out.
 *
 * Fails with `ShutdownBudgetError` when the parts do not fit, when nothing is left for the handlers, or when a part is
 * negative, endless or not a duration.
 *
 * **Example**
 *
 * ```ts
 * import * as Duration from "effect/Duration"
 * import * as Effect from "effect/Effect"
 * import * as ShutdownBudget from "finwait/ShutdownBudget"
 *
 * const budget = Effect.runSync(ShutdownBudget.make({ grace: "60 seconds", lameDuck: "15 seconds" }))
 * console.log(Duration.toSeconds(budget.deadline)) // => 37
 *
 * const error = Effect.runSync(Effect.flip(ShutdownBudget.make({ grace: "10 seconds", deadline: "20 seconds" })))
 * console.log(error.problem) // => lameDuck 0s + deadline 20s + close 2s + margin 1s = 23s, 13s more than grace 10s
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  input: Input = {},
  within?: ShutdownBudget
): Effect.fn.Return<ShutdownBudget, ShutdownBudgetError> {
  if (within !== undefined && Object.values(input).every((part) => part === undefined)) return within
  const invalid = (problem: string) => new ShutdownBudgetError({ problem })
  const part = Effect.fnUntraced(function* (name: keyof Input, otherwise: Duration.Duration) {
    const given = input[name]
    const duration =
      given === undefined
        ? otherwise
        : yield* Effect.try({
            try: () => Check.duration(name, given),
            catch: (error) => invalid((error as RangeError).message)
          })
    if (!Duration.isFinite(duration)) return yield* invalid(`${name} must be finite`)
    return Duration.toMillis(duration)
  })
  const grace = yield* part("grace", within?.grace ?? kubernetesDefault)
  if (within !== undefined && grace > Duration.toMillis(within.grace)) {
    return yield* invalid(
      `grace ${show(grace)} is longer than the whole process has, ${show(Duration.toMillis(within.grace))}`
    )
  }
  const lameDuck = yield* part("lameDuck", within?.lameDuck ?? Duration.zero)
  const close = yield* part("close", within?.close ?? Duration.millis(Math.min(closeMillisMax, grace / 5)))
  const margin = yield* part("margin", within?.margin ?? Duration.millis(Math.min(2000, grace / 10)))
  const left = Math.max(0, grace - lameDuck - close - margin)
  const most = within === undefined ? left : Math.min(left, Duration.toMillis(within.deadline))
  const deadline = yield* part("deadline", Duration.millis(most))
  const sum = lameDuck + deadline + close + margin
  const parts = [
    ["lameDuck", lameDuck],
    ["deadline", deadline],
    ["close", close],
    ["margin", margin]
  ] as const
  const shown = `${parts.map(([name, millis]) => `${name} ${show(millis)}`).join(" + ")} = ${show(sum)}`
  if (sum > grace) {
    const whole =
      input.grace !== undefined
        ? ""
        : within === undefined
          ? ", Kubernetes' default; set grace if yours is longer"
          : ", which the whole process has"
    return yield* invalid(`${shown}, ${show(sum - grace)} more than grace ${show(grace)}${whole}`)
  }
  if (deadline === 0 && input.deadline === undefined) {
    return yield* invalid(`${shown}: nothing is left for the handlers' deadline within grace ${show(grace)}`)
  }
  return {
    grace: Duration.millis(grace),
    lameDuck: Duration.millis(lameDuck),
    deadline: Duration.millis(deadline),
    close: Duration.millis(close),
    margin: Duration.millis(margin)
  }
})

/**
 * How long a drain may take in all: the budget without its margin.
 *
 * @category getters
 * @since 0.1.0
 */
export const hardDeadline = (budget: ShutdownBudget): Duration.Duration =>
  Duration.sum(Duration.sum(budget.lameDuck, budget.deadline), budget.close)
