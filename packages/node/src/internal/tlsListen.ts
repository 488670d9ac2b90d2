/**
 * Listens for TLS: Node's TLS server beside the listening socket, and what replaces its certificate.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as Address from "finwait/Address"
import type { Acceptor } from "finwait/Transport"
import * as Tls from "node:tls"
import { checkIdentity } from "./tlsIdentity.ts"
import type { HandshakeLimits } from "./handshakes.ts"
import type { Truncation } from "./secured.ts"
import { type Report, TlsAcceptor } from "./tlsAcceptor.ts"

/** The clock of handshakes is the acceptor's, whose own is the shorter one. */
const never = 2 ** 31 - 1

/** Throws what is wrong with a key or a certificate. */
export const tlsServer = (options: Tls.TlsOptions): Tls.Server => {
  checkIdentity(options)
  return Tls.createServer({ ...options, allowHalfOpen: true, pauseOnConnect: true, handshakeTimeout: never })
}

/** Logs what has failed at level Debug: half of the world knocks at an open port. Nothing where nobody reads it. */
const reporting = (context: Context.Context<never>): Report | undefined => {
  if (LogLevel.isGreaterThan(Context.get(context, References.MinimumLogLevel), "Debug")) return undefined
  const fork = Effect.runForkWith(context)
  return ({ remoteAddress }, problem) =>
    void fork(Effect.logDebug(`TLS: no handshake with ${Address.describe(remoteAddress)}: ${problem}`))
}

/** An acceptor of TLS over one of sockets, which it stops with itself. */
export const speakingTls = (
  base: Acceptor,
  server: Tls.Server,
  limits: HandshakeLimits,
  truncation: Truncation
): Effect.Effect<TlsAcceptor, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.map(
      Effect.context<never>(),
      (context) => new TlsAcceptor(base, server, limits, truncation, reporting(context))
    ),
    (acceptor) => Effect.callback<void>((resume) => acceptor.stop(() => resume(Exit.void)))
  )
