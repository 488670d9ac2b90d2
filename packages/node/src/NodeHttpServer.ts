/**
 * Effect's `HttpServer` on Node, with a drain that loses no request and a close that loses no answer: the module of the
 * same name in `@effect/platform-node`, with the same constructors and the same options. A program changes its import
 * and nothing else.
 *
 * ```ts no-run
 * import * as NodeHttpServer from "@finwait/node/NodeHttpServer" // was: "@effect/platform-node/NodeHttpServer"
 * import * as NodeProcess from "@finwait/node/NodeProcess"
 * import * as Layer from "effect/Layer"
 * import * as HttpRouter from "effect/http/HttpRouter"
 * import * as HttpServerResponse from "effect/http/HttpServerResponse"
 * import { createServer } from "node:http"
 *
 * const routes = HttpRouter.add("GET", "/", HttpServerResponse.text("hello"))
 *
 * HttpRouter.serve(routes).pipe(
 *   Layer.provide(NodeHttpServer.layer(createServer, { port: 3000, drain: { lameDuck: "5 seconds" } })),
 *   Layer.launch,
 *   NodeProcess.runMain
 * )
 * ```
 *
 * HTTP itself stays Node's, and requests and answers stay Effect's: its exported handlers serve them. What is different is
 * what happens to connections.
 *
 * **The drain**, at a signal, at the end of the scope or when somebody asks for it:
 *
 * - The listener stops; who waits in its backlog is accepted and answered.
 * - Answers that have not begun say `Connection: close`, the last of several that were asked for one behind the other. A
 *   connection whose last answer did not say so may ask once more within `keepAliveGrace` of it, because the question may
 *   be on its way; then it gets FIN. Whoever has been idle for longer gets it at once.
 * - HTTP/2 sessions are told GOAWAY; their open streams finish, and what comes too late is refused and may be asked again.
 * - The input of a WebSocket's handler ends; when it is done with what it has in hand the peer is told 1001. Event streams
 *   end with a comment (`upgrades`, `eventStreams`).
 * - Half of a request is waited for until the drain's deadline and answered with 408. Handlers that still run then are
 *   interrupted, and answered for with 503, those as well that cannot be interrupted: Effect lets a router's handlers be
 *   (but for routes that are `uninterruptible`), and an app that `HttpServer.serve` is given only where it says so
 *   (`Effect.interruptible`). What is still open when the time for that has passed as well is reset.
 *
 * **The close** of every connection, drained or not, is the one of all connections here: FIN behind the last answer, then
 * a linger that reads on until the peer's, so that a client that is still sending its upload can read the answer to it.
 *
 * **The server** that is given does not listen itself: it is handed what was accepted for it. It says that it listens, and
 * its limits hold: `headersTimeout`, `requestTimeout`, `keepAliveTimeout`, `maxHeaderSize` and the rest. They are enforced
 * while it drains, too.
 *
 * Needs `@effect/platform-node`, which is an optional peer of this package.
 *
 * @since 0.1.0
 */
import * as Effects from "@effect/platform-node/NodeHttpServer"
import type * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Etag from "effect/http/Etag"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type { HttpClient } from "effect/http/HttpClient"
import type * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpServer from "effect/http/HttpServer"
import type { HttpMiddleware } from "effect/http/HttpMiddleware"
import { ServeError } from "effect/http/HttpServerError"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import type { LazyArg } from "effect/Function"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Address from "finwait/Address"
import * as ClosePolicy from "finwait/ClosePolicy"
import type { Drain } from "finwait/Drain"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import type * as SocketServer from "finwait/SocketServer"
import * as Http from "node:http"
import * as Tls from "node:tls"
import { askedAddress } from "./internal/addresses.ts"
import { type HandshakeLimits, handshakeLimits, type HandshakeOptions } from "./internal/handshakes.ts"
import { HttpAcceptor, type HttpServer as NodeServer } from "./internal/httpAcceptor.ts"
import { connectionOfRequest } from "./internal/httpConnection.ts"
import { continueWhenRead, discardRest, ended, endingEvents, inOneWrite } from "./internal/httpServe.ts"
import { UpgradedWebSocket, Upgrades } from "./internal/httpUpgrades.ts"
import { impersonate, type Impersonated } from "./internal/impersonate.ts"
import { listenOn } from "./internal/listen.ts"
import { millisOf, wordOf } from "./internal/options.ts"
import { speakingTls } from "./internal/tlsListen.ts"

