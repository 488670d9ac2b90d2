/**
 * The operating system's network through Node: TCP and Unix sockets.
 *
 * ```ts no-run
 * import * as Effect from "effect/Effect"
 * import * as NodeNetwork from "@finwait/node/NodeNetwork"
 * import * as Network from "finwait/Network"
 *
 * const program = Effect.scoped(Network.connect("tcp://localhost:7000")).pipe(Effect.provide(NodeNetwork.layer))
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Address from "finwait/Address"
import * as Network from "finwait/Network"
import { type NetworkError, type Reason, TimedOut } from "finwait/NetworkError"
import type * as Transport from "finwait/Transport"
import type * as Net from "node:net"
import { dialOn } from "./internal/dial.ts"
import { failure } from "./internal/failures.ts"
import { listenOn } from "./internal/listen.ts"
import * as UnixFile from "./internal/unixFile.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Sends small writes at once instead of gathering them while something is unacknowledged (Nagle's algorithm). Default
   * `true`: with it off, an answer of several small writes waits 40 ms for the peer's delayed acknowledgement.
   */
  readonly noDelay?: boolean | undefined
  /**
   * Lets the system probe a silent peer, so that one that is gone without a word is noticed. Default: off, as the
   * system has it. `interval` and `count` need Node 24 or later.
   */
  readonly keepAlive?:
    | {
        /** Silence before the first probe. */
        readonly initialDelay: Duration.Input
        /** Between probes. Default: the system's, 75 seconds on Linux. */
        readonly interval?: Duration.Input | undefined
        /** Unanswered probes until the connection is broken. Default: the system's, 9 on Linux. */
        readonly count?: number | undefined
      }
    | undefined
  /** How long dialling may take, name resolution and all addresses included. Default 10 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /**
   * With several addresses for a name, how long to try one before another is tried beside it (RFC 8305, Happy
   * Eyeballs). Default 250 milliseconds, the RFC's own and Node's.
   */
  readonly attemptDelay?: Duration.Input | undefined
}

interface Settings {
  readonly noDelay: boolean
  readonly connectTimeout: Duration.Duration
  readonly attemptDelayMillis: number
  readonly onSocket: (socket: Net.Socket) => void
}

const settings = (options: Options): Settings => {
  const { keepAlive } = options
  const millis = (input: Duration.Input) => Duration.toMillis(Duration.fromInputUnsafe(input))
  return {
    noDelay: options.noDelay ?? true,
    connectTimeout: Duration.fromInputUnsafe(options.connectTimeout ?? "10 seconds"),
    attemptDelayMillis: millis(options.attemptDelay ?? 250),
    onSocket:
      keepAlive === undefined
        ? () => {}
        : (socket) => {
            const initialDelay = millis(keepAlive.initialDelay)
            // Node 22 takes these two as arguments and knows no others.
            if (keepAlive.interval === undefined && keepAlive.count === undefined) {
              socket.setKeepAlive(true, initialDelay)
              return
            }
            const probes = { interval: keepAlive.interval && millis(keepAlive.interval), count: keepAlive.count }
            const setKeepAlive = socket.setKeepAlive.bind(socket) as (settings: unknown) => void
            setKeepAlive({ enable: true, initialDelay, ...probes })
          }
  }
}

const connect =
  (settings: Settings) =>
  (
    address: Address.Address,
    made: (transport: Transport.Transport) => void
  ): Effect.Effect<Transport.Transport, NetworkError> =>
    (address._tag === "Unix" ? UnixFile.checkPath("connect", address.path) : Effect.void).pipe(
      Effect.andThen(dialOn(address, target(settings, address), settings.onSocket, made)),
      Effect.timeoutOrElse({
        duration: settings.connectTimeout,
        orElse: () =>
          Effect.fail<Reason>(new TimedOut({ connectTimeoutMillis: Duration.toMillis(settings.connectTimeout) }))
      }),
      Effect.mapError(failure("connect", address))
    )

const target = (settings: Settings, address: Address.Address): Net.NetConnectOpts =>
  address._tag === "Unix"
    ? { path: address.path }
    : {
        ...hostAndPort(address),
        noDelay: settings.noDelay,
        autoSelectFamily: true,
        // Node refuses less than 10 ms.
        autoSelectFamilyAttemptTimeout: Math.max(10, settings.attemptDelayMillis)
      }

const listen = (settings: Settings) => (address: Address.Address, options: Transport.ListenOptions) =>
  listenOn(address, {
    server: { noDelay: address._tag === "Tcp" && settings.noDelay },
    listen: { ...(address._tag === "Tcp" ? hostAndPort(address) : {}), backlog: options.backlog ?? 511 },
    mode: options.mode,
    onSocket: settings.onSocket
  })

const hostAndPort = ({ host, port }: Address.Tcp) => ({ host, port })

/**
 * TCP and Unix sockets as a provider, for who builds another network upon them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const provider = (options: Options = {}): Transport.Provider => {
  const chosen = settings(options)
  return { connect: connect(chosen), listen: listen(chosen) }
}

/**
 * Provides the `Network` with the options given.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = (options: Options): Layer.Layer<Network.Network> =>
  Layer.sync(Network.Network, () => Network.make(provider(options)))

/**
 * Provides the `Network` with the defaults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Network.Network> = layerWith({})
