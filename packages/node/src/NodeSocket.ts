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
import * as Effects from "@effect/platform-node-shared/NodeSocket"
import type * as Arr from "effect/Array"
import * as Channel from "effect/Channel"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Socket from "effect/socket/Socket"
import * as Address from "finwait/Address"
import type * as ClosePolicy from "finwait/ClosePolicy"
import * as Network from "finwait/Network"
import { AddressInvalid, NetworkError } from "finwait/NetworkError"
import * as SocketClient from "finwait/SocketClient"
import type * as Net from "node:net"
import type * as Tls from "node:tls"
import { WebSocket } from "ws"
import { dialOn, thenUpgraded } from "./internal/dial.ts"
import { failure } from "./internal/failures.ts"
import { named, shakeHands } from "./internal/tlsDial.ts"
import type { NodeTransport } from "./internal/transport.ts"
import { dialWebSocket } from "./internal/webSocketDial.ts"
import type { LivenessOptions } from "./internal/webSocketLiveness.ts"
import { webSocketSettings } from "./internal/webSocketSettings.ts"
import * as NodeNetwork from "./NodeNetwork.ts"
import * as NodeTls from "./NodeTls.ts"

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

/** What `makeTls` takes. */
type TlsConnectOptions = Tls.ConnectionOptions & TlsOptions

/**
 * What `makeTls` takes beside Node's own options.
 *
 * @category models
 * @since 0.1.0
 */
export interface TlsOptions extends Options {
  /** What a stream is that ends without close_notify; see `NodeTls.Options`. Default `end`. */
  readonly truncation?: "framed" | "error" | "end" | undefined
}

/**
 * A TLS client, by the options of Node's `tls.connect` and those of {@link TlsOptions}. Each acquisition of the reader dials
 * and shakes hands, both within `openTimeout`; a certificate that is not trusted is a `SocketOpenError`, whose `cause` is a
 * `NetworkError` with the reason `HandshakeFailed`.
 *
 * With a `socket` of your own in the options it is Effect's own `makeTls`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeTls = (options: TlsConnectOptions): Effect.Effect<Socket.Socket> => {
  if (options.socket !== undefined) return Effects.makeTls(options)
  const where = options as Net.NetConnectOpts
  const address = addressOf(where)
  const failed = failure("connect", address)
  const dial = Network.dialled(
    (made) =>
      thenUpgraded(
        (raw: (pipe: NodeTransport) => void) =>
          Effect.mapError(
            dialOn(address, { noDelay: true, ...where }, () => {}, raw),
            failed
          ),
        (pipe) =>
          shakeHands(pipe, { ...named(address), ...options }, options.truncation ?? "end").pipe(
            Effect.tap((transport) => Effect.sync(() => made(transport))),
            Effect.mapError(failed)
          )
      ),
    { close: options.close }
  )
  return SocketClient.fromDial(dial, { openTimeout: options.openTimeout ?? openTimeout })
}

/**
 * `makeTls` as a channel.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeTlsChannel = <IE = never>(options: Parameters<typeof makeTls>[0]): SocketChannel<IE> =>
  Channel.unwrap(Effect.map(makeTls(options), Socket.toChannelWith<IE>()))

/**
 * `makeTls` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerTls = (options: Parameters<typeof makeTls>[0]): Layer.Layer<Socket.Socket, Socket.SocketError> =>
  Layer.effect(Socket.Socket, makeTls(options))

/**
 * @category models
 * @since 0.1.0
 */
export interface WebSocketOptions extends Omit<Options, "chunkSize"> {
  /** Subprotocols to offer, the best first. Default: none. */
  readonly protocols?: string | Array<string> | undefined
  /** Headers of the request. Default: none but the upgrade's. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Of Effect's module. Not needed: a peer that sends faster than it is read is held back. */
  readonly highWaterMark?: number | undefined
  /** Asks a silent server whether it is there. Default: off; see `NodeWebSocket.Options`. */
  readonly liveness?: LivenessOptions | undefined
  /** For `wss:`, whom to trust and more; see `NodeTls.ClientOptions`. */
  readonly tls?: NodeTls.ClientOptions | undefined
}

const noUrl = (url: string) =>
  new NetworkError({
    operation: "connect",
    address: JSON.stringify(url),
    reason: new AddressInvalid({ problem: "no WebSocket URL; expected ws://HOST:PORT/PATH or wss://HOST:PORT/PATH" })
  })

const webSocketDial = (url: string, options: WebSocketOptions) => {
  const { hostname, pathname, port, protocol, search } = new URL(url)
  if (protocol !== "ws:" && protocol !== "wss:") throw new TypeError(protocol)
  const isSecure = protocol === "wss:"
  const host = hostname.replace(/^\[(.*)\]$/, "$1")
  const address = Address.tcp(host, port === "" ? (isSecure ? 443 : 80) : Number(port))
  const { protocols = [] } = options
  const settings = webSocketSettings({
    path: pathname + search,
    protocols: typeof protocols === "string" ? [protocols] : protocols,
    headers: options.headers,
    liveness: options.liveness
  })
  const base = isSecure ? NodeTls.provider({ client: options.tls ?? {}, truncation: "end" }) : NodeNetwork.provider()
  return Network.dialled((made) => dialWebSocket(base, settings)(address, made), { close: options.close })
}

/**
 * A WebSocket client, on `ws`. Each acquisition of the reader dials and asks for the upgrade, both within `openTimeout`.
 * Text messages are strings, others bytes; a `Socket.CloseEvent` that is written closes with its code, and the server's
 * code is that of the `SocketCloseError` that the pull ends with.
 *
 * A text that is no `ws:` or `wss:` URL is a `SocketOpenError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeWebSocket = (
  url: string | Effect.Effect<string>,
  options: WebSocketOptions = {}
): Effect.Effect<Socket.Socket> => {
  const dial = Effect.flatMap(typeof url === "string" ? Effect.succeed(url) : url, (url) =>
    Effect.flatten(Effect.try({ try: () => webSocketDial(url, options), catch: () => noUrl(url) }))
  )
  return SocketClient.fromDial(dial, { openTimeout: options.openTimeout ?? openTimeout })
}

/**
 * `makeWebSocket` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWebSocket = (
  url: string | Effect.Effect<string>,
  options?: WebSocketOptions
): Layer.Layer<Socket.Socket> => Layer.effect(Socket.Socket, makeWebSocket(url, options))

/**
 * What Effect's own `Socket.makeWebSocket` makes its sockets with, on `ws`: for programs that use it. What it makes is
 * Effect's, and closes as that does; `makeWebSocket` of this module is ours.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWebSocketConstructor: Layer.Layer<Socket.WebSocketConstructor> = Layer.succeed(
  Socket.WebSocketConstructor
)((url, options) =>
  options === undefined || typeof options === "string" || Array.isArray(options)
    ? new WebSocket(url, options)
    : new WebSocket(url, options.protocols, { headers: options.headers })
)
