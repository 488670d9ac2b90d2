/**
 * Where a connection comes from, goes to, or is waited for: a TCP host and port, or the path of a Unix socket.
 *
 * Addresses are written as URLs, `tcp://127.0.0.1:7000`, `tcp://[::1]:7000`, `unix:///run/app.sock`, and every error of
 * this library names the one it is about. A relative path has no slashes before it: `unix:app.sock`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * A TCP address. `host` is a name or an IP address (IPv6 without brackets); port 0 asks the system for any free port.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tcp {
  readonly _tag: "Tcp"
  readonly host: string
  readonly port: number
}

/**
 * A Unix domain socket, by its path. A connected client has no path of its own: there it is empty.
 *
 * @category models
 * @since 0.1.0
 */
export interface Unix {
  readonly _tag: "Unix"
  readonly path: string
}

/**
 * @category models
 * @since 0.1.0
 */
export type Address = Tcp | Unix

/**
 * Everywhere an address is asked for, its URL does as well.
 *
 * @category models
 * @since 0.1.0
 */
export type Input = Address | string

/**
 * The text is not an address.
 *
 * @category errors
 * @since 0.1.0
 */
export class AddressError extends Schema.TaggedError<AddressError>()("AddressError", {
  input: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `parse address ${JSON.stringify(this.input)}: ${this.problem}; expected tcp://HOST:PORT or unix:///PATH`
  }
}

/**
 * @category constructors
 * @since 0.1.0
 */
export const tcp = (host: string, port: number): Tcp => ({ _tag: "Tcp", host, port })

/**
 * @category constructors
 * @since 0.1.0
 */
export const unix = (path: string): Unix => ({ _tag: "Unix", path })

const tcpPattern = /^tcp:\/\/(?:\[([^[\]/\s]*:[^[\]/\s]*)\]|([^:/?#[\]\s]+)):(\d{1,6})\/?$/

/**
 * Reads an address from its URL. An address that is one already passes through, after the same checks.
 *
 * **Example**
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Address from "finwait/Address"
 *
 * const address = Effect.runSync(Address.parse("tcp://[::1]:7000"))
 * console.log(Address.format(address)) // => tcp://[::1]:7000
 *
 * const error = Effect.runSync(Effect.flip(Address.parse("tcp://example.org:99999")))
 * console.log(error.problem) // => port 99999 is not between 0 and 65535
 * ```
 *
 * @category parsing
 * @since 0.1.0
 */
export const parse = (input: Input): Effect.Effect<Address, AddressError> => {
  const text = typeof input === "string" ? input : format(input)
  const invalid = (problem: string) => Effect.fail(new AddressError({ input: text, problem }))
  if (text.startsWith("unix:")) {
    const slashes = text.startsWith("unix://")
    const path = text.slice(slashes ? 7 : 5)
    if (path === "") return invalid("the path is empty")
    if (slashes && !path.startsWith("/")) {
      const meant = `write unix:///${path} (or unix:${path} if it is relative)`
      return invalid(`the path after unix:// is not absolute, ${meant}`)
    }
    return path.includes("\0") ? invalid("the path contains a NUL byte") : Effect.succeed(unix(path))
  }
  const parts = tcpPattern.exec(text)
  if (parts === null) return invalid(text.startsWith("tcp:") ? "no host and port" : "neither tcp: nor unix:")
  const port = Number(parts[3])
  if (port > 65535) return invalid(`port ${port} is not between 0 and 65535`)
  return Effect.succeed(tcp((parts[1] ?? parts[2])!, port))
}

/**
 * Writes an address as the URL that {@link parse} reads.
 *
 * @category formatting
 * @since 0.1.0
 */
export const format = (address: Address): string =>
  address._tag === "Unix"
    ? `${address.path.startsWith("/") ? "unix://" : "unix:"}${address.path}`
    : `tcp://${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`

/**
 * Writes an address as error messages name it: `tcp 127.0.0.1:7000`, `unix /run/app.sock`.
 *
 * @category formatting
 * @since 0.1.0
 */
export const describe = (address: Address): string =>
  address._tag === "Unix"
    ? `unix ${address.path === "" ? "(unnamed)" : address.path}`
    : format(address).replace("://", " ")
