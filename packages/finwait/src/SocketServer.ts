/**
 * Effect's own `SocketServer` on Finwait's connections: what RPC, the cluster, DevTools and your own handlers of an
 * Effect `Socket` are served by, with a close that loses nothing and a drain that ends.
 *
 * ```ts no-run
 * import * as NodeNetwork from "@finwait/node/NodeNetwork"
 * import * as NodeProcess from "@finwait/node/NodeProcess"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as EffectSocketServer from "effect/socket/SocketServer"
 * import * as SocketServer from "finwait/SocketServer"
 *
 * const echo = EffectSocketServer.SocketServer.use((server) =>
 *   server.run(Effect.fnUntraced(function*(socket) {
 *     const write = yield* socket.writer
 *     const { pull } = yield* socket.reader
 *     while (true) yield* write.writeAll(yield* pull)
 *   }, Effect.scoped))
 * )
 *
 * echo.pipe(
 *   Effect.provide(SocketServer.layer({ listen: "tcp://0.0.0.0:7000", drain: { deadline: "20 seconds" } })),
 *   Effect.provide(NodeNetwork.layer),
 *   NodeProcess.runMain
 * )
 * ```
 *
 * On Node, `@finwait/node/NodeSocketServer` takes the options of Effect's module of that name, so that a program changes
 * nothing but the import.
 *
 * **What is kept of Effect's contract.** `address` is known before `run`; who connects before it waits. A handler gets a
 * `Socket`, and `run` never succeeds. The end of the reader's scope closes the connection, as does the end of the
 * handler. A socket is a `Connection` as well, for a handler that wants to know more (`Connection.isConnection`).
 *
 * **What is different.** An interruption of `run` drains: nobody new is accepted, every reader ends, handlers have the
 * time that `drain` gives them, and then `run` ends. A server that has drained listens no more, and a second `run` fails.
 * Two at a time fail as well, where Effect's own lets the second take over.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import * as EffectSocketServer from "effect/socket/SocketServer"
import type { Address } from "./Address.ts"
import type { Connection } from "./Connection.ts"
import type { ConnectionImpl } from "./internal/connection.ts"
import { budgetOf, checkLimits } from "./internal/limits.ts"
import { ServerImpl } from "./internal/server.ts"
import type { Listener } from "./Listener.ts"
import type { Network } from "./Network.ts"
import * as Net from "./Network.ts"
import type * as Server from "./Server.ts"

/**
 * The limits of a server, and how it drains. See {@link Server.Options}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits extends Pick<
  Server.Options,
  | "drain"
  | "connectionsMax"
  | "connectionsPerPeerMax"
  | "overflow"
  | "waitingMax"
  | "idleTimeout"
  | "maxFrameBytes"
  | "onDrained"
> {
  /** Laid over the current `ClosePolicy`, for the connections of this server. See {@link ClosePolicy.Options}. */
  readonly close?: Server.Options["close"]
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options extends Limits, Pick<Server.Options, "listen" | "backlog" | "mode"> {}

const openFailed = (cause: unknown) =>
  new EffectSocketServer.SocketServerError({ reason: new EffectSocketServer.SocketServerOpenError({ cause }) })

const cannotRun = (message: string) =>
  new EffectSocketServer.SocketServerError({
    reason: new EffectSocketServer.SocketServerUnknownError({ cause: new Error(message) })
  })

const addressOf = (address: Address): Effect.Effect<NetAddress.SocketAddress, EffectSocketServer.SocketServerError> =>
  address._tag === "Unix"
    ? Effect.succeed(NetAddress.unixPathAddress(address.path))
    : Effect.mapError(
        Effect.fromResult(
          Result.map(
            NetAddress.inetAddressFromIpString(address.host, address.port),
            (inet): NetAddress.SocketAddress => inet
          )
        ),
        openFailed
      )

