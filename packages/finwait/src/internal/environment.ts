/**
 * What all connections of one listener have in common, or one that was dialled has for itself: looked up once, not
 * once for each.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import type { ClosePolicy } from "../ClosePolicy.ts"
import { CurrentShutdown, type Shutdown } from "../Shutdown.ts"
import { Alarms } from "./alarms.ts"
import { type Counters, countersOf } from "./counters.ts"
import { monotonicMillis } from "./monotonic.ts"
import type { Output } from "./output.ts"

export class Environment {
  readonly policy: ClosePolicy
  readonly context: Context.Context<never>
  readonly shutdown: Shutdown
  readonly counters: Counters
  /** Whether a log line of level Debug is read by anybody. */
  readonly isDebugging: boolean
  // The policy's limits, in milliseconds:
  readonly farewellMillis: number
  readonly lingerMillis: number
  readonly lingerIdleMillis: number
  readonly deadlineMillis: number
  /** When a linger is first looked at. */
  readonly lingerFirstMillis: number
  readonly alarms: Alarms
  private readonly clock: Clock.Clock
  private gathering: Array<Output> | undefined
  private dispatcher: Scheduler.SchedulerDispatcher | undefined

  constructor(policy: ClosePolicy, context: Context.Context<never>) {
    this.policy = policy
    this.context = context
    this.shutdown = Context.get(context, CurrentShutdown)
    this.counters = countersOf(context)
    const level = Context.get(context, References.MinimumLogLevel)
    this.isDebugging = level === "All" || level === "Trace" || level === "Debug"
    this.farewellMillis = Duration.toMillis(policy.farewellTimeout)
    this.lingerMillis = Duration.toMillis(policy.lingerTimeout)
    this.lingerIdleMillis = Duration.toMillis(policy.lingerIdleTimeout)
    this.deadlineMillis = Duration.toMillis(policy.deadline)
    this.lingerFirstMillis = Math.min(this.lingerMillis, this.lingerIdleMillis)
    this.alarms = new Alarms(context)
    this.clock = Context.get(context, Clock.Clock)
  }

  /** Many closes are to be expected, until the given function is called. */
  expectCloses(): () => void {
    return this.alarms.keep(this.deadlineMillis, this.lingerFirstMillis)
  }

  /** Writes what an output gathers at the end of this turn, if nobody has before: who gathers may wait for something. */
  atTurnEnd(output: Output): void {
    const gathering = (this.gathering ??= [])
    if (gathering.push(output) > 1) return
    this.dispatcher ??= Context.get(this.context, Scheduler.Scheduler).makeDispatcher()
    this.dispatcher.scheduleTask(() => this.releaseAll(), 0)
  }

  private releaseAll(): void {
    const { gathering = [] } = this
    this.gathering = undefined
    for (const output of gathering) output.endTurn()
  }

  /** Monotonic milliseconds. */
  now(): number {
    return monotonicMillis(this.clock)
  }
}
