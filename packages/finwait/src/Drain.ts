/**
 * The end of a server: nothing new, the old finished, everybody told, and a report of what became of every connection.
 *
 * A drain goes through its phases in order, each with its limit, as the server's `ShutdownBudget` divides the time:
 *
 * 1. `LameDuck`: still serving, no longer ready (`isReady` turns false), so that a balancer takes the server out.
 * 2. `Backlog`: the listener stops; who waits in the kernel's backlog is accepted and served.
 * 3. `Waiting`: every connection has been told. What had arrived is read; then each input ends at its next message
 *    boundary, the handler answers what it has in hand and ends, and its connection closes gracefully.
 * 4. `Interrupting`: the deadline has passed; handlers that still run are interrupted, their connections closed.
 * 5. `Resetting`: the time for closing has passed too, or somebody was in a hurry; what is open is reset.
 * 6. `Done`: the report is known.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { CloseOutcome, Stage } from "./CloseOutcome.ts"

/**
 * Where a server is between serving and gone.
 *
 * @category models
 * @since 0.1.0
 */
export type Phase = "Serving" | "LameDuck" | "Backlog" | "Waiting" | "Interrupting" | "Resetting" | "Done"

/**
 * A drain under way.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  readonly phase: Phase
  /** Connections that are not closed yet, or whose handler still runs. */
  readonly left: number
  /** Connections that the drain is about: open when it began, or accepted from then on. */
  readonly connections: number
  readonly elapsedMillis: number
}

/**
 * A connection that took long to end.
 *
 * @category models
 * @since 0.1.0
 */
export interface Slow {
  readonly peer: string
  /** From the beginning of the drain until it was closed. */
  readonly millis: number
  readonly outcome: CloseOutcome["_tag"]
  readonly stage: Stage
}

/**
 * What became of everybody. `outcomes` add up to `connections`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  /** Nothing was forced: no handler interrupted, no connection aborted by us. */
  readonly clean: boolean
  readonly address: string
  /** Connections that the drain was about: open when it began, or accepted from then on. */
  readonly connections: number
  /** Of those, the ones that were accepted while the backlog was handed over. */
  readonly backlog: number
  readonly outcomes: Readonly<Record<CloseOutcome["_tag"], number>>
  readonly handlersInterrupted: number
  /** Handlers that ended with a failure of their own during the drain. */
  readonly handlersFailed: number
  /** Handlers that ignored the interruption and were still running when the drain was over. */
  readonly handlersAbandoned: number
  /** The phase in which something was forced first. */
  readonly forcedAt?: Phase
  readonly durationMillis: number
  /** The five that took longest, the longest first. */
  readonly slowest: ReadonlyArray<Slow>
}

/**
 * A server's drain, before, while and after it happens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Drain {
  readonly phase: Effect.Effect<Phase>
  /** `true` while serving, `false` from the lame duck on: what a readiness probe asks. */
  readonly isReady: Effect.Effect<boolean>
  /** Begins the drain, if nobody has, and waits for its report. The end of the server's scope does the same. */
  readonly begin: Effect.Effect<Report>
  /** No more time: goes to `Resetting` at once. Does nothing before the drain has begun. */
  readonly cut: Effect.Effect<void>
  /** The report, once the drain is done, whoever began it. */
  readonly report: Effect.Effect<Report>
  /**
   * What happens, from the time of subscription to the end of the drain. Who does not keep up sees only the latest. The
   * last element is `Done`, and comes before the report. Follow it on a fiber that the end of the program's own scopes
   * does not end first: `Effect.forkDetach`.
   */
  readonly progress: Stream.Stream<Progress>
}