/**
 * A socket server over what a listener accepts. `belongings` are what each connection's handler finds in its context
 * beside what `run` has.
 *
 * The end of the scope drains it, if `run` has not. Fails with `SocketServerError`, reason `SocketServerOpenError`, when
 * the parts of `drain` do not fit; its `cause` says so.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromListener = Effect.fnUntraced(function* (
  listener: Listener,
  options: Omit<Limits, "close"> = {},
  belongings?: (connection: Connection) => Context.Context<never>
): Effect.fn.Return<EffectSocketServer.SocketServer["Service"], EffectSocketServer.SocketServerError, Scope.Scope> {
  checkLimits(options)
  const address = yield* addressOf(listener.address)
  const budget = yield* Effect.mapError(budgetOf(options.drain), openFailed)
  let server: ServerImpl | undefined
  let isOver = false
  // The scope may end before whoever runs it does.
  yield* Effect.addFinalizer(() => Effect.suspend(() => server?.drain.begin ?? Effect.void))
  const run = <R, E, _>(
    handler: (socket: Socket.Socket) => Effect.Effect<_, E, R>
  ): Effect.Effect<never, EffectSocketServer.SocketServerError, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.contextWith((services: Context.Context<R>) => {
        if (server !== undefined) {
          const error = cannotRun(isOver ? "it has drained, and is over" : "it runs already")
          // Who forks it, as Effect's RPC does, hears of no failure.
          return Effect.andThen(Effect.logError("SocketServer.run", error), Effect.fail(error))
        }
        const serve = (connection: Connection) => {
          ;(connection as ConnectionImpl).readerCloses = true
          const handled = handler(connection)
          return belongings === undefined ? handled : Effect.provideContext(handled, belongings(connection))
        }
        // A handler has no scope but its own: what it acquired would outlive it by the whole server.
        const context = Context.omit(Scope.Scope)(services as Context.Context<R | Scope.Scope>)
        const running = (server = new ServerImpl(listener, { ...options, handler: serve }, budget, context))
        running.start()
        return Effect.onExit(restore(Effect.never), () => {
          isOver = true
          return running.drain.begin
        })
      })
    )
  return { address, run }
})

/**
 * Listens, on the network of the context, and serves when it is run.
 *
 * Fails with `SocketServerError`, reason `SocketServerOpenError`, when it cannot listen, or the parts of `drain` do not
 * fit: its `cause` is the `NetworkError`, or the `ShutdownBudgetError`. An option that is out of its range is a defect,
 * `RangeError`.
 *
 * **Example**
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Connection from "finwait/Connection"
 * import * as Network from "finwait/Network"
 * import * as SocketServer from "finwait/SocketServer"
 * import * as SimNetwork from "finwait/testing/SimNetwork"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const server = yield* SocketServer.make({ listen: "tcp://127.0.0.1:7000" })
 *   yield* Effect.forkScoped(server.run((socket) =>
 *     Effect.scoped(Effect.gen(function*() {
 *       const { write } = yield* socket.writer
 *       const { pull } = yield* socket.reader
 *       yield* write((yield* pull)[0])
 *     }))
 *   ))
 *   const client = yield* Network.connect("tcp://127.0.0.1:7000")
 *   yield* client.write("hello")
 *   return yield* Connection.readText(client)
 * }))
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(SimNetwork.layer())))) // => hello
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<
  EffectSocketServer.SocketServer["Service"],
  EffectSocketServer.SocketServerError,
  Network | Scope.Scope
> {
  const listening = Net.listen(options.listen, {
    backlog: options.backlog,
    mode: options.mode,
    close: options.close,
    waitingMax: options.overflow === "refuse" ? 0 : options.waitingMax
  })
  return yield* fromListener(yield* Effect.mapError(listening, openFailed), options)
})

/**
 * Effect's `SocketServer`, on the network of the context.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<EffectSocketServer.SocketServer, EffectSocketServer.SocketServerError, Network> =>
  Layer.effect(EffectSocketServer.SocketServer, make(options))
