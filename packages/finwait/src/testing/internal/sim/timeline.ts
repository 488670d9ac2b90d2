/**
 * Time and turns of a simulated network: the context's own clock and scheduler, so that whoever controls these controls
 * the network as well. Nothing here happens by itself.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"
import { monotonicMillis } from "../../../internal/monotonic.ts"
import { numbers } from "../numbers.ts"

/**
 * Times that are computed from a rate are no whole nanoseconds, which is what a clock counts in: what is less than this
 * ahead has come. A sleep that short would be over inside the very call that begins it.
 */
const shortestMillis = 0.001

export class Timeline {
  private readonly clock: Clock.Clock
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private readonly run: (effect: Effect.Effect<void>) => unknown
  /** From 0 to 1, drawn from the network's seed. */
  readonly draw: () => number
  /** Events that the network itself will bring about in time. */
  pending = 0

  constructor(context: Context.Context<never>, seed: number | string) {
    this.clock = Context.get(context, Clock.Clock)
    this.dispatcher = Context.get(context, Scheduler.Scheduler).makeDispatcher()
    this.run = Effect.runForkWith(context)
    this.draw = numbers(`network ${seed}`)
  }

  /** Monotonic milliseconds. */
  now(): number {
    return monotonicMillis(this.clock)
  }

  /** Whether that time has come. */
  isPast(millis: number): boolean {
    return millis - this.now() < shortestMillis
  }

  /** What a system does for its own program takes no time, but is never done inside the program's own call. */
  soon(task: () => void): void {
    this.dispatcher.scheduleTask(task, 0)
  }

  /** At that time, in the next turn when it is now; never for `Infinity`. */
  at(millis: number, task: () => void): void {
    if (millis === Infinity) return
    if (this.isPast(millis)) return this.soon(task)
    this.pending++
    this.run(
      Effect.andThen(
        this.clock.sleep(Duration.millis(millis - this.now())),
        Effect.sync(() => {
          this.pending--
          task()
        })
      )
    )
  }
}
