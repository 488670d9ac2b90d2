/**
 * What became of a connection: exactly one of four endings, with the figures of its life.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * How far a connection has come on its way from open to closed.
 *
 * - `Open`: established, nobody has asked for a close.
 * - `Farewell`: the protocol's last words are being said.
 * - `Flushing`: what was written leaves for the kernel, then FIN.
 * - `Lingering`: FIN is sent; reading and discarding until the peer's.
 * - `Closed`: over, the outcome is known.
 *
 * @category models
 * @since 0.1.0
 */
export type Stage = "Open" | "Farewell" | "Flushing" | "Lingering" | "Closed"

/**
 * The linger limit that was reached, by its name in the `ClosePolicy`.
 *
 * @category models
 * @since 0.1.0
 */
export type LingerLimit = "lingerTimeout" | "lingerIdleTimeout" | "lingerBytesMax"

/**
 * Why a close was cut short: its own `deadline`, an `abort`, a server's `idle` timeout while the peer took nothing, or
 * the `shutdown` of the whole process or server that left no more time.
 *
 * @category models
 * @since 0.1.0
 */
export type AbortCause = "deadline" | "abort" | "idle" | "shutdown"

/**
 * The figures that every outcome carries.
 *
 * @category models
 * @since 0.1.0
 */
export interface Account {
  /** The stage that the connection had reached when it ended; never `Closed`. */
  readonly stage: Exclude<Stage, "Closed">
  /** Who sent the first FIN, or the reset. */
  readonly closedFirst: "local" | "peer"
  /**
   * `flushed`: it was given to the kernel whole, which is as much as a sender can know. `failed`: it was not, or not
   * known to be. `none`: the policy has none.
   */
  readonly farewell: "flushed" | "failed" | "none"
  /** Bytes that arrived, in all, the discarded ones among them. */
  readonly bytesRead: number
  /** Bytes that were given to the kernel. */
  readonly bytesWritten: number
  /** Bytes that arrived but were read by nobody. */
  readonly bytesDiscarded: number
  /** Bytes that were written by the program and never left it: 0 unless the close was cut short. */
  readonly bytesUnsent: number
  /** How long the close took, in milliseconds. */
  readonly closeMillis: number
}

/**
 * - `Graceful`: both sides said their last word and heard the other's.
 * - `LingerExpired`: ours was said; the peer's FIN did not come within the linger limits. Nothing of ours was taken
 *   back: what the kernel holds still goes out to a peer that reads.
 * - `ResetByPeer`: the peer, or the network, broke it. `code` is the system's word for it.
 * - `Aborted`: we broke it, with RST, because a limit left no more time or somebody asked for it.
 *
 * @category models
 * @since 0.1.0
 */
export type CloseOutcome = Data.TaggedEnum<{
  Graceful: Account
  LingerExpired: Account & { readonly limit: LingerLimit }
  ResetByPeer: Account & { readonly code: string }
  Aborted: Account & { readonly cause: AbortCause }
}>

/**
 * Constructors and matchers of the four outcomes.
 *
 * **Example**
 *
 * ```ts
 * import { CloseOutcome } from "finwait/CloseOutcome"
 *
 * declare const outcome: CloseOutcome
 *
 * const text = CloseOutcome.$match(outcome, {
 *   Graceful: () => "both sides said goodbye",
 *   LingerExpired: ({ limit }) => `the peer did not, within ${limit}`,
 *   ResetByPeer: ({ code }) => `the peer broke it: ${code}`,
 *   Aborted: ({ stage, cause }) => `we broke it at ${stage}: ${cause}`
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const CloseOutcome: Data.TaggedEnum.Constructor<CloseOutcome> = Data.taggedEnum<CloseOutcome>()

/**
 * The tags of the outcomes, in the order in which {@link CloseOutcome} lists them.
 *
 * @category models
 * @since 0.1.0
 */
export const tags = ["Graceful", "LingerExpired", "ResetByPeer", "Aborted"] as const
