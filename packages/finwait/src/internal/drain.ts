/**
 * The drain of one server. Like the close it runs once, on a fiber of its own that nobody interrupts, and reads as it
 * happens; whoever begins it, and whoever else asks, gets the same report.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as Address from "../Address.ts"
import { type CloseOutcome, tags } from "../CloseOutcome.ts"
import type { Drain, Phase, Progress, Report, Slow } from "../Drain.ts"
import type { Listener } from "../Listener.ts"
import * as Metrics from "../Metrics.ts"
import { CurrentShutdown } from "../Shutdown.ts"
import type { ShutdownBudget } from "../ShutdownBudget.ts"
import type { Bag, Member } from "./bag.ts"
import type { ConnectionImpl } from "./connection.ts"
import { quietly } from "./observe.ts"

/** How many slow connections a report names: enough to see a pattern, few enough to read. */
const slowestMax = 5

/** How long resets may take to be told. They are the kernel's acts; the bound is against a provider that is silent. */
const resetTimeout = Duration.seconds(2)

/** A connection that is being served. It is over when it is closed and its handler has ended. */
export interface Served extends Member {
  readonly connection: ConnectionImpl
  /** What the per-peer limit counts. */
  readonly host: string | undefined
  handlerEnded: boolean
  outcome: CloseOutcome | undefined
  /** Interrupts its handler. */
  interrupt(): void
}

/** What a drain is asked to do besides draining. */
export interface DrainOptions {
  readonly onDrained?: ((report: Report) => Effect.Effect<unknown, never, unknown>) | undefined
}

/** What the drain needs of the server that it ends. */
export interface Draining {
  readonly address: Address.Address
  readonly budget: ShutdownBudget
  readonly context: Context.Context<never>
  readonly options: DrainOptions
  readonly listener: Pick<Listener, "stop" | "abort">
  readonly served: Pick<Bag<Served>, "size"> & Iterable<Served>
  /** Monotonic milliseconds. */
  now(): number
  /** Runs something on a fiber of its own. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E>
  /** No rest any more: whoever waits for room gets it as soon as there is some. */
  rested(): void
  /** Those who waited for room that will not come: told at once, and counted like everybody. */
  turnWaitingAway(): void
  /** The drain is over: nothing is looked at any more. */
  drained(): void
}

/** How long the report waits for those who follow the progress to have seen its end. One that works slowly misses it. */
const followTimeout = Duration.millis(100)

export class ServerDrain implements Drain {
  /** From here on every connection is told to end, new ones as well. */
  announced = false
  private readonly server: Draining
  private current: Phase = "Serving"
  private began: number | undefined
  private connections = 0
  private backlog = 0
  private readonly outcomes: Record<CloseOutcome["_tag"], number> = {
    Graceful: 0,
    LingerExpired: 0,
    ResetByPeer: 0,
    Aborted: 0
  }
  private interrupted = 0
  private failed = 0
  private forcedAt: Phase | undefined
  private slowest: Array<Slow> = []
  private done: Report | undefined
  private isCut = false
  private wake: (() => void) | undefined
  private readonly watchers = new Set<(progress: Progress) => void>()
  private readonly reportWaiters = new Set<(exit: Exit.Exit<Report>) => void>()

  constructor(server: Draining) {
    this.server = server
  }

  /** The time for serving anybody is over. */
  get refusing(): boolean {
    return this.current === "Resetting" || this.current === "Done"
  }

  readonly phase = Effect.sync(() => this.current)
  readonly isReady = Effect.sync(() => this.current === "Serving")

  readonly begin: Effect.Effect<Report> = Effect.suspend(() => {
    if (this.began === undefined) {
      this.began = this.now()
      // Counted in the same moment: from now on those who join count themselves.
      this.connections = this.server.served.size
      this.server.fork(this.run)
    }
    return this.report
  })

  readonly cut: Effect.Effect<void> = Effect.sync(() => this.cutNow())

  /** No more time, for a drain that has begun. */
  cutNow(): void {
    if (this.began === undefined) return
    this.isCut = true
    this.wake?.()
  }

  readonly report: Effect.Effect<Report> = Effect.callback<Report>((resume) => {
    if (this.done !== undefined) return resume(Exit.succeed(this.done))
    this.reportWaiters.add(resume)
    return Effect.sync(() => this.reportWaiters.delete(resume))
  })

