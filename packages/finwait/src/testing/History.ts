/**
 * What happened on a simulated network, in order: what programs did, what their systems told them, how their closes
 * went, and what went wrong. The same seed and the same program give the same history.
 *
 * @since 0.1.0
 */
import type { CloseOutcome } from "../CloseOutcome.ts"
import type { Side } from "./Fault.ts"

/**
 * - Of a connection: `connected` (the dialling side has it), `accepted` (the listening side has it).
 * - Acts of the program: `write` (bytes), `closeWrite`, `reset`, `release`.
 * - What it was told: `data` (bytes), `end` (the peer's FIN), `writable`, `flushed`, `broken` (code), `released`.
 * - How its close goes: `stage`, and `outcome` at the end.
 * - Of a listener: `listen`, `backlog` (a connection is established and waits), `overflow` (the backlog is full),
 *   `refused`, `acceptError` (code), `stop`, `abort`.
 * - `fault`: something went wrong, as planned or injected.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind =
  | "connected"
  | "accepted"
  | "write"
  | "closeWrite"
  | "reset"
  | "release"
  | "data"
  | "end"
  | "writable"
  | "flushed"
  | "broken"
  | "released"
  | "stage"
  | "outcome"
  | "listen"
  | "backlog"
  | "overflow"
  | "refused"
  | "acceptError"
  | "stop"
  | "abort"
  | "fault"
  | "dropped"

/**
 * @category models
 * @since 0.1.0
 */
export interface Event {
  /** Of the network's clock. */
  readonly millis: number
  /** The connection's number, in the order of establishment, from 1; 0 for a listener. */
  readonly connection: number
  readonly side: Side | "listener"
  readonly kind: Kind
  /** Bytes, a code, a stage, an address, a fault: what there is to say. */
  readonly detail: string | number
  /** With `outcome`: all of it. */
  readonly outcome?: CloseOutcome
}

/**
 * An event as a line: `    40.000 ms  #1 server    stage Lingering`.
 *
 * @category formatting
 * @since 0.1.0
 */
export const formatEvent = ({ connection, detail, kind, millis, side }: Event): string => {
  const who = side === "listener" ? "listener" : `#${connection} ${side}`
  return `${millis.toFixed(3).padStart(12)} ms  ${who.padEnd(12)} ${kind}${detail === "" ? "" : ` ${detail}`}`
}

/**
 * A history, a line per event.
 *
 * @category formatting
 * @since 0.1.0
 */
export const format = (events: ReadonlyArray<Event>): string => events.map(formatEvent).join("\n")

/**
 * The events of one end of one connection.
 *
 * @category queries
 * @since 0.1.0
 */
export const of = (events: ReadonlyArray<Event>, connection: number, side: Side): ReadonlyArray<Event> =>
  events.filter((event) => event.connection === connection && event.side === side)
