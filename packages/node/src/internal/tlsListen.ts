/**
 * Listens for TLS: Node's TLS server beside the listening socket, and what replaces its certificate.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { Acceptor } from "finwait/Transport"
import * as Tls from "node:tls"
import type { HandshakeLimits } from "./handshakes.ts"
import type { Truncation } from "./secured.ts"
import { TlsAcceptor } from "./tlsAcceptor.ts"

/** The clock of handshakes is the acceptor's, whose own is the shorter one. */
const never = 2 ** 31 - 1

/** Throws what is wrong with a key or a certificate. */
export const tlsServer = (options: Tls.TlsOptions): Tls.Server =>
  Tls.createServer({ ...options, allowHalfOpen: true, pauseOnConnect: true, handshakeTimeout: never })

/** An acceptor of TLS over one of sockets, which it stops with itself. */
export const speakingTls = (
  base: Acceptor,
  server: Tls.Server,
  limits: HandshakeLimits,
  truncation: Truncation
): Effect.Effect<TlsAcceptor, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new TlsAcceptor(base, server, limits, truncation)),
    (acceptor) => Effect.callback<void>((resume) => acceptor.stop(() => resume(Exit.void)))
  )