  get progress(): Stream.Stream<Progress> {
    return Stream.callback<Progress>(
      (queue) =>
        Effect.gen({ self: this }, function* () {
          const tell = (progress: Progress) => {
            Queue.offerUnsafe(queue, progress)
            if (progress.phase === "Done") Queue.endUnsafe(queue)
          }
          tell(this.progressNow)
          if (this.done !== undefined) return
          this.watchers.add(tell)
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              this.watchers.delete(tell)
              this.wake?.()
            })
          )
        }),
      { bufferSize: 16, strategy: "sliding" }
    )
  }

  // What the server tells ---------------------------------------------------------------------------------------------

  joined(): void {
    if (this.began === undefined) return
    this.connections++
    if (this.current === "Backlog") this.backlog++
  }

  left(served: Served): void {
    if (this.began === undefined) return
    this.count(served)
    this.tell()
    if (this.server.served.size === 0) this.wake?.()
  }

  /** A connection has closed, whether its handler has ended or not: while resetting, that is what is awaited. */
  look(): void {
    if (this.current === "Resetting") this.wake?.()
  }

  handlerFailed(): void {
    if (this.began !== undefined) this.failed++
  }

  // The drain ---------------------------------------------------------------------------------------------------------

  private readonly run: Effect.Effect<void> = Effect.suspend(() => {
    const { budget, served, context } = this.server
    if (Context.get(context, CurrentShutdown).isCut) this.cutNow()
    const drain = Effect.gen({ self: this }, function* () {
      const times = `handlers have ${Duration.format(budget.deadline)}, closing ${Duration.format(budget.close)}`
      yield* quietly(Effect.logInfo(`drain ${this.name}: ${count(served.size, "connection")}; ${times}`))
      yield* this.enter("LameDuck")
      yield* this.until(() => false, budget.lameDuck)
      yield* this.enter("Backlog")
      this.announced = true
      // Those who waited for room are served now: nobody else will come.
      for (const { connection } of served) connection.announce()
      const deadline = this.now() + Duration.toMillis(budget.deadline)
      yield* this.stopped(deadline)
      this.server.rested()
      yield* this.enter("Waiting")
      yield* this.until(() => served.size === 0, this.before(deadline))
      if (served.size > 0) yield* this.interrupt
      if (served.size > 0) yield* this.reset
      yield* this.finish
    })
    // Whoever waits is told last: a program that ends at the report has ended the span, and an exporter has it.
    return Effect.withSpan(drain, "finwait.drain", { attributes: { "server.address": this.name } }).pipe(
      Effect.catchCause((cause) => this.broken(cause)),
      Effect.andThen(Effect.sync(() => this.tellReport()))
    )
  })

  /** What runs in a drain is ours, but for loggers and tracers. Whatever one of them does, the drain ends, and tells. */
  private broken(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    for (const { connection } of this.server.served) connection.cut("shutdown")
    this.forcedAt ??= this.current
    this.done ??= this.takeReport()
    this.server.drained()
    this.current = "Done"
    this.tell()
    return quietly(Effect.logError(`drain ${this.name}: a defect; everything was reset`, cause))
  }

  private before(deadline: number): Duration.Duration {
    return Duration.millis(Math.max(0, deadline - this.now()))
  }

  private get name(): string {
    return Address.describe(this.server.address)
  }

  /** Stops listening; at once, when handing over the backlog would take too long. */
  private stopped(deadline: number): Effect.Effect<unknown> {
    const { listener } = this.server
    return Effect.map(this.ended(listener.stop, this.before(deadline)), (exit) => exit ?? listener.abort())
  }

  /** Runs something on a fiber of its own, and awaits its end for no longer than its time. */
  private ended<A, E>(
    effect: Effect.Effect<A, E>,
    time: Duration.Duration
  ): Effect.Effect<Exit.Exit<A, E> | undefined> {
    return Effect.suspend(() => {
      let ended: Exit.Exit<A, E> | undefined
      this.server.fork(effect).addObserver((exit) => {
        ended = exit
        this.wake?.()
      })
      return Effect.map(
        this.until(() => ended !== undefined, time),
        () => ended
      )
    })
  }

  private readonly interrupt = Effect.gen({ self: this }, function* () {
    const { budget, served } = this.server
    if (this.isCut) return
    yield* this.enter("Interrupting")
    this.server.turnWaitingAway()
    for (const one of served) {
      if (one.handlerEnded) continue
      this.interrupted++
      this.forcedAt ??= "Interrupting"
      one.interrupt()
    }
    yield* this.until(() => served.size === 0, budget.close)
  })

  private readonly reset = Effect.gen({ self: this }, function* () {
    const { served } = this.server
    yield* this.enter("Resetting")
    this.server.turnWaitingAway()
    this.forcedAt ??= "Resetting"
    for (const one of served) {
      // Before the cut, which may end the handler.
      const { handlerEnded } = one
      // The connection first: a handler that ends would have it closed, and a FIN makes half an answer look whole.
      one.connection.cut("shutdown")
      if (handlerEnded || !this.isCut) continue
      this.interrupted++
      one.interrupt()
    }
    this.isCut = false
    const closed = () => [...served].every(({ outcome }) => outcome !== undefined)
    yield* this.until(closed, resetTimeout)
    // A handler that waited for just that ends now, and is not abandoned.
    yield* Effect.yieldNow
  })

  private readonly finish = Effect.gen({ self: this }, function* () {
    const { options } = this.server
    // A cut was about the connections; who wants the report gets the time for it.
    this.isCut = false
    const report = this.takeReport()
    yield* quietly((report.clean ? Effect.logInfo : Effect.logWarning)(`drain ${this.name}: ${summary(report)}`))
    if (options.onDrained !== undefined) {
      const { onDrained } = options
      const told = Effect.suspend(() => onDrained(report) as Effect.Effect<unknown>)
      yield* this.ended(
        Effect.tapCause(told, (cause) => quietly(Effect.logError(`drain ${this.name}: onDrained failed`, cause))),
        this.server.budget.margin
      )
    }
    this.server.drained()
    this.done = report
    yield* this.enter("Done")
    // The report ends the program, as a rule, and with it those who follow the progress: they see its end first.
    yield* this.until(() => this.watchers.size === 0, followTimeout)
  })

  private takeReport(): Report {
    const { served, context } = this.server
    // Whoever is left has a handler that ignores the interruption. Its connection is closed; it is counted here.
    const abandoned = served.size
    for (const left of served) this.count(left)
    const durationMillis = Math.round(this.now() - this.began!)
    const report: Report = {
      clean: this.forcedAt === undefined,
      address: Address.format(this.server.address),
      connections: this.connections,
      backlog: this.backlog,
      outcomes: { ...this.outcomes },
      handlersInterrupted: this.interrupted,
      handlersFailed: this.failed,
      handlersAbandoned: abandoned,
      ...(this.forcedAt === undefined ? {} : { forcedAt: this.forcedAt }),
      durationMillis,
      slowest: this.slowest
    }
    Metrics.drainDuration.updateUnsafe(durationMillis, context)
    Context.get(context, CurrentShutdown).report(report)
    return report
  }

  private tellReport(): void {
    const exit = Exit.succeed(this.done!)
    for (const resume of this.reportWaiters) resume(exit)
    this.reportWaiters.clear()
  }

  private enter(phase: Phase): Effect.Effect<void> {
    return Effect.sync(() => {
      this.current = phase
      this.tell()
    })
  }

  /** Awaits a condition, for no longer than its time, and not at all when there is none left. */
  private until(condition: () => boolean, time: Duration.Duration): Effect.Effect<unknown> {
    const over = () => this.isCut || condition()
    return Effect.suspend(() =>
      over() || Duration.isZero(time)
        ? Effect.void
        : Effect.callback<void>((resume) => {
            this.wake = () => {
              if (over()) resume(Effect.void)
            }
            // Since the look above the scheduler may have let others go first.
            this.wake()
            return Effect.sync(() => {
              this.wake = undefined
            })
          }).pipe(Effect.timeoutOption(time))
    )
  }

  private count({ connection, outcome }: Served): void {
    const tag = outcome?._tag ?? "Aborted"
    this.outcomes[tag]++
    // What the application itself aborted, or its idle limit, was its own decision, not the drain's.
    const forced =
      outcome === undefined ||
      (outcome._tag === "Aborted" && (outcome.cause === "deadline" || outcome.cause === "shutdown"))
    if (forced) this.forcedAt ??= this.current
    const millis = Math.round(this.now() - this.began!)
    const slowest = this.slowest
    const last = slowest[slowest.length - 1]
    if (slowest.length === slowestMax && last!.millis >= millis) return
    const slow: Slow = { peer: connection.name, millis, outcome: tag, stage: outcome?.stage ?? connection.stage }
    this.slowest = [...slowest, slow].toSorted((a, b) => b.millis - a.millis).slice(0, slowestMax)
  }

  private get progressNow(): Progress {
    return {
      phase: this.current,
      left: this.server.served.size,
      connections: this.connections,
      elapsedMillis: this.done?.durationMillis ?? (this.began === undefined ? 0 : Math.round(this.now() - this.began))
    }
  }

  private tell(): void {
    if (this.watchers.size === 0) return
    const progress = this.progressNow
    for (const watcher of this.watchers) watcher(progress)
  }

  private now(): number {
    return this.server.now()
  }
}

/** One line that tells a person what happened, and to whom. */
const summary = (report: Report): string => {
  const outcomes = tags.filter((tag) => report.outcomes[tag] > 0).map((tag) => `${report.outcomes[tag]} ${tag}`)
  const troubles = [
    [report.handlersInterrupted, "interrupted"],
    [report.handlersFailed, "failed"],
    [report.handlersAbandoned, "abandoned"]
  ] as const
  const forced = report.slowest.filter(({ outcome }) => outcome === "Aborted")
  return [
    `${report.clean ? "clean" : `forced at ${report.forcedAt}`} after ${report.durationMillis} ms`,
    count(report.connections, "connection"),
    ...outcomes,
    ...troubles.filter(([much]) => much > 0).map(([much, what]) => `${count(much, "handler")} ${what}`),
    ...forced.map(({ peer, stage }) => `${peer} aborted at ${stage}`)
  ].join(", ")
}

const count = (much: number, what: string): string => `${much} ${what}${much === 1 ? "" : "s"}`
