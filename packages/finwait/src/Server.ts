/**
 * A server: a handler per connection, limits, and a drain at the end.
 *
 * The server belongs to a scope. The end of the scope, whatever brings it about (a signal, an interruption, a failure
 * elsewhere), is the drain: see `Drain` for what happens then, and in which order.
 *
 * **Example** (A server and its client, on the simulated network)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Connection from "finwait/Connection"
 * import * as Network from "finwait/Network"
 * import * as Server from "finwait/Server"
 * import * as SimNetwork from "finwait/testing/SimNetwork"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const server = yield* Server.make({
 *     listen: "tcp://127.0.0.1:0",
 *     handler: (connection) => connection.each((chunk) => connection.write(chunk))
 *   })
 *   const client = yield* Network.connect(server.address)
 *   yield* client.write("hello")
 *   yield* client.closeWrite
 *   return yield* Connection.readText(client)
 * }))
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(SimNetwork.layer())))) // => hello
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Address, Input } from "./Address.ts"
import type * as ClosePolicy from "./ClosePolicy.ts"
import type { Connection } from "./Connection.ts"
import type { Drain, Report } from "./Drain.ts"
import { Conversation } from "./internal/conversation.ts"
import { budgetOf, checkLimits } from "./internal/limits.ts"
import { ServerImpl } from "./internal/server.ts"
import type { Listener } from "./Listener.ts"
import type { Network } from "./Network.ts"
import * as Net from "./Network.ts"
import type { NetworkError } from "./NetworkError.ts"
import type * as ShutdownBudget from "./ShutdownBudget.ts"

/**
 * A running server.
 *
 * @category services
 * @since 0.1.0
 */
export class Server extends Context.Service<
  Server,
  {
    /** Where it listens, with the port that the system chose. */
    readonly address: Address
    /** Connections that are open now. */
    readonly connections: Effect.Effect<number>
    /** Its end. */
    readonly drain: Drain
  }
>()("finwait/Server") {}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options<E = never, R = never, RL = never, RD = never> {
  /** Where to listen: `tcp://127.0.0.1:7000`, `unix:///run/app.sock`. */
  readonly listen: Input
  /**
   * What to do with a connection, on a fiber of its own. When it ends, the connection is closed, gracefully, whether
   * it succeeded or failed; a failure touches no other connection. A loop that pulls needs no end of its own: to fail
   * with `Cause.Done`, as a pull does where its input ends, is to have ended. A handler that acquires resources does so
   * in a scope of its own, `Effect.scoped`, so that others do not pay for one.
   */
  readonly handler: (connection: Connection) => Effect.Effect<unknown, E, R>
  /** Laid over the current `ClosePolicy`, for the connections of this server. */
  readonly close?: ClosePolicy.Options | undefined
  /**
   * How the time for stopping is divided. What is left out comes from the process's own budget (`shutdown` of
   * `NodeProcess.runMain`), else from `ShutdownBudget`'s defaults. It must fit into the process's.
   */
  readonly drain?: ShutdownBudget.Input | undefined
  /** How many connections are served at the same time. Default: as many as the system lets in. */
  readonly connectionsMax?: number | undefined
  /** How many of them may come from one host. Default: no limit. More are refused. Unix sockets are not counted. */
  readonly connectionsPerPeerMax?: number | undefined
  /**
   * What happens to a connection beyond `connectionsMax`. `wait` (default): it is accepted but not read, until another
   * ends. `refuse`: it is reset at once, so that a balancer tries elsewhere.
   */
  readonly overflow?: "wait" | "refuse" | undefined
  /** How many connections may wait; more are refused. Default 511, as the backlog. */
  readonly waitingMax?: number | undefined
  /**
   * How long nothing may move, in either direction, while the handler waits for the peer. A handler that waits to read
   * sees its input end, in the middle of a message as well (slow loris); one that waits for a peer to take what it was
   * sent gets its connection reset. Time in which the handler works is not counted. Looked at twenty times in that time.
   * Default: no limit; set one on whatever the outside world can reach.
   */
  readonly idleTimeout?: Duration.Input | undefined
  /** The longest message that `Framing` accepts on this server's connections. Default: `Framing`'s own, 1 MiB. */
  readonly maxFrameBytes?: number | undefined
  /** How many connections may wait in the system to be accepted. Default 511. */
  readonly backlog?: number | undefined
  /** Permissions of a Unix socket's file, for example `0o660`. Default: what the process's umask leaves of `0o777`. */
  readonly mode?: number | undefined
  /** Runs once, when the server listens. */
  readonly onListening?: ((address: Address) => Effect.Effect<unknown, never, RL>) | undefined
  /** Runs once, when the server has drained, with the report. */
  readonly onDrained?: ((report: Report) => Effect.Effect<unknown, never, RD>) | undefined
}

/**
 * Starts a server. The end of the scope drains it.
 *
 * Fails with `NetworkError` when it cannot listen, and with `ShutdownBudgetError` when the parts of `drain` do not fit.
 * An option that is out of its range is a programming error: a defect, `RangeError`, before anything listens. `Infinity`
 * is "no limit" for what ends in `Max`, `maxFrameBytes` and `idleTimeout`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* <E, R, RL = never, RD = never>(
  options: Options<E, R, RL, RD>
): Effect.fn.Return<
  Server["Service"],
  NetworkError | ShutdownBudget.ShutdownBudgetError,
  Network | Scope.Scope | R | RL | RD
> {
  checkLimits(options)
  // Before anything listens.
  yield* budgetOf(options.drain)
  const listener = yield* Net.listen(options.listen, {
    backlog: options.backlog,
    mode: options.mode,
    close: options.close,
    waitingMax: options.overflow === "refuse" ? 0 : options.waitingMax
  })
  return yield* fromListener(listener, options)
})

/**
 * Serves what a listener accepts, for one that was made otherwise than by `make`. The end of the scope drains the server
 * and stops the listener.
 *
 * Fails with `ShutdownBudgetError` when the parts of `drain` do not fit. An option that is out of its range is a defect,
 * `RangeError`. How many may wait is the listener's own `waitingMax`, 0 for `overflow: "refuse"`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromListener = Effect.fnUntraced(function* <E, R, RL = never, RD = never>(
  listener: Listener,
  options: Omit<Options<E, R, RL, RD>, "listen" | "close" | "backlog" | "mode">
): Effect.fn.Return<Server["Service"], ShutdownBudget.ShutdownBudgetError, Scope.Scope | R | RL | RD> {
  checkLimits(options)
  const budget = yield* budgetOf(options.drain)
  const context = yield* Effect.context<R | RL | RD>()
  const server = new ServerImpl(listener, options, budget, context)
  yield* Effect.addFinalizer(() => server.drain.begin)
  server.start()
  if (options.onListening !== undefined) yield* options.onListening(listener.address)
  return server
})

/**
 * The handler of connections whose transport speaks by itself, as one that is lent to an HTTP library does: over when
 * its conversation is, and hurried when the time for handlers has passed. For who makes a provider; a transport that has
 * no `converse` is a defect.
 *
 * @see {@link fromListener}
 * @category provider
 * @since 0.1.0
 */
export const conversation = (connection: Connection): Effect.Effect<void> => new Conversation(connection)

/**
 * A server as a layer, for `Layer.launch`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E, R, RL = never, RD = never>(
  options: Options<E, R, RL, RD>
): Layer.Layer<
  Server,
  NetworkError | ShutdownBudget.ShutdownBudgetError,
  Network | Exclude<R | RL | RD, Scope.Scope>
> => Layer.effect(Server, make(options)) as never
