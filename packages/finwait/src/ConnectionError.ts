/**
 * What can go wrong on an established connection, told by who caused it: your own code, the peer, or the world between.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Your code closed it: a read or a write after `close`, `abort` or `closeWrite`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Closed extends Schema.TaggedError<Closed>()("Closed", {}) {
  override get message() {
    return "closed by this side"
  }
}

/**
 * The peer or the network ended it: a reset (`ECONNRESET`), a write to a peer that is gone (`EPIPE`), a peer that no
 * longer acknowledges (`ETIMEDOUT`). `code` is the system's name for it.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Reset extends Schema.TaggedError<Reset>()("Reset", { code: Schema.String }) {
  override get message() {
    return this.code === "ECONNRESET" ? "reset by the peer" : `broken (${this.code})`
  }
}

/**
 * Two fibers read at once. Bytes would go to either at random, so the second is refused; let one fiber read, or share
 * what it read.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {
  override get message() {
    return "another fiber is reading already"
  }
}

/**
 * The bytes asked for do not fit the limit that was set for them.
 *
 * @category reasons
 * @since 0.1.0
 */
export class TooMuch extends Schema.TaggedError<TooMuch>()("TooMuch", { bytesMax: Schema.Number }) {
  override get message() {
    return `more than bytesMax ${this.bytesMax} bytes`
  }
}

/**
 * @category reasons
 * @since 0.1.0
 */
export const Reason = Schema.Union([Closed, Reset, Busy, TooMuch])

/**
 * An operation on an established connection failed. The message names the operation, the address and the reason:
 * `read tcp 127.0.0.1:50312: reset by the peer`.
 *
 * **When to use**
 *
 * Handle one reason with `Effect.catchReason("ConnectionError", "Reset", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConnectionError extends Schema.TaggedError<ConnectionError>()("ConnectionError", {
  operation: Schema.Literals(["read", "write", "closeWrite"]),
  address: Schema.String,
  reason: Reason
}) {
  override get message() {
    return `${this.operation} ${this.address}: ${this.reason.message}`
  }
}
