/**
 * A process that stops as it should: told by a signal, in its time, with an exit code that tells.
 *
 * ```ts no-run
 * import * as Layer from "effect/Layer"
 * import * as NodeNetwork from "@finwait/node/NodeNetwork"
 * import * as NodeProcess from "@finwait/node/NodeProcess"
 * import * as Server from "finwait/Server"
 *
 * const echo = Server.layer({
 *   listen: "tcp://0.0.0.0:7000",
 *   handler: (connection) => connection.each((chunk) => connection.write(chunk))
 * })
 *
 * NodeProcess.runMain(Layer.launch(echo.pipe(Layer.provide(NodeNetwork.layer))))
 * ```
 *
 * The first SIGTERM, SIGINT or SIGHUP interrupts the program, and so its servers drain and its scopes close. A second
 * cuts every deadline to zero: what is open is reset. A third exits at once. The same signal again within half a second
 * is a wrapper's echo of the first (npm, `node --watch` and terminals send one to a whole group) and is not counted.
 *
 * The process is gone before its grace period is over: half a margin before, it resets what is still open and exits; a
 * quarter before, a watchdog kills it if its event loop is blocked. A loop that is already blocked when the signal comes
 * never hears the signal: then only the supervisor's own kill helps.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Runtime from "effect/Runtime"
import * as Shutdown from "finwait/Shutdown"
import * as ShutdownBudget from "finwait/ShutdownBudget"
import { constants } from "node:os"
import { inspect } from "node:util"
import { flushed } from "./internal/stdio.ts"
import { onNextTurns } from "./internal/turns.ts"
import { watch } from "./internal/watchdog.ts"

/**
 * How a process came to its end, for the choice of its exit code.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ending {
  /** What the program itself ended with. */
  readonly exit: Exit.Exit<unknown, unknown>
  /** The first signal, if one came. */
  readonly signal: NodeJS.Signals | undefined
  /** How many signals came, echoes not counted. */
  readonly signals: number
  /** Something was not given the time it needed: a handler was interrupted, a connection reset. */
  readonly forced: boolean
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The time to stop in, and how it is divided: set `grace` to what your supervisor gives
   * (`terminationGracePeriodSeconds`, `TimeoutStopSec`). Servers without a `drain` of their own follow it. Default: 30
   * seconds, Kubernetes' own.
   */
  readonly shutdown?: ShutdownBudget.Input | undefined
  /** Which signals ask for the end. Default SIGTERM, SIGINT and SIGHUP. */
  readonly signals?: ReadonlyArray<NodeJS.Signals> | undefined
  /** Within this time the same signal again is an echo. Default 500 milliseconds; zero counts every one. */
  readonly echoWindow?: Duration.Input | undefined
  /** The exit code. Default: {@link exitCode}. */
  readonly exitCode?: ((ending: Ending) => number) | undefined
  /**
   * Kills the process, a quarter of the margin before the grace period is over, when its event loop is blocked then and
   * neither a finalizer nor a timer can run; names the function that blocks it. It is a thread of its own, started by
   * the first signal: a loop that is already blocked when the signal comes never hears the signal, and then only the
   * supervisor's kill helps. Default `true`.
   */
  readonly watchdog?: boolean | undefined
  /**
   * What an uncaught exception or an unhandled rejection does: `drain` (default) reports it and stops the process as a
   * signal does, with a failing exit code; `crash` leaves it to Node, which ends the process on the spot. That nobody
   * reads the process's output any more (EPIPE on stdout or stderr) is neither, and stops nothing.
   */
  readonly uncaught?: "drain" | "crash" | undefined
  /** Does not print the failure of the program. Default `false`. */
  readonly disableErrorReporting?: boolean | undefined
}

/**
 * The exit code that tells how it went: 0 when the program succeeded, or was stopped by a signal and nothing was forced;
 * 1 when something was (a second signal alone forces nothing); the error's own code (`Runtime.errorExitCode`), or 1, when the program failed; 130 when it
 * interrupted itself.
 *
 * @category exit codes
 * @since 0.1.0
 */
