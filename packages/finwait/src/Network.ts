/**
 * The network as a service: dial and listen. `NodeNetwork.layer` provides the operating system's, `SimNetwork.layer` a
 * simulated one for tests; programs are the same on both.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Address from "./Address.ts"
import * as ClosePolicy from "./ClosePolicy.ts"
import type { Connection } from "./Connection.ts"
import { ConnectionImpl } from "./internal/connection.ts"
import { Environment } from "./internal/environment.ts"
import * as Check from "./internal/options.ts"
import * as Listener from "./Listener.ts"
import { AddressInvalid, NetworkError } from "./NetworkError.ts"
import type * as Transport from "./Transport.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface ConnectOptions {
  /** Laid over the current `ClosePolicy`, for this connection. Default: that policy. See {@link ClosePolicy.Options}. */
  readonly close?: ClosePolicy.Options | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ListenOptions extends Transport.ListenOptions {
  /** Laid over the current `ClosePolicy`, for all who are accepted. Default: it alone. See {@link ClosePolicy.Options}. */
  readonly close?: ClosePolicy.Options | undefined
  /** How many accepted connections may wait while the listener is suspended; more are reset. Default 511. */
  readonly waitingMax?: number | undefined
  /** How many connections may wait in the system to be accepted. Default 511, as Node and nginx have it. */
  readonly backlog?: number | undefined
  /** Permissions of a Unix socket's file, for example `0o660`. Default: what the process's umask leaves of `0o777`. */
  readonly mode?: number | undefined
}

/**
 * @category services
 * @since 0.1.0
 */
export class Network extends Context.Service<
  Network,
  {
    /**
     * Dials. The connection is closed, as its policy says, when the scope ends. Fails with `NetworkError`; an
     * interruption ends the attempt. An option that is out of its range is a defect, `RangeError`.
     */
    readonly connect: (
      address: Address.Input,
      options?: ConnectOptions
    ) => Effect.Effect<Connection, NetworkError, Scope.Scope>
    /**
     * Listens. The end of the scope closes a listener that nobody has stopped. Fails with `NetworkError`. An option
     * that is out of its range is a defect, `RangeError`, and nothing listens.
     */
    readonly listen: (
      address: Address.Input,
      options?: ListenOptions
    ) => Effect.Effect<Listener.Listener, NetworkError, Scope.Scope>
  }
>()("finwait/Network") {}

const parse = (operation: "connect" | "listen", input: Address.Input): Effect.Effect<Address.Address, NetworkError> =>
  Effect.mapError(
    Address.parse(input),
    ({ input: address, problem }) =>
      new NetworkError({ operation, address: JSON.stringify(address), reason: new AddressInvalid({ problem }) })
  )

/**
 * The network that a provider of byte pipes makes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (provider: Transport.Provider): Network["Service"] => ({
  connect: Effect.fnUntraced(function* (input, options) {
    const address = yield* parse("connect", input)
    return yield* dialled((made) => provider.connect(address, made), options)
  }),
  listen: Effect.fnUntraced(function* (input, options = {}) {
    checkListen(options)
    const address = yield* parse("listen", input)
    return yield* listening(provider.listen(address, options), options)
  })
})

const checkListen = (options: ListenOptions): void => {
  Check.limit("Network.ListenOptions.waitingMax", options.waitingMax, 0)
  Check.whole("Network.ListenOptions.backlog", options.backlog, 1)
  Check.mode("Network.ListenOptions.mode", options.mode)
}

/**
 * The connection over a pipe that is dialled in a way of one's own. `dial` tells `made` of the pipe in the very turn in
 * which it comes about, as `Transport.Provider.connect` does.
 *
 * @category constructors
 * @since 0.1.0
 */
export const dialled = Effect.fnUntraced(function* <E, R>(
  dial: (made: (transport: Transport.Transport) => void) => Effect.Effect<Transport.Transport, E, R>,
  options?: ConnectOptions
): Effect.fn.Return<Connection, E, R | Scope.Scope> {
  const context = yield* Effect.context<never>()
  const policy = ClosePolicy.override(Context.get(context, ClosePolicy.CurrentClosePolicy), options?.close)
  const scope = yield* Effect.scope
  let made: Transport.Transport | undefined
  const dialling = dial((transport) => {
    made = transport
  })
  // Not `acquireRelease`: between a dial's success and the finalizer an interruption could still lose the pipe.
  return yield* Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.exit(restore(dialling)), (exit): Effect.Effect<Connection, E> => {
      if (exit._tag === "Failure") {
        made?.reset()
        return Effect.failCause(exit.cause)
      }
      const connection = new ConnectionImpl(exit.value, new Environment(policy, context))
      return Effect.as(Scope.addFinalizer(scope, connection.close), connection)
    })
  )
})

/**
 * The listener over a listening socket that is made in a way of one's own. The end of the scope closes it if nobody has.
 *
 * @category constructors
 * @since 0.1.0
 */
export const listening = Effect.fnUntraced(function* <E, R>(
  listen: Effect.Effect<Transport.Acceptor, E, R>,
  options: Pick<ListenOptions, "close" | "waitingMax"> = {}
): Effect.fn.Return<Listener.Listener, E, R | Scope.Scope> {
  checkListen(options)
  const context = yield* Effect.context<never>()
  const policy = ClosePolicy.override(Context.get(context, ClosePolicy.CurrentClosePolicy), options.close)
  const acceptor = yield* listen
  const waitingMax = options.waitingMax ?? Listener.defaultWaitingMax
  const listener = Listener.make(acceptor, { policy, context, waitingMax })
  yield* Effect.addFinalizer(() => Effect.sync(() => listener.abort()))
  return listener
})

/**
 * Dials through the network of the context.
 *
 * **Example**
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Network from "finwait/Network"
 * import * as SimNetwork from "finwait/testing/SimNetwork"
 *
 * const program = Effect.scoped(Network.connect("tcp://127.0.0.1:7000")).pipe(Effect.flip, Effect.provide(SimNetwork.layer()))
 * const error = await Effect.runPromise(program)
 * console.log(error.message) // => connect tcp 127.0.0.1:7000: refused: nobody listens there
 * ```
 *
 * @category connecting
 * @since 0.1.0
 */
export const connect = (
  address: Address.Input,
  options?: ConnectOptions
): Effect.Effect<Connection, NetworkError, Network | Scope.Scope> =>
  Network.use((network) => network.connect(address, options))

/**
 * Listens through the network of the context.
 *
 * @category listening
 * @since 0.1.0
 */
export const listen = (
  address: Address.Input,
  options?: ListenOptions
): Effect.Effect<Listener.Listener, NetworkError, Network | Scope.Scope> =>
  Network.use((network) => network.listen(address, options))
