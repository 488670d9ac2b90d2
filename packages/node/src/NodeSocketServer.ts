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
import { IncomingMessage } from "@effect/platform-node-shared/NodeSocketServer"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as EffectSocketServer from "effect/socket/SocketServer"
import type { Connection } from "finwait/Connection"
import * as Network from "finwait/Network"
import type { NetworkError } from "finwait/NetworkError"
import * as SocketServer from "finwait/SocketServer"
import * as Transport from "finwait/Transport"
import type * as Http from "node:http"
import type * as Net from "node:net"
import type * as Tls from "node:tls"
import type { ServerOptions, WebSocket } from "ws"
import { askedAddress } from "./internal/addresses.ts"
import { handshakeLimits, type HandshakeOptions } from "./internal/handshakes.ts"
import { listenOn } from "./internal/listen.ts"
import { wordOf } from "./internal/options.ts"
import { truncations } from "./internal/secured.ts"
import { speakingTls, tlsServer } from "./internal/tlsListen.ts"
import { NodeTransport } from "./internal/transport.ts"
import { listenWebSocket } from "./internal/webSocketListen.ts"
import type { LivenessOptions } from "./internal/webSocketLiveness.ts"
import { webSocketSettings } from "./internal/webSocketSettings.ts"
import { WebSocketTransport } from "./internal/webSocketTransport.ts"

export {
  /**
   * The request that a WebSocket was made from, in the handlers of `makeWebSocket`; Effect's own tag.
   *
   * @category re-exports
   * @since 0.1.0
   */
  IncomingMessage
}

/**
 * What Finwait adds to the options of Effect's module: `close` and `drain`, and the limits of a server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends SocketServer.Limits {}

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

/** Node throws what is wrong with a key, a certificate or an option. */
const attempt = <A>(act: () => A): Effect.Effect<A, EffectSocketServer.SocketServerError> =>
  Effect.try({ try: act, catch: openFailed })

const listenNet = (options: Net.ServerOpts & Net.ListenOptions) =>
  listenOn(askedAddress(options), { server: options, listen: options, onSocket: () => {} })

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
  served(listenNet({ noDelay: true, ...options }), options, netSocketOf)

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

/**
 * What `makeTls` takes beside Node's options.
 *
 * @category models
 * @since 0.1.0
 */
export interface TlsOptions extends Options {
  /** How long a handshake may go on once the server is told to stop. Default 1 second; see `NodeTls.Options`. */
  readonly handshakeGrace?: Duration.Input | undefined
  /**
   * What a stream is that ends without close_notify; see `NodeTls.Options`. Default `end`, as Effect's own has it, which
   * cannot tell: and as fast as Node's TLS.
   */
  readonly truncation?: "framed" | "error" | "end" | undefined
}

/**
 * A TLS socket server, by the options of Node's `tls.createServer` and `listen`, and those of {@link TlsOptions}. A handler
 * is begun when the handshake is done, and finds the `TLSSocket` in `NodeSocket.NetSocket`.
 *
 * **Details**
 *
 * A handshake has `handshakeTimeout` milliseconds, 10,000 where it is left out (Node has 120,000). One that fails ends its
 * connection and nothing else. close_notify is sent before FIN. For certificates that are replaced without a restart use
 * `NodeTls`, with `finwait/SocketServer`.
 *
 * Fails as `make` does; a key or certificate that cannot be used is a `SocketServerOpenError` as well.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeTls = (
  options: Tls.TlsOptions & Net.ListenOptions & TlsOptions
): Effect.Effect<EffectSocketServer.SocketServer["Service"], EffectSocketServer.SocketServerError, Scope.Scope> =>
  Effect.flatMap(
    Effect.suspend(() => {
      // What is out of its range is no failure, but a mistake.
      const limits = handshakeLimits(options)
      const truncation = wordOf("truncation", options.truncation ?? "end", truncations)
      return Effect.map(
        attempt(() => tlsServer(options)),
        (server) => ({ limits, server, truncation })
      )
    }),
    ({ limits, server, truncation }) => {
      const listening = Effect.flatMap(listenNet({ noDelay: true, ...options }), (base) =>
        speakingTls(base, server, limits, truncation)
      )
      return served(listening, options, netSocketOf)
    }
  )

/**
 * `makeTls` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerTls = (
  options: Tls.TlsOptions & Net.ListenOptions & TlsOptions
): Layer.Layer<EffectSocketServer.SocketServer, EffectSocketServer.SocketServerError> =>
  Layer.effect(EffectSocketServer.SocketServer, makeTls(options))

/**
 * What `makeWebSocket` takes beside the options of `ws`.
 *
 * @category models
 * @since 0.1.0
 */
export interface WebSocketOptions extends Options, HandshakeOptions {
  /** Asks silent peers whether they are there. Default: off; see `NodeWebSocket.Options`. */
  readonly liveness?: LivenessOptions | undefined
}

/** Of `ws`: who changes nothing but the import finds what he had. */
const maxPayload = 100 * 1024 * 1024

const webSocketOf = (connection: Connection): Context.Context<never> => {
  const pipe = Transport.of(connection)
  if (!(pipe instanceof WebSocketTransport) || pipe.request === undefined) return Context.empty()
  return IncomingMessage.context(pipe.request).pipe(Context.add(Socket.WebSocket, pipe.socket as never))
}

/**
 * A WebSocket server, by the options of `ws`, and those of {@link WebSocketOptions}. A handler gets text messages as
 * strings and others as bytes, one frame for each message, and finds the request in {@link IncomingMessage} and the
 * `WebSocket` in `Socket.WebSocket`.
 *
 * **Details**
 *
 * A client is told 1001 in a drain, the code of a `Socket.CloseEvent` that the handler has written, and 1000 otherwise; its
 * own close frame is awaited for no longer than the close policy says. Sockets that connect and never upgrade are ended by
 * `handshakeTimeout`, default 10 seconds, and at once in a drain. With `server`, an HTTP server of your own, nothing but its
 * upgrades is served, and nothing but they end in the drain.
 *
 * Fails as `make` does.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeWebSocket = (
  options: ServerOptions<typeof WebSocket, typeof Http.IncomingMessage> & WebSocketOptions
): Effect.Effect<EffectSocketServer.SocketServer["Service"], EffectSocketServer.SocketServerError, Scope.Scope> =>
  Effect.flatMap(
    attempt(() => {
      if (options.port === undefined && options.server === undefined) {
        throw new Error("a WebSocket server needs a port to listen on, or a server whose upgrades it serves")
      }
      return webSocketSettings({
        handshakeTimeout: options.handshakeTimeout,
        handshakeGrace: options.handshakeGrace,
        liveness: options.liveness,
        maxPayload: options.maxPayload ?? maxPayload,
        serverOptions: options
      })
    }),
    (settings) => served(listenWebSocket(options as ServerOptions, settings), options, webSocketOf)
  )

/**
 * `makeWebSocket` as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWebSocket = (
  options: ServerOptions<typeof WebSocket, typeof Http.IncomingMessage> & WebSocketOptions
): Layer.Layer<EffectSocketServer.SocketServer, EffectSocketServer.SocketServerError> =>
  Layer.effect(EffectSocketServer.SocketServer, makeWebSocket(options))
