/**
 * TLS on a connection that has begun without it: STARTTLS, as SMTP, IMAP, LDAP and PostgreSQL have it.
 *
 * What had come behind the last plain message is given to TLS, as the peer's first words of the handshake: a client may
 * send both at once. What an attacker has put there, to be taken for the peer's own once the connection is safe
 * (CVE-2011-0411 and its like), is no handshake, and ends it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import type * as Socket from "effect/socket/Socket"
import { CannotUpgrade } from "finwait/Transport"
import { Buffer } from "node:buffer"
import type * as Net from "node:net"
import * as Tls from "node:tls"
import { Secured } from "./secured.ts"
import type { NodeTransport } from "./transport.ts"
import { onNextTurn } from "./turns.ts"

/** As a server's handshakes have it. */
const handshakeTimeout = Duration.seconds(10)

export type Role = "server" | "client"

type Text = string | Uint8Array

const all = <A>(value: A | ReadonlyArray<A>): ReadonlyArray<A> =>
  Array.isArray(value) ? (value as ReadonlyArray<A>) : [value as A]

const buffers = (value: Text | ReadonlyArray<Text>): Array<Buffer> =>
  all(value).map((one) => Buffer.from(one as string))

const contextOf = ({ ca, cert, key, passphrase }: Socket.TlsUpgradeOptions): Tls.SecureContextOptions => ({
  ...(key === undefined ? {} : { key: all(key).map((one) => Buffer.from(Redacted.value(one) as string)) }),
  ...(cert === undefined ? {} : { cert: buffers(cert) }),
  ...(ca === undefined ? {} : { ca: buffers(ca) }),
  ...(passphrase === undefined ? {} : { passphrase: Redacted.value(passphrase) })
})

const optionsOf = (options: Socket.TlsUpgradeOptions) => ({
  ...contextOf(options),
  ...(options.alpnProtocols === undefined ? {} : { ALPNProtocols: [...options.alpnProtocols] }),
  ...(options.requestCert === undefined ? {} : { requestCert: options.requestCert }),
  ...(options.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: options.rejectUnauthorized })
})

/** Why it cannot begin, if it cannot: nothing has happened to the connection then. */
const obstacle = (pipe: NodeTransport, role: Role, options: Socket.TlsUpgradeOptions): string | undefined => {
  const { cert, key } = options
  if (pipe.secured !== undefined) return "it speaks TLS already"
  if (pipe.isSecuring) return "a handshake is under way"
  if (pipe.socket.destroyed || pipe.socket.writableEnded) return "it is closed"
  if ((key === undefined) !== (cert === undefined)) return "a key needs its certificate, and a certificate its key"
  if (role === "server" && key === undefined) return "a server needs a key and its certificate"
  try {
    Tls.createSecureContext(contextOf(options))
  } catch (error) {
    return (error as Error).message
  }
  return undefined
}

type Told = (outcome: Tls.TLSSocket | Error) => void

const accept = (socket: Net.Socket, options: Socket.TlsUpgradeOptions, told: Told): void => {
  const server = Tls.createServer({ ...optionsOf(options), allowHalfOpen: true, pauseOnConnect: true })
  server.once("secureConnection", (tls) => {
    tls.allowHalfOpen = true
    told(tls)
  })
  server.once("tlsClientError", told)
  // As `TlsAcceptor` has it: who ends in the middle of the handshake is gone.
  socket.allowHalfOpen = false
  server.emit("connection", socket)
  socket.allowHalfOpen = true
}

const dial = (socket: Net.Socket, options: Socket.TlsUpgradeOptions, told: Told): void => {
  const { servername } = options
  const name = servername === undefined ? {} : { servername }
  const tls = Tls.connect({ ...optionsOf(options), ...name, allowHalfOpen: true, socket } as never)
  tls.on("error", told)
  tls.once("secureConnect", () => {
    told(tls)
    tls.off("error", told)
  })
}

const tooLate = (): unknown => new Error(`no handshake within ${Duration.format(handshakeTimeout)}`)

export const upgradeToTls = (
  pipe: NodeTransport,
  role: Role,
  options: Socket.TlsUpgradeOptions,
  arrived: ReadonlyArray<Uint8Array>
): Effect.Effect<void, unknown> =>
  Effect.suspend(() => {
    const problem = obstacle(pipe, role, options)
    return problem === undefined
      ? Effect.timeoutOrElse(handshake(pipe, role, options, arrived), {
          duration: handshakeTimeout,
          orElse: () => Effect.fail(tooLate())
        })
      : Effect.fail(new CannotUpgrade({ problem }))
  })

const handshake = (
  pipe: NodeTransport,
  role: Role,
  options: Socket.TlsUpgradeOptions,
  arrived: ReadonlyArray<Uint8Array>
): Effect.Effect<void, unknown> =>
  Effect.callback<void, unknown>((resume) => {
    const socket = pipe.beginSecuring()
    socket.pause()
    for (const bytes of arrived.toReversed()) socket.unshift(bytes)
    let isOver = false
    const onClose = () => told(new Error("the peer ended the connection in the handshake"))
    // Only the first counts: what breaks later is no handshake any more.
    const told: Told = (outcome) => {
      if (isOver) return
      isOver = true
      socket.off("close", onClose)
      if (outcome instanceof Error) {
        pipe.fail("ERR_TLS_HANDSHAKE")
        resume(Exit.fail(outcome))
      } else {
        pipe.secure(new Secured(outcome, socket, undefined, "end"))
        // As `TlsAcceptor` has it: OpenSSL is at work below us.
        onNextTurn(() => resume(Exit.void))
      }
    }
    socket.on("error", ignore)
    // Before the pipe itself hears of it: who is told that it is gone has to know that it has broken.
    socket.prependOnceListener("close", onClose)
    try {
      ;(role === "server" ? accept : dial)(socket, options, told)
    } catch (error) {
      told(error as Error)
    }
    return Effect.sync(() => told(new Error("it was interrupted")))
  })

const ignore = (): void => {}
