/**
 * A simulated host as `netstat` or `ss` would show it: who listens, who is connected to whom, in which state, what is
 * queued, and who waits on what. For the message of a test that failed, and for a look in between.
 *
 * **Example**
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Netstat from "finwait/testing/Netstat"
 * import * as SimNetwork from "finwait/testing/SimNetwork"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const sim = yield* SimNetwork.make()
 *   yield* sim.network.listen("tcp://127.0.0.1:7000")
 *   const client = yield* sim.network.connect("tcp://127.0.0.1:7000", { close: { deadline: 0 } })
 *   yield* client.write("hello")
 *   return yield* sim.netstat
 * }))
 *
 * const snapshot = await Effect.runPromise(program)
 * console.log(snapshot.sockets.map(({ side, state }) => `${side} ${state}`).join()) // => client ESTABLISHED,server ESTABLISHED
 * console.log(Netstat.format(snapshot).split("\n")[1]!.trim()) // => tcp 127.0.0.1:7000 listening, backlog 1 of 511
 * ```
 *
 * @since 0.1.0
 */
import type { Stage } from "../CloseOutcome.ts"
import type { Side } from "./Fault.ts"

/**
 * The states of RFC 9293, 3.3.2, as far as established connections have them.
 *
 * @category models
 * @since 0.1.0
 */
export type TcpState =
  | "ESTABLISHED"
  | "FIN-WAIT-1"
  | "FIN-WAIT-2"
  | "CLOSE-WAIT"
  | "CLOSING"
  | "LAST-ACK"
  | "TIME-WAIT"
  | "CLOSED"

/**
 * @category models
 * @since 0.1.0
 */
export interface ListenerState {
  readonly address: string
  readonly backlog: number
  readonly backlogMax: number
  /** Connections that the program has been handed. */
  readonly accepted: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface SocketState {
  /** The connection's number, in the order of establishment, from 1. */
  readonly connection: number
  readonly side: Side
  readonly local: string
  readonly remote: string
  readonly state: TcpState
  /** Whether a program still holds it: what it has given back only its system keeps. */
  readonly held: boolean
  readonly stage: Stage
  /** Bytes that the peer has not got. */
  readonly sendQueueBytes: number
  /** Bytes that the program has not read. */
  readonly receiveQueueBytes: number
  /** Bytes that have arrived in all, read or not. */
  readonly arrivedBytes: number
  /** Who waits on what, in words. Empty when nobody does. */
  readonly waits: ReadonlyArray<string>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Snapshot {
  readonly millis: number
  readonly listeners: ReadonlyArray<ListenerState>
  /** Sockets that programs hold, or systems still work on. */
  readonly sockets: ReadonlyArray<SocketState>
  /** Events that the network itself will still bring about: each is one timer of the clock, and one fiber. */
  readonly eventsPending: number
}

const row = (cells: ReadonlyArray<string>, widths: ReadonlyArray<number>): string =>
  cells.map((cell, index) => cell.padEnd(widths[index]!)).join("  ")

const header = ["", "local", "remote", "state", "stage", "unsent", "unread", "waits"]

/**
 * A snapshot as a table.
 *
 * @category formatting
 * @since 0.1.0
 */
export const format = ({ listeners, millis, sockets }: Snapshot): string => {
  const rows = sockets.map((socket) => [
    `#${socket.connection} ${socket.side}`,
    socket.local,
    socket.remote,
    socket.held ? socket.state : `${socket.state} (given back)`,
    socket.stage,
    String(socket.sendQueueBytes),
    String(socket.receiveQueueBytes),
    socket.waits.join("; ")
  ])
  const widths = header.map((title, index) => Math.max(title.length, ...rows.map((cells) => cells[index]!.length)))
  return [
    `at ${millis} ms`,
    ...listeners.map(
      ({ accepted, address, backlog, backlogMax }) =>
        `  ${address} listening, backlog ${backlog} of ${backlogMax}${accepted === 0 ? "" : `, ${accepted} accepted`}`
    ),
    ...(rows.length === 0 ? ["  no sockets"] : [header, ...rows].map((cells) => `  ${row(cells, widths)}`.trimEnd()))
  ].join("\n")
}
