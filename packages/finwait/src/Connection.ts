/**
 * One established conversation: bytes both ways, and one close that says goodbye properly.
 *
 * ```ts no-run
 * import * as Effect from "effect/Effect"
 * import * as Connection from "finwait/Connection"
 * import * as Network from "finwait/Network"
 *
 * const ask = Effect.scoped(Effect.gen(function*() {
 *   const connection = yield* Network.connect("tcp://127.0.0.1:7000")
 *   yield* connection.write("hello\n")
 *   yield* connection.closeWrite
 *   return yield* Connection.readText(connection)
 * }))
 * ```
 *
 * A connection belongs to a scope. When that ends, by success, failure or interruption, the connection is closed as its
 * `ClosePolicy` says, and the scope waits for it, for no longer than the policy's deadline.
 *
 * **Who may do what.** One fiber reads at a time; a second one gets `Busy`. Any fiber may write, and what one write
 * carries leaves in one piece. Any fiber may close, any number of times: it happens once, and all get the same outcome.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pipeable from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import type * as Pull from "effect/Pull"
import type * as Socket from "effect/socket/Socket"
import type * as Stream from "effect/Stream"
import * as Address from "./Address.ts"
import type { CloseOutcome, Stage } from "./CloseOutcome.ts"
import { ConnectionError, TooMuch } from "./ConnectionError.ts"
import type { ConnectionImpl } from "./internal/connection.ts"
import { type Goodbye, of as transportOf } from "./Transport.ts"

/**
 * @category type IDs
 * @since 0.1.0
 */
export const TypeId = "~finwait/Connection"

/**
 * An established connection. It is an Effect `Socket` too, so that everything of Effect that takes one takes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Connection extends Socket.Socket, Pipeable.Pipeable {
  readonly [TypeId]: typeof TypeId
  readonly localAddress: Address.Address
  readonly remoteAddress: Address.Address

  /**
   * The next bytes, as they arrived, never empty. Ends (`Cause.Done`) at the peer's FIN, or at the end of the input that
   * a drain brings. What is not pulled stays with the system, which holds the peer back.
   *
   * Fails with `ConnectionError`: `Reset`, `Closed` after this side's own close, `Busy` when another fiber reads.
   */
  readonly pull: Pull.Pull<Uint8Array, ConnectionError>

  /**
   * Like `pull`, for the rest of a message that has begun: a drain does not end it. `Framing` uses it; use it yourself
   * when you find messages in the bytes by hand.
   */
  readonly pullRest: Pull.Pull<Uint8Array, ConnectionError>

  /**
   * Everything that arrives, as a stream.
   */
  readonly stream: Stream.Stream<Uint8Array, ConnectionError>

  /**
   * Calls the handler with every chunk, inside the event that brings it, one at a time. The fastest way to read: no
   * fiber is woken per message, and a handler whose effect ends at once costs none. When its effect suspends, reading
   * pauses until it has ended. Ends with the input; fails when the handler does.
   */
  readonly each: <E, R>(
    handle: (chunk: Uint8Array) => Effect.Effect<unknown, E, R>
  ) => Effect.Effect<void, E | ConnectionError, R>

  /**
   * Writes bytes, or text as UTF-8, and waits while the peer does not keep up. Success means that there is room for
   * more, not that the peer has read it, nor that the system has taken all of it. The bytes belong to the connection for
   * good: do not change them, and write a copy of a buffer that is used again.
   *
   * Fails with `ConnectionError`: `Reset`, or `Closed` after `close`, `abort` or `closeWrite`.
   */
  readonly write: (chunk: Uint8Array | string) => Effect.Effect<void, ConnectionError>

  /**
   * The half-close: sends FIN behind everything written. Reading goes on until the peer's FIN.
   */
  readonly closeWrite: Effect.Effect<void, ConnectionError>

  /**
   * Closes as the policy says: farewell, flush, FIN, linger. Succeeds with the outcome, always, at the deadline at the
   * latest. The close goes on when who waits for it is interrupted; its scope waits for it in any case.
   */
  readonly close: Effect.Effect<CloseOutcome>

  /**
   * The same close with no time: RST, and what the peer has not read is lost. Cuts short a close that is under way.
   * A Unix socket has no RST: there the peer sees an end, as after a graceful close.
   */
  readonly abort: Effect.Effect<CloseOutcome>

  /**
   * Completes when the server that serves this connection is told to drain: nothing new will be asked of it.
   */
  readonly draining: Effect.Effect<void>

  /** Whether that has happened. */
  readonly isDraining: boolean

  /** How far it has come on its way from open to closed. */
  readonly stage: Stage

  /** What became of it; waits until it is closed, by whomever. */
  readonly outcome: Effect.Effect<CloseOutcome>
}

/**
 * @category guards
 * @since 0.1.0
 */
export const isConnection = (u: unknown): u is Connection => Predicate.hasProperty(u, TypeId)

/**
 * Closes as `connection.close` does, and says why, in the codes of WebSocket: `closeWith(connection, { code: 4000,
 * reason: "come back tomorrow" })`. On a WebSocket that is what the peer hears; other pipes have no words for it, and
 * close as always. Does not change what a close says that has begun.
 *
 * @category closing
 * @since 0.1.0
 */
export const closeWith = (connection: Connection, goodbye: Goodbye): Effect.Effect<CloseOutcome> =>
  Effect.suspend(() => {
    ;(connection as ConnectionImpl).output.goodbye = goodbye
    return connection.close
  })

/**
 * Whether a chunk that was read from this connection is a text message of a WebSocket.
 *
 * @category reading
 * @since 0.1.0
 */
export const isText = (connection: Connection, chunk: Uint8Array): boolean =>
  transportOf(connection).isText?.(chunk) === true

/**
 * A function that writes a line, for a `ClosePolicy`'s farewell.
 *
 * @category farewells
 * @since 0.1.0
 */
export const sendLine =
  (line: string) =>
  (connection: Connection): Effect.Effect<void, ConnectionError> =>
    connection.write(`${line}\n`)

/**
 * Reads to the end of the input. Fails with `TooMuch` when more than `bytesMax` arrive; default 16 MiB, because a peer
 * decides how much there is.
 *
 * @category reading
 * @since 0.1.0
 */
export const readAll = Effect.fnUntraced(function* (
  connection: Connection,
  options?: { readonly bytesMax?: number | undefined }
): Effect.fn.Return<Uint8Array, ConnectionError> {
  const bytesMax = options?.bytesMax ?? 16 * 1024 * 1024
  const chunks: Array<Uint8Array> = []
  let length = 0
  yield* connection.each((chunk) => {
    length += chunk.length
    if (length > bytesMax) {
      const address = Address.describe(connection.remoteAddress)
      return new ConnectionError({ operation: "read", address, reason: new TooMuch({ bytesMax }) })
    }
    chunks.push(chunk)
    return Effect.void
  })
  const all = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    all.set(chunk, offset)
    offset += chunk.length
  }
  return all
})

/**
 * Reads to the end of the input, as UTF-8 text.
 *
 * @category reading
 * @since 0.1.0
 */
export const readText = (
  connection: Connection,
  options?: { readonly bytesMax?: number | undefined }
): Effect.Effect<string, ConnectionError> =>
  Effect.map(readAll(connection, options), (bytes) => new TextDecoder().decode(bytes))

/**
 * The error of a pull: the connection's, or the end of its input.
 *
 * @category models
 * @since 0.1.0
 */
export type PullError = ConnectionError | Cause.Done