export const exitCode = (ending: Ending): number => {
  if (Exit.isFailure(ending.exit) && !Cause.hasInterruptsOnly(ending.exit.cause)) {
    return Runtime.getErrorExitCode(Cause.squash(ending.exit.cause))
  }
  if (ending.forced) return 1
  return Exit.isFailure(ending.exit) && ending.signals === 0 ? 130 : 0
}

/**
 * Runs a program as the process's own.
 *
 * @category running
 * @since 0.1.0
 */
export const runMain = <A, E>(program: Effect.Effect<A, E>, options: Options = {}): void => {
  const budget = Effect.runSyncExit(ShutdownBudget.make(options.shutdown))
  const problem = Exit.isFailure(budget) ? (Cause.squash(budget.cause) as Error).message : problemOf(options)
  if (Exit.isFailure(budget) || problem !== undefined) {
    say(problem!)
    process.exitCode = 1
    return
  }
  new Main(budget.value, options).run(program)
}

/** What is wrong with the options beside the budget, if something is. */
const problemOf = ({ echoWindow = 0, signals = [] }: Options): string | undefined => {
  try {
    if (Duration.toMillis(Duration.fromInputUnsafe(echoWindow)) < 0) return "runMain echoWindow: must not be negative"
  } catch {
    return `runMain echoWindow: ${inspect(echoWindow)} is not a duration`
  }
  for (const signal of signals) {
    if (!Object.hasOwn(constants.signals, signal)) return `runMain signals: ${inspect(signal)} is not a signal`
    if (signal === "SIGKILL" || signal === "SIGSTOP") return `runMain signals: ${signal} cannot be caught`
  }
  return undefined
}

/** From a cut to the resets: the drain wakes in the first turn, its connections in the second. */
const resetTurns = 2

class Main {
  private readonly budget: ShutdownBudget.ShutdownBudget
  private readonly options: Options
  private readonly shutdown: Shutdown.Shutdown
  private readonly signals: ReadonlyArray<NodeJS.Signals>
  private readonly echoMillis: number
  private fiber: Fiber.Fiber<unknown, unknown> | undefined
  private first: NodeJS.Signals | undefined
  private count = 0
  private last: { readonly signal: NodeJS.Signals; readonly at: number } | undefined
  private failed = false
  private stopping = false
  private keepAlive: NodeJS.Timeout | undefined
  private readonly told = new Set<string>()

  constructor(budget: ShutdownBudget.ShutdownBudget, options: Options) {
    this.budget = budget
    this.options = options
    this.shutdown = Shutdown.make(budget)
    this.signals = options.signals ?? ["SIGTERM", "SIGINT", "SIGHUP"]
    this.echoMillis = Duration.toMillis(Duration.fromInputUnsafe(options.echoWindow ?? 500))
  }

  run<A, E>(program: Effect.Effect<A, E>): void {
    for (const signal of this.signals) process.on(signal, this.onSignal)
    if (this.options.uncaught !== "crash") {
      process.on("uncaughtException", this.onUncaught)
      process.on("unhandledRejection", this.onUnhandled)
    }
    process.stdout.on("error", onOutputError)
    process.stderr.on("error", ignored)
    this.shutdown.onRequest(() => {
      this.failed = true
      this.stop()
    })
    // A program that waits for something that Node does not count, as a fiber does, is not over.
    this.keepAlive = setInterval(() => {}, 2 ** 31 - 1)
    const main = Effect.provideService(program, Shutdown.CurrentShutdown, this.shutdown)
    this.fiber = Effect.runFork(main)
    // A signal may have come from within the program, before there was a fiber to interrupt.
    if (this.stopping) this.fiber.interruptUnsafe()
    this.fiber.addObserver((exit) => this.end(exit))
  }