export {
  /**
   * A handler of Node's `request` events for an Effect application; Effect's own.
   *
   * @category re-exports
   * @since 0.1.0
   */
  makeHandler,
  /**
   * A handler of Node's `upgrade` events for an Effect application; Effect's own.
   *
   * @category re-exports
   * @since 0.1.0
   */
  makeUpgradeHandler,
  /**
   * What an HTTP application needs beside a server; Effect's own.
   *
   * @category re-exports
   * @since 0.1.0
   */
  layerHttpServices
} from "@effect/platform-node/NodeHttpServer"

/**
 * The options of Effect's module, and what Finwait adds to them.
 *
 * **Details**
 *
 * `gracefulShutdownTimeout` is the drain's `deadline`, where `drain` has none. With `disablePreemptiveShutdown` the end of
 * `serve` interrupts its requests and does not drain the server, which its own scope does then.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options
  extends
    Effects.Options,
    Pick<SocketServer.Limits, "drain" | "connectionsMax" | "connectionsPerPeerMax" | "overflow" | "waitingMax">,
    HandshakeOptions {
  /** Laid over the current `ClosePolicy`. A farewell is not said: HTTP has its own. */
  readonly close?: Omit<ClosePolicy.Options, "farewell" | "farewellRetry" | "farewellTimeout"> | undefined
  /** Runs once, when the server has drained, with the report. */
  readonly onDrained?: Server.Options["onDrained"]
  /**
   * For how long a connection that is kept alive may ask once more, from its last answer on, when the server drains.
   * Default 1 second: balancers use a connection again in the very moment in which it closes, and one that was in use a
   * moment ago most of all. 0 ends it at once.
   */
  readonly keepAliveGrace?: Duration.Input | undefined
  /**
   * When upgraded connections are told to end. `announcement` (default): when the drain begins; the input of a WebSocket's
   * handler ends as if the peer had said goodbye, and behind what it still sends the peer gets a close frame, code 1001.
   * `deadline`: when the time for handlers has passed.
   */
  readonly upgrades?: "announcement" | "deadline" | undefined
  /**
   * When answers of type `text/event-stream` end. `announcement` (default): when the drain begins, with a comment as the
   * last line; a browser connects again. `deadline`: when the time for handlers has passed, which interrupts them.
   */
  readonly eventStreams?: "announcement" | "deadline" | undefined
  /**
   * Over which time of the lame duck connections are told to end, one after the other, so that not all of them connect
   * elsewhere in the same moment. Default: none is told before the lame duck is over. Needs `drain.lameDuck`.
   */
  readonly spread?: Duration.Input | undefined
}

/**
 * An `HttpServer`, and what this one can tell of itself.
 *
 * @category models
 * @since 0.1.0
 */
export type Draining = HttpServer.HttpServer["Service"] & {
  /** Connections that are open now. */
  readonly connections: Effect.Effect<number>
  /** Its end, see `finwait/Drain`. */
  readonly drain: Drain
}

const whens = ["announcement", "deadline"] as const

type App = Effect.Effect<HttpServerResponse, unknown, HttpServerRequest | Scope.Scope>

const failed = (cause: unknown) => new ServeError({ cause })

const addressOf = (address: Address.Address): Effect.Effect<NetAddress.SocketAddress, ServeError> =>
  address._tag === "Unix"
    ? Effect.succeed(NetAddress.unixPathAddress(address.path))
    : Effect.mapError(Effect.fromResult(NetAddress.inetAddressFromIpString(address.host, address.port)), failed)

/** Listens for the server that does not listen itself. */
const accepting = (server: NodeServer, options: Options, handshakes: HandshakeLimits, acceptor: HttpAcceptor) =>
  Effect.gen(function* () {
    const { backlog, exclusive, ipv6Only, host, port, readableAll, reusePort, signal, writableAll } = options
    const listen = { backlog, exclusive, ipv6Only, host, port, readableAll, reusePort, signal, writableAll }
    const { highWaterMark, keepAlive, keepAliveInitialDelay } = server as Impersonated
    const sockets = { noDelay: true, highWaterMark, keepAlive, keepAliveInitialDelay }
    const base = yield* listenOn(askedAddress(options), {
      server: sockets,
      listen,
      namesLater: true,
      onSocket: () => {}
    })
    impersonate(server, base.server, acceptor.closeServer)
    base.tellsLater = !acceptor.spreads
    const isListening = () => base.server.listening
    if (!(server instanceof Tls.Server)) return acceptor.over(base, isListening)
    return acceptor.over(yield* speakingTls(base, server, handshakes, "end"), isListening)
  })

