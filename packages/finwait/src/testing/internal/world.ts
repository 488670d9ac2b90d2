/**
 * A world of its own for one program: a scheduler and a clock, and the loop that runs both inside one call.
 *
 * What is ready runs, one task after the other, in an order that somebody chooses. When nothing is ready, time jumps to
 * the next timer. There is no event loop, no promise and no real time in it, so the same program and the same choices
 * give the same run, to the last operation.
 *
 * It is made to be quick: a campaign runs millions of programs through it. Effect makes a dispatcher for every fiber
 * that forks or yields; here all of them are one.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Scheduler from "effect/Scheduler"
import type { Order, Task } from "./choices.ts"
import { Timers } from "./worldTimers.ts"

/** How far a world goes before it is stopped. */
export interface Limits {
  readonly stepsMax: number
  readonly millisMax: number
}

/** Why a world stopped before the time: nothing can ever happen any more, or a limit was reached. */
export type Halt = "deadlock" | "stepsMax" | "timeMax"

const nanosPerMilli = 1_000_000

/** Effect's own loggers would write to the screen, in each of a million runs. */
const noLoggers: ReadonlySet<Logger.Logger<unknown, unknown>> = new Set()

export class World
  implements Scheduler.Scheduler, Scheduler.SchedulerDispatcher, Clock.Clock, Metric.FiberRuntimeMetricsService
{
  readonly executionMode = "async"
  /** Tasks that have run. */
  steps = 0
  /** Fibers that have begun and not ended. */
  fibers = 0
  readonly order: Order
  readonly context: Context.Context<never>
  private readonly timers = new Timers()
  private nanos = 0
  /** The same as a `bigint`, made when somebody asks for it. */
  private bigNanos: bigint | undefined = undefined

  constructor(order: Order, context: Context.Context<never> = Context.empty()) {
    this.order = order
    this.context = context.pipe(
      Context.add(Logger.CurrentLoggers, noLoggers),
      Context.add(Clock.Clock, this),
      Context.add(Metric.FiberRuntimeMetrics, this),
      Context.add(Scheduler.Scheduler, this)
    )
  }

  // The loop ----------------------------------------------------------------------------------------------------------

  /** Runs until `over`, or until it cannot or must not go on; `undefined` when it is over. */
  runUntil(over: () => boolean, limits: Limits): Halt | undefined {
    const { order } = this
    const nanosMax = limits.millisMax * nanosPerMilli
    while (!over()) {
      if (order.size === 0) {
        const next = this.timers.next
        if (next === Infinity) return "deadlock"
        if (next > nanosMax) return "timeMax"
        this.jump(next)
      }
      if (this.steps >= limits.stepsMax) return "stepsMax"
      this.steps++
      order.take()()
    }
    return undefined
  }

  /** Runs what needs no more than so much time, whoever it belongs to. */
  settle(millis: number, limits: Limits): Halt | undefined {
    const until = this.nanos + millis * nanosPerMilli
    return this.runUntil(() => this.order.size === 0 && this.timers.next > until, { ...limits, millisMax: Infinity })
  }

  /** All timers of one instant become ready together. */
  private jump(to: number): void {
    this.nanos = to
    this.bigNanos = undefined
    do this.order.due(this.timers.ring(), to)
    while (this.timers.next === to)
  }

  /** Timers that will ring. */
  get timersArmed(): number {
    return this.timers.armed
  }

  get elapsedMillis(): number {
    return this.nanos / nanosPerMilli
  }

  // The scheduler, which is every fiber's dispatcher as well ----------------------------------------------------------

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return this.order.shouldYield(fiber)
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this
  }

  scheduleTask(task: Task, priority: number): void {
    this.order.add(task, priority)
  }

  flush(): void {
    while (this.order.size > 0) {
      this.steps++
      this.order.take()()
    }
  }

  // The clock ---------------------------------------------------------------------------------------------------------

  currentTimeMillisUnsafe(): number {
    return this.nanos / nanosPerMilli
  }

  currentTimeNanosUnsafe(): bigint {
    return (this.bigNanos ??= BigInt(this.nanos))
  }

  monotonicTimeNanosUnsafe(): bigint {
    return (this.bigNanos ??= BigInt(this.nanos))
  }

  get currentTimeMillis(): Effect.Effect<number> {
    return Effect.sync(() => this.currentTimeMillisUnsafe())
  }

  get currentTimeNanos(): Effect.Effect<bigint> {
    return Effect.sync(() => this.currentTimeNanosUnsafe())
  }

  get monotonicTimeNanos(): Effect.Effect<bigint> {
    return Effect.sync(() => this.monotonicTimeNanosUnsafe())
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const millis = Duration.toMillis(duration)
    if (millis <= 0) return Effect.yieldNow
    if (millis === Infinity) return Effect.never
    return Effect.callback<void>((resume) => {
      const at = this.nanos + Math.round(millis * nanosPerMilli)
      const task = () => resume(Exit.void)
      const timer = this.timers.add(at, task)
      this.order.arm(task)
      return Effect.sync(() => {
        if (timer.task === undefined) this.order.drop(task)
        else this.timers.cancel(timer)
      })
    })
  }

  // Who is alive ------------------------------------------------------------------------------------------------------

  recordFiberStart(): void {
    this.fibers++
  }

  recordFiberEnd(): void {
    this.fibers--
  }
}
