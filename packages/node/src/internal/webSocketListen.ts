/**
 * Listens as the options of `ws` say: on a port, or for the upgrades of a server that somebody else owns.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Address from "finwait/Address"
import type { NetworkError, Reason } from "finwait/NetworkError"
import type { Acceptor } from "finwait/Transport"
import type * as Http from "node:http"
import type * as Https from "node:https"
import type { ServerOptions } from "ws"
import { failure, reasonOf } from "./failures.ts"
import { listenOn } from "./listen.ts"
import { WebSocketAcceptor } from "./webSocketAcceptor.ts"
import { type WebSocketSettings } from "./webSocketSettings.ts"
import { UpgradesAcceptor } from "./webSocketUpgrades.ts"

/** An acceptor of WebSockets over one of streams, which it stops with itself. */
export const upgrading = (
  base: Acceptor,
  settings: WebSocketSettings
): Effect.Effect<WebSocketAcceptor, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new WebSocketAcceptor(base, settings)),
    (acceptor) => Effect.callback<void>((resume) => acceptor.stop(() => resume(Exit.void)))
  )

export const listenWebSocket = (
  { backlog, host, port, server }: Pick<ServerOptions, "backlog" | "host" | "port" | "server">,
  settings: WebSocketSettings
): Effect.Effect<WebSocketAcceptor, NetworkError, Scope.Scope> => {
  // Node takes all of the machine's addresses for a host that is left out.
  const address = Address.tcp(host ?? "::", port ?? 0)
  const base =
    server === undefined
      ? listenOn(address, {
          server: { noDelay: true },
          listen: { backlog, host, port: address.port },
          onSocket: () => {}
        })
      : Effect.as(Effect.mapError(listens(server), failure("listen", address)), new UpgradesAcceptor(server))
  return Effect.flatMap(base, (acceptor: Acceptor) => upgrading(acceptor, settings))
}

/** Waits until it listens: its owner may say so later. */
const listens = (server: Http.Server | Https.Server): Effect.Effect<void, Reason> =>
  Effect.callback((resume) => {
    if (server.listening) return resume(Exit.void)
    const onListening = () => {
      server.off("error", onError)
      resume(Exit.void)
    }
    const onError = (error: NodeJS.ErrnoException) => {
      server.off("listening", onListening)
      resume(Exit.fail(reasonOf(error)))
    }
    server.once("listening", onListening).once("error", onError)
    return Effect.sync(() => {
      server.off("listening", onListening).off("error", onError)
    })
  })
