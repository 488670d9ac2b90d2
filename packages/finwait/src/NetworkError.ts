/**
 * Connecting and listening that did not come about.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The text is not an address.
 *
 * @category reasons
 * @since 0.1.0
 */
export class AddressInvalid extends Schema.TaggedError<AddressInvalid>()("AddressInvalid", { problem: Schema.String }) {
  override get message() {
    return this.problem
  }
}

/**
 * Something listens there already.
 *
 * @category reasons
 * @since 0.1.0
 */
export class AddressInUse extends Schema.TaggedError<AddressInUse>()("AddressInUse", {}) {
  override get message() {
    return "the address is in use by another listener"
  }
}

/**
 * The address is not one of this machine's, or there is no such folder for a Unix socket.
 *
 * @category reasons
 * @since 0.1.0
 */
export class AddressNotAvailable extends Schema.TaggedError<AddressNotAvailable>()("AddressNotAvailable", {
  code: Schema.String
}) {
  override get message() {
    const isPath = this.code === "ENOENT" || this.code === "ENOTDIR"
    return `${isPath ? "there is no such folder" : "the address is not available here"} (${this.code})`
  }
}

/**
 * The path of a Unix socket is longer than the system's limit.
 *
 * @category reasons
 * @since 0.1.0
 */
export class PathTooLong extends Schema.TaggedError<PathTooLong>()("PathTooLong", {
  pathBytes: Schema.Number,
  pathBytesMax: Schema.Number
}) {
  override get message() {
    return `the path has ${this.pathBytes} bytes, the limit is ${this.pathBytesMax}`
  }
}

/**
 * The process may not do that: a port below 1024, a folder or a socket file of somebody else's.
 *
 * @category reasons
 * @since 0.1.0
 */
export class PermissionDenied extends Schema.TaggedError<PermissionDenied>()("PermissionDenied", {
  code: Schema.String
}) {
  override get message() {
    return `permission denied (${this.code})`
  }
}

/**
 * Nobody listens there.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {
  override get message() {
    return "refused: nobody listens there"
  }
}

/**
 * The name could not be resolved.
 *
 * @category reasons
 * @since 0.1.0
 */
export class HostNotFound extends Schema.TaggedError<HostNotFound>()("HostNotFound", { code: Schema.String }) {
  override get message() {
    return `the host could not be resolved (${this.code})`
  }
}

/**
 * It took longer than `connectTimeout`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class TimedOut extends Schema.TaggedError<TimedOut>()("TimedOut", { connectTimeoutMillis: Schema.Number }) {
  override get message() {
    return `no connection within connectTimeout ${this.connectTimeoutMillis} ms`
  }
}

/**
 * The connection was made, and what has to come before the first byte of it has failed: a certificate that is not trusted,
 * a protocol that is not spoken. `code` is the word of Node or of OpenSSL for it, `detail` its text.
 *
 * @category reasons
 * @since 0.1.0
 */
export class HandshakeFailed extends Schema.TaggedError<HandshakeFailed>()("HandshakeFailed", {
  code: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `the handshake failed: ${this.detail} (${this.code})`
  }
}

/**
 * Anything else that the system says, by its code.
 *
 * @category reasons
 * @since 0.1.0
 */
export class SystemFailure extends Schema.TaggedError<SystemFailure>()("SystemFailure", {
  code: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.code}: ${this.detail}`
  }
}

/**
 * @category reasons
 * @since 0.1.0
 */
export const Reason = Schema.Union([
  AddressInvalid,
  AddressInUse,
  AddressNotAvailable,
  PathTooLong,
  PermissionDenied,
  Refused,
  HostNotFound,
  TimedOut,
  HandshakeFailed,
  SystemFailure
])

/**
 * @category reasons
 * @since 0.1.0
 */
export type Reason = typeof Reason.Type

/**
 * Connecting, listening or accepting failed. The message names the operation, the address and the reason:
 * `listen tcp 127.0.0.1:7000: the address is in use by another listener`.
 *
 * @category errors
 * @since 0.1.0
 */
export class NetworkError extends Schema.TaggedError<NetworkError>()("NetworkError", {
  operation: Schema.Literals(["connect", "listen", "accept"]),
  address: Schema.String,
  reason: Reason
}) {
  override get message() {
    return `${this.operation} ${this.address}: ${this.reason.message}`
  }
}

/**
 * The reason that stands behind a code of the operating system.
 *
 * @category constructors
 * @since 0.1.0
 */
export const reasonFromCode = (code: string, detail: string): Reason => {
  switch (code) {
    case "EADDRINUSE":
      return new AddressInUse()
    case "EADDRNOTAVAIL":
    case "ENOTDIR":
    case "ENOENT":
      return new AddressNotAvailable({ code })
    case "EACCES":
    case "EPERM":
      return new PermissionDenied({ code })
    case "ECONNREFUSED":
      return new Refused()
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_NODATA":
    case "EAI_NONAME":
      return new HostNotFound({ code })
    default:
      return new SystemFailure({ code, detail })
  }
}