/**
 * An `HttpServer` over one of Node's, which is made by `evaluate` and not listening yet: `node:http`, `node:https`,
 * `http2.createServer` or `http2.createSecureServer`. Listens at once; who connects before `serve` waits. The end of the
 * scope that `serve` is called in drains it, and so does the end of its own.
 *
 * **Details**
 *
 * Fails with `ServeError`, whose `cause` is a `NetworkError` that says where it cannot listen and why, or a
 * `ShutdownBudgetError` when the parts of `drain` do not fit. A certificate that cannot be used is thrown by Node in
 * `evaluate`. An option that is out of its range is a defect, `RangeError`.
 *
 * **Example** (Asks itself)
 *
 * ```ts
 * import * as NodeHttpServer from "@finwait/node/NodeHttpServer"
 * import * as Effect from "effect/Effect"
 * import * as HttpServerResponse from "effect/http/HttpServerResponse"
 * import { createServer } from "node:http"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const server = yield* NodeHttpServer.make(createServer, { host: "127.0.0.1", port: 0 })
 *   yield* server.serve(Effect.succeed(HttpServerResponse.text("hello")))
 *   const port = "port" in server.address ? server.address.port : 0
 *   const text = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}`).then((response) => response.text()))
 *   const report = yield* server.drain.begin
 *   return [text, report.clean, report.connections]
 * }))
 *
 * console.log(await Effect.runPromise(program)) // => [ 'hello', true, 1 ]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  evaluate: LazyArg<NodeServer>,
  options: Options
): Effect.Effect<Draining, ServeError, Scope.Scope> => Effect.map(start(evaluate, options), ({ http }) => http)

/** The two services that a server is. */
interface Started {
  readonly http: Draining
  readonly server: Server.Server["Service"]
}

const start = Effect.fnUntraced(function* (
  evaluate: LazyArg<NodeServer>,
  options: Options
): Effect.fn.Return<Started, ServeError, Scope.Scope> {
  const graceMillis = millisOf("keepAliveGrace", options.keepAliveGrace ?? "1 second")
  const spreadMillis = millisOf("spread", options.spread ?? 0)
  wordOf("upgrades", options.upgrades ?? "announcement", whens)
  wordOf("eventStreams", options.eventStreams ?? "announcement", whens)
  const handshakes = handshakeLimits(options)
  const policy = ClosePolicy.override(yield* ClosePolicy.CurrentClosePolicy, options.close)
  const node = evaluate()
  if (node.listening) return yield* failed(new Error("the server listens already: NodeHttpServer listens for it"))
  /** Of each `serve`: what its requests run in. */
  const requests = new Set<Scope.Closeable>()
  const acceptor = new HttpAcceptor(node, {
    graceMillis,
    tellsUpgraded: options.upgrades !== "deadline",
    spreads: spreadMillis > 0,
    interruptRequests: () => {
      for (const scope of requests) Effect.runFork(Scope.close(scope, Exit.void))
    }
  })
  // Of Node's, which has its own to end: the looking after its timeouts.
  const close = (node as Http.Server).close.bind(node, () => {})
  let isClosed = false
  const closeNode = () => {
    if (!isClosed) close()
    isClosed = true
  }
  const isFull = options.connectionsMax === undefined && node.maxConnections !== undefined
  const overflow = options.overflow ?? (isFull ? "refuse" : undefined)
  const waitingMax = overflow === "refuse" ? 0 : options.waitingMax
  const listener = yield* Network.listening(accepting(node, options, handshakes, acceptor), { waitingMax }).pipe(
    Effect.provideService(ClosePolicy.CurrentClosePolicy, { ...policy, farewell: undefined }),
    Effect.mapError(failed)
  )
  const address = yield* addressOf(listener.address)
  const deadline = options.gracefulShutdownTimeout
  const server = yield* Effect.mapError(
    Server.fromListener(listener, {
      handler: Server.conversation,
      drain: deadline === undefined ? options.drain : { deadline, ...options.drain },
      // Node turns away who is one too many.
      connectionsMax: options.connectionsMax ?? node.maxConnections,
      connectionsPerPeerMax: options.connectionsPerPeerMax,
      overflow,
      onDrained: (report) => Effect.andThen(Effect.sync(closeNode), options.onDrained?.(report) ?? Effect.void)
    }),
    failed
  )
  yield* Effect.addFinalizer(() => Effect.sync(closeNode))
  const { connections, drain } = server
  acceptor.onClose = (closed) => Effect.runFork(drain.begin).addObserver(closed)
  if (spreadMillis > 0) {
    yield* Effect.forkDetach(
      Stream.runForEach(
        Stream.filter(drain.progress, ({ phase }) => phase === "LameDuck"),
        () => Effect.forkDetach(acceptor.retireAll(spreadMillis))
      )
    )
  }
  const upgrades = new Upgrades({
    ...options.websocket,
    // How long a silent peer is waited for is the close policy's to say.
    closeTimeout: 2 ** 31 - 1,
    noServer: true,
    clientTracking: false,
    WebSocket: UpgradedWebSocket
  } as object)

  const serve = Effect.fnUntraced(function* (httpApp: App, middleware?: HttpMiddleware) {
    const app = options.eventStreams === "deadline" ? httpApp : endingEvents(httpApp)
    const scope = yield* Scope.make("parallel")
    const applied = { scope, middleware: middleware as never }
    const handler = yield* Effects.makeHandler(app, applied) as Effect.Effect<Http.RequestListener>
    const onUpgrade = yield* Effects.makeUpgradeHandler(Effect.succeed(upgrades), app, applied) as Effect.Effect<
      (...event: ReadonlyArray<unknown>) => void
    >
    const answer: Http.RequestListener = (request, response) => {
      if (request.httpVersionMajor !== 1) return handler(request, response)
      inOneWrite(response)
      handler(request, response)
      discardRest(request, response)
    }
    const onRequest: Http.RequestListener = (request, response) => {
      if (connectionOfRequest(request)?.isDraining !== true) return answer(request, response)
      // Which one is the last of those that have come together is known when all have been read.
      setImmediate(() => {
        if (!response.destroyed) answer(request, response)
      })
    }
    const onContinue: Http.RequestListener = (request, response) => {
      continueWhenRead(request, response)
      onRequest(request, response)
    }
    const events = node as Http.Server
    events.on("request", onRequest).on("checkContinue", onContinue).on("upgrade", onUpgrade)
    requests.add(scope)
    acceptor.open()
    yield* Effect.addFinalizer(() =>
      (options.disablePreemptiveShutdown === true
        ? Effect.void
        : // What was forced has had its time.
          Effect.flatMap(drain.begin, ({ clean }) => (clean ? ended(scope) : Effect.void))
      ).pipe(
        Effect.andThen(
          Effect.sync(() => {
            events.off("request", onRequest).off("checkContinue", onContinue).off("upgrade", onUpgrade)
            requests.delete(scope)
            // A handler that cannot be interrupted is not waited for: the drain has counted it.
            Effect.runFork(Scope.close(scope, Exit.void))
          })
        )
      )
    )
  })
  return { http: { ...HttpServer.make({ address, serve }), connections, drain }, server }
})

