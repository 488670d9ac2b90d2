/**
 * Effect's `SocketServer` on Node, with a close that loses nothing and a drain that ends: the module of the same name in
 * `@effect/platform-node`, with the same constructors and the same options. A program changes its import and nothing
 * else.
 *
 * ```ts no-run
 * import * as NodeProcess from "@finwait/node/NodeProcess"
 * import * as NodeSocketServer from "@finwait/node/NodeSocketServer" // was: "@effect/platform-node/NodeSocketServer"
 * import * as Effect from "effect/Effect"
 * import * as SocketServer from "effect/socket/SocketServer"
 *
 * const echo = SocketServer.SocketServer.use((server) =>
 *   server.run(Effect.fnUntraced(function*(socket) {
 *     const writer = yield* socket.writer
 *     const { pull } = yield* socket.reader
 *     while (true) yield* writer.writeAll(yield* pull)
 *   }, Effect.scoped))
 * )
 *
 * const server = NodeSocketServer.layer({ host: "0.0.0.0", port: 7000, drain: { deadline: "20 seconds" } })
 *
 * NodeProcess.runMain(Effect.provide(echo, server))
 * ```
 *
 * `NodeProcess.runMain` in place of `NodeRuntime.runMain` makes the first signal a drain, the second a reset, and the
 * exit code tell which it was. See `finwait/SocketServer` for what is kept of Effect's contract and what is different.
 *
 * @since 0.1.0
 */
import { NetSocket } from "@effect/platform-node-shared/NodeSocket"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as EffectSocketServer from "effect/socket/SocketServer"
import * as Address from "finwait/Address"
import type { Connection } from "finwait/Connection"
import * as Network from "finwait/Network"
import type { NetworkError } from "finwait/NetworkError"
import * as SocketServer from "finwait/SocketServer"
import * as Transport from "finwait/Transport"
import type * as Net from "node:net"
import { listenOn } from "./internal/listen.ts"
import { NodeTransport } from "./internal/transport.ts"

/**
 * What Finwait adds to the options of Effect's module: `close` and `drain`, and the limits of a server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends SocketServer.Limits {}

/** Where Node's options say to listen. Node takes all of the machine's addresses for a host that is left out. */
const addressOf = ({ host, path, port }: Net.ListenOptions): Address.Address =>
  path === undefined ? Address.tcp(host ?? "::", port ?? 0) : Address.unix(path)

const openFailed = (cause: unknown) =>
  new EffectSocketServer.SocketServerError({ reason: new EffectSocketServer.SocketServerOpenError({ cause }) })

/** A server over a way to listen, and what belongs to each of its connections. */
const served = Effect.fnUntraced(function* (
  listen: Effect.Effect<Transport.Acceptor, NetworkError, Scope.Scope>,
  options: Options,
  services: (connection: Connection) => Context.Context<never>
): Effect.fn.Return<EffectSocketServer.SocketServer["Service"], EffectSocketServer.SocketServerError, Scope.Scope> {
  const waitingMax = options.overflow === "refuse" ? 0 : options.waitingMax
  const listening = Network.listening(listen, { close: options.close, waitingMax })
  return yield* SocketServer.fromListener(yield* Effect.mapError(listening, openFailed), options, services)
})

const listenNet = (options: Net.ServerOpts & Net.ListenOptions) =>
  listenOn(addressOf(options), { server: options, listen: options, onSocket: () => {} })

const netSocketOf = (connection: Connection): Context.Context<never> => {
  const pipe = Transport.of(connection)
  return pipe instanceof NodeTransport ? NetSocket.context(pipe.socket) : Context.empty()
}

/**
 * A TCP or Unix socket server, by the options of Node's `net.createServer` and `listen`, and those of {@link Options}.
 * Listens at once; who connects before `run` waits. The end of the scope drains it.
 *
 * **Details**
 *
 * A handler finds Node's own socket in `NodeSocket.NetSocket`. `allowHalfOpen` and `pauseOnConnect` are always on. A
 * `path` that a killed process has left behind is replaced, one that is listened on is not, and none but our own file is
 * removed at the end.
 *
 * Fails with `SocketServerError`, reason `SocketServerOpenError`, whose `cause` is a `NetworkError` that says where it
 * cannot listen and why, or a `ShutdownBudgetError` when the parts of `drain` do not fit.
 *
 * **Example**
 *
 * ```ts
 * import * as NodeSocketServer from "@finwait/node/NodeSocketServer"
 * import * as Effect from "effect/Effect"
 *
 * const taken = Effect.scoped(Effect.gen(function*() {
 *   const { address } = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
 *   const port = "port" in address ? address.port : 0
 *   const error = yield* Effect.flip(NodeSocketServer.make({ host: "127.0.0.1", port }))
 *   return String((error.reason.cause as Error).message).replace(String(port), "PORT")
 * }))
 *
 * console.log(await Effect.runPromise(taken)) // => listen tcp 127.0.0.1:PORT: the address is in use by another listener
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Net.ServerOpts & Net.ListenOptions & Options
): Effect.Effect<EffectSocketServer.SocketServer["Service"], EffectSocketServer.SocketServerError, Scope.Scope> =>
  served(listenNet(options), options, netSocketOf)

/**
 * `make` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Net.ServerOpts & Net.ListenOptions & Options
): Layer.Layer<EffectSocketServer.SocketServer, EffectSocketServer.SocketServerError> =>
  Layer.effect(EffectSocketServer.SocketServer, make(options))
