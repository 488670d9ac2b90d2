/**
 * Listens with Node's own options.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type * as Address from "finwait/Address"
import type { NetworkError, Reason } from "finwait/NetworkError"
import * as Net from "node:net"
import { NodeAcceptor } from "./acceptor.ts"
import { boundAddress } from "./addresses.ts"
import { failure, reasonOf } from "./failures.ts"
import { connectionsMax } from "./fileLimit.ts"
import * as UnixFile from "./unixFile.ts"

export interface Listening {
  readonly server: Net.ServerOpts
  /** Where to listen, but for the path of a Unix socket, which is the address's. */
  readonly listen: Net.ListenOptions
  /** Permissions of a Unix socket's file. */
  readonly mode?: number | undefined
  readonly onSocket: (socket: Net.Socket) => void
  /** Peers are asked for their names when somebody wants to know, as Node's own HTTP has it. */
  readonly namesLater?: boolean
}

export const listenOn = (
  address: Address.Address,
  { listen, mode, namesLater, onSocket, server: options }: Listening
): Effect.Effect<NodeAcceptor, NetworkError, Scope.Scope> =>
  Effect.suspend(() => {
    // Nothing is read before there is somebody to read it; and without `allowHalfOpen` a peer's FIN would end our side.
    const server = Net.createServer({ ...options, allowHalfOpen: true, pauseOnConnect: true })
    server.maxConnections = connectionsMax()
    server.on("connection", onSocket)
    const start =
      address._tag === "Tcp" ? Effect.as(bind(server, listen), () => {}) : bindUnix(server, address.path, listen, mode)
    const acceptor = new NodeAcceptor(server, address, namesLater)
    const acquire = Effect.map(start, (withdraw) => {
      acceptor.listening(boundAddress(server, address), withdraw)
      return acceptor
    })
    return Effect.acquireRelease(Effect.mapError(acquire, failure("listen", address)), (acceptor) =>
      Effect.callback<void>((resume) => acceptor.stop(() => resume(Exit.void)))
    )
  })

const bind = (server: Net.Server, options: Net.ListenOptions): Effect.Effect<void, Reason> =>
  Effect.callback((resume) => {
    // To Node a port that is there and `undefined` is any port, whatever path is asked for.
    const where = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
    const onError = (error: NodeJS.ErrnoException) => resume(Exit.fail(reasonOf(error)))
    server.once("error", onError)
    // Its `signal` had been aborted.
    const onAborted = () => onError(Object.assign(new Error("it was aborted"), { code: "ECANCELED" }))
    server.once("close", onAborted)
    try {
      server.listen(where, () => {
        server.off("error", onError).off("close", onAborted)
        resume(Exit.void)
      })
    } catch (error) {
      // A port that is none, as an environment's variable may be.
      onError(error as NodeJS.ErrnoException)
    }
    return Effect.sync(() => {
      server.close()
    })
  })

const bindUnix = Effect.fnUntraced(function* (
  server: Net.Server,
  path: string,
  listen: Net.ListenOptions,
  mode: number | undefined
) {
  yield* UnixFile.checkPath("listen", path)
  yield* UnixFile.claim(path)
  const temporary = UnixFile.temporaryPath(path)
  yield* bind(server, { ...listen, path: temporary })
  const inode = yield* Effect.tapError(UnixFile.publish(temporary, path, mode), () => Effect.sync(() => server.close()))
  return UnixFile.unlinkAtExit(path, inode)
})