/**
 * `make` as a layer, which provides its `finwait/Server` as well, for health routes and whoever wants to see its drain.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerServer = (
  evaluate: LazyArg<NodeServer>,
  options: Options
): Layer.Layer<HttpServer.HttpServer | Server.Server, ServeError> => layered(start(evaluate, options))

const layered = <E>(
  start: Effect.Effect<Started, E, Scope.Scope>
): Layer.Layer<HttpServer.HttpServer | Server.Server, E> =>
  Layer.effectContext(
    Effect.map(start, ({ http, server }) =>
      Context.make(HttpServer.HttpServer, http).pipe(Context.add(Server.Server, server))
    )
  )

/**
 * `layerServer`, with the platform services that an HTTP application needs.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  evaluate: LazyArg<NodeServer>,
  options: Options
): Layer.Layer<
  HttpServer.HttpServer | Server.Server | NodeServices.NodeServices | HttpPlatform.HttpPlatform | Etag.Generator,
  ServeError
> => Layer.mergeAll(layerServer(evaluate, options), Effects.layerHttpServices)

/**
 * `layer`, by options that are read from a `Config`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  evaluate: LazyArg<NodeServer>,
  options: Config.Wrap<Options>
): Layer.Layer<
  HttpServer.HttpServer | Server.Server | NodeServices.NodeServices | HttpPlatform.HttpPlatform | Etag.Generator,
  ServeError | Config.ConfigError
> =>
  Layer.mergeAll(
    layered(Effect.flatMap(Config.unwrap(options), (options) => start(evaluate, options))),
    Effects.layerHttpServices
  )

/**
 * A server on a port of the system's choice, and an `HttpClient` that asks it, for tests.
 *
 * @category testing
 * @since 0.1.0
 */
export const layerTest: Layer.Layer<
  | HttpServer.HttpServer
  | Server.Server
  | NodeServices.NodeServices
  | HttpPlatform.HttpPlatform
  | Etag.Generator
  | HttpClient,
  ServeError
> = HttpServer.layerTestClient.pipe(
  Layer.provide(
    Layer.fresh(FetchHttpClient.layer).pipe(
      Layer.provide(Layer.succeed(FetchHttpClient.RequestInit)({ keepalive: false }))
    )
  ),
  Layer.provideMerge(layer(Http.createServer, { port: 0, keepAliveGrace: 0 }))
)
