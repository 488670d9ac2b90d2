/**
 * Effect's `Socket` for clients on Node, with a close that loses nothing: the module of the same name in
 * `@effect/platform-node`, with the same constructors and the same options. What has no close of its own there
 * (`fromDuplex`, `layerWebSocketConstructor`) is Effect's.
 *
 * ```ts no-run
 * import * as NodeSocket from "@finwait/node/NodeSocket" // was: "@effect/platform-node/NodeSocket"
 * import * as Layer from "effect/Layer"
 * import * as RpcClient from "effect/rpc/RpcClient"
 * import * as RpcSerialization from "effect/rpc/RpcSerialization"
 *
 * const protocol = RpcClient.layerProtocolSocket().pipe(
 *   Layer.provide(NodeSocket.layerNet({ host: "127.0.0.1", port: 7000 })),
 *   Layer.provide(RpcSerialization.layerNdjson)
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Channel from "effect/Channel"
import type * as Arr from "effect/Array"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Socket from "effect/socket/Socket"
import * as Address from "finwait/Address"
import type * as ClosePolicy from "finwait/ClosePolicy"
import * as Network from "finwait/Network"
import * as SocketClient from "finwait/SocketClient"
import type * as Net from "node:net"
import { dialOn } from "./internal/dial.ts"
import { failure } from "./internal/failures.ts"

export {
  /**
   * Any `Duplex` of Node as a socket; Effect's own.
   *
   * @category re-exports
   * @since 0.1.0
   */
  fromDuplex,
  /**
   * Node's socket under a connection, in the handlers of `NodeSocketServer`; Effect's own tag.
   *
   * @category re-exports
   * @since 0.1.0
   */
  NetSocket
} from "@effect/platform-node-shared/NodeSocket"

/**
 * What these constructors take beside Node's own options.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How long a dial may take. Default 10 seconds. */
  readonly openTimeout?: Duration.Input | undefined
  /** Laid over the current `ClosePolicy`. Default: that policy. */
  readonly close?: ClosePolicy.Options | undefined
  /** Of Effect's module. Not needed: a pull gives all that has arrived, which is no more than what was read at once. */
  readonly chunkSize?: number | undefined
}

/** As `NodeNetwork` has it. */
const openTimeout = "10 seconds"

const addressOf = (options: Net.NetConnectOpts): Address.Address =>
  "path" in options ? Address.unix(options.path) : Address.tcp(options.host ?? "localhost", options.port)

/**
 * A TCP or Unix socket client, by the options of Node's `net.connect` and those of {@link Options}. Each acquisition of
 * the reader dials, the end of its scope closes as the close policy says; see `SocketClient.fromDial`.
 *
 * **Example**
 *
 * ```ts
 * import * as NodeSocket from "@finwait/node/NodeSocket"
 * import * as Effect from "effect/Effect"
 *
 * const refused = Effect.scoped(Effect.gen(function*() {
 *   const socket = yield* NodeSocket.makeNet({ host: "127.0.0.1", port: 1 })
 *   const { reason } = yield* Effect.flip(socket.reader)
 *   return reason._tag === "SocketOpenError" ? (reason.cause as Error).message : ""
 * }))
 *
 * console.log(await Effect.runPromise(refused)) // => connect tcp 127.0.0.1:1: refused: nobody listens there
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeNet = (options: Net.NetConnectOpts & Options): Effect.Effect<Socket.Socket> => {
  const address = addressOf(options)
  const dial = Network.dialled(
    (made) =>
      Effect.mapError(
        dialOn(address, options, () => {}, made),
        failure("connect", address)
      ),
    { close: options.close }
  )
  return SocketClient.fromDial(dial, { openTimeout: options.openTimeout ?? openTimeout })
}

/** What a socket channel carries. */
type SocketChannel<IE> = Channel.Channel<
  Arr.NonEmptyReadonlyArray<Uint8Array>,
  Socket.SocketError | IE,
  void,
  Arr.NonEmptyReadonlyArray<Uint8Array | string | Socket.CloseEvent>,
  IE
>

/**
 * `makeNet` as a channel.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeNetChannel = <IE = never>(options: Parameters<typeof makeNet>[0]): SocketChannel<IE> =>
  Channel.unwrap(Effect.map(makeNet(options), Socket.toChannelWith<IE>()))

/**
 * `makeNet` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNet = (options: Parameters<typeof makeNet>[0]): Layer.Layer<Socket.Socket, Socket.SocketError> =>
  Layer.effect(Socket.Socket, makeNet(options))