  private readonly onSignal = (signal: NodeJS.Signals): void => {
    const at = performance.now()
    if (this.last?.signal === signal && at - this.last.at < this.echoMillis) return
    this.last = { signal, at }
    this.count++
    if (this.count === 1) {
      this.first = signal
      const most = Duration.format(ShutdownBudget.hardDeadline(this.budget))
      say(`${signal}: stopping, within ${most}; a second signal resets what is open, a third exits at once`)
      this.stop()
    } else if (this.count === 2) {
      say(`${signal} again: every deadline is cut, what is open is reset`)
      this.shutdown.cut()
    } else {
      say(`${signal} a third time: exiting at once`)
      process.exit(128 + constants.signals[signal])
    }
  }

  private readonly onUncaught = (error: unknown): void => this.fail("uncaught exception", error)

  private readonly onUnhandled = (error: unknown): void => this.fail("unhandled rejection", error)

  private fail(what: string, error: unknown): void {
    this.failed = true
    const text = inspect(error)
    // What fails again with every tick of a timer would fill the log with one stack.
    if (this.told.has(text)) say(`${what} again: ${text.split("\n", 1)[0]}`)
    else say(`${what}: stopping\n${text}`)
    this.told.add(text)
    this.stop()
  }

  private stop(): void {
    if (this.stopping) return
    this.stopping = true
    const grace = Duration.toMillis(this.budget.grace)
    const margin = Duration.toMillis(this.budget.margin)
    const latest = grace - margin / 2
    // Somebody else's finalizer may have no bound: the process does.
    setTimeout(() => this.endNow(latest), latest).unref()
    // First, because what follows runs handlers, and one of them may be what blocks.
    if (this.options.watchdog !== false) watch(grace, margin)
    // Every server begins at once: the scopes that own them may end one after the other.
    this.shutdown.begin()
    this.fiber?.interruptUnsafe()
  }

  /** An exit closes what is open as if it were complete, and so that is reset first. */
  private endNow(latest: number): void {
    say(`not everything has ended within ${Math.round(latest)} ms: exiting`)
    // What ends now only because of the cut was forced as well.
    this.failed = true
    this.shutdown.cut()
    let turns = 0
    onNextTurns({
      turn: () => {
        if (++turns < resetTurns) return true
        process.exit(this.codeOf({ exit: Exit.interrupt(), signal: this.first, signals: this.count, forced: true }))
      }
    })
  }

  private end(exit: Exit.Exit<unknown, unknown>): void {
    clearInterval(this.keepAlive)
    // Here, not in the program's own fiber: one that is interrupted runs nothing more, and its release may have failed.
    if (Exit.isFailure(exit) && !this.options.disableErrorReporting) Effect.runSync(report(exit.cause))
    const forced = this.failed || this.shutdown.forced > 0 || this.shutdown.reports.some((report) => !report.clean)
    const code = this.codeOf({ exit, signal: this.first, signals: this.count, forced })
    if (!this.stopping && code === 0) {
      // The program is over of itself: what else keeps Node running may go on, with Node's own signals.
      for (const signal of this.signals) process.off(signal, this.onSignal)
      process.off("uncaughtException", this.onUncaught)
      process.off("unhandledRejection", this.onUnhandled)
      process.stdout.off("error", onOutputError)
      process.stderr.off("error", ignored)
      return
    }
    flushed(() => process.exit(code))
  }

  private codeOf(ending: Ending): number {
    return (this.options.exitCode ?? exitCode)(ending)
  }
}

const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Cause.hasInterruptsOnly(cause) || !Runtime.getErrorReported(Cause.squash(cause))
    ? Effect.void
    : // On stderr, whatever the program's own logs do: what it prints on stdout may be data.
      Effect.provideService(Effect.logError(cause), Logger.LogToStderr, true)

const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

/** Whoever read the logs is gone (`| head -1`): no reason to stop serving. Anything else is as bad as it would be. */
const onOutputError = (error: NodeJS.ErrnoException): void => {
  if (error.code !== "EPIPE") throw error
}

/** What fails on stderr cannot be told anybody: to try would only fail again. */
const ignored = (): void => {}
