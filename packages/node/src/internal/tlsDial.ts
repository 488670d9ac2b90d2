/**
 * The client's side of a TLS handshake, on a pipe that has been dialled.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Address from "finwait/Address"
import { HandshakeFailed, type Reason, reasonFromCode } from "finwait/NetworkError"
import { isIP, type Socket } from "node:net"
import * as Tls from "node:tls"
import { Relay, Secured, type Truncation } from "./secured.ts"
import type { NodeTransport } from "./transport.ts"
import { onNextTurn } from "./turns.ts"

/** What Node says of a handshake that failed; of the network's own failures, the network's. */
export const handshakeReason = (error: NodeJS.ErrnoException & { readonly reason?: string }): Reason => {
  const code = error.code ?? "UNKNOWN"
  // OpenSSL's message is a line of a log, with addresses, files and its end; what it says is beside it.
  const detail = code.startsWith("ERR_SSL_") ? (error.reason ?? error.message.trim()) : error.message
  // Node has no code of its own for a peer that hangs up in the middle of it.
  return /^E[A-Z]+$/.test(code) && code !== "ECONNRESET" && code !== "EPIPE"
    ? reasonFromCode(code, detail)
    : new HandshakeFailed({ code, detail })
}

/**
 * The name to ask for is the host's, unless it is an address, which has no name (RFC 6066, 3); and the certificate is held
 * against it: Node has no host to look at where a socket is given.
 */
export const named = (address: Address.Address): Tls.ConnectionOptions =>
  address._tag === "Unix"
    ? {}
    : { host: address.host, ...(isIP(address.host) === 0 ? { servername: address.host } : {}) }

/** Makes the pipe speak TLS. One that fails, or is interrupted, is for the caller to end. */
export const shakeHands = (
  pipe: NodeTransport,
  options: Tls.ConnectionOptions,
  truncation: Truncation
): Effect.Effect<NodeTransport, Reason> =>
  Effect.callback((resume) => {
    const socket = pipe.detach()
    const relay = truncation === "end" ? undefined : new Relay(socket)
    let tls: Tls.TLSSocket
    try {
      tls = Tls.connect({ ...options, allowHalfOpen: true, socket: (relay ?? socket) as Socket } as never)
    } catch (error) {
      return resume(Exit.fail(handshakeReason(error as NodeJS.ErrnoException)))
    }
    const onError = (error: NodeJS.ErrnoException) => resume(Exit.fail(handshakeReason(error)))
    const onClose = () =>
      resume(
        Exit.fail(new HandshakeFailed({ code: "ECONNRESET", detail: "the peer ended the connection in the handshake" }))
      )
    socket.on("error", ignore)
    tls.on("error", onError)
    tls.on("close", onClose)
    tls.once("secureConnect", () => {
      tls.off("close", onClose)
      pipe.secure(new Secured(tls, socket, relay, truncation))
      tls.off("error", onError)
      // As the acceptor has it: OpenSSL is at work below us.
      onNextTurn(() => resume(Exit.succeed(pipe)))
    })
  })

const ignore = (): void => {}
