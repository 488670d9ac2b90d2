/** An HTTP server, on Effect's own module or on Finwait's: the same constructors, the same options. */
import * as EffectNodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type { NodeServices } from "@effect/platform-node/NodeServices"
import * as FinwaitNodeHttpServer from "@finwait/node/NodeHttpServer"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import {
  type Etag,
  type HttpMiddleware,
  type HttpPlatform,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  type HttpServerError,
  type HttpServerResponse
} from "effect/http"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import { join } from "node:path"
import { certificate } from "../contract/certificate.ts"
import { temporaryDirectory } from "../contract/world.ts"

/** What a program imports. That both fit is the drop-in promise for types. */
export interface Servers {
  readonly name: "Effect's" | "Finwait's"
  readonly module: Pick<
    typeof EffectNodeHttpServer,
    | "make"
    | "makeHandler"
    | "makeUpgradeHandler"
    | "layer"
    | "layerServer"
    | "layerConfig"
    | "layerTest"
    | "layerHttpServices"
  >
}

export const effects: Servers = { name: "Effect's", module: EffectNodeHttpServer }
export const finwaits: Servers = { name: "Finwait's", module: FinwaitNodeHttpServer }

/** `h2c` is HTTP/2 without TLS, `h2` with it; the latter speaks HTTP/1.1 with who asks for that. */
export type Protocol = "http" | "https" | "h2c" | "h2"

/** What the layer of either gives an application, beside the request. */
export type Services = NodeServices | HttpPlatform.HttpPlatform | Etag.Generator

export type App = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  unknown,
  HttpServerRequest.HttpServerRequest | Scope.Scope | Services
>

export interface Settings {
  /** Of Node's server. */
  readonly node?: Http.ServerOptions & Http2.SecureServerOptions
  readonly options?: EffectNodeHttpServer.Options
  readonly middleware?: HttpMiddleware.HttpMiddleware
  /** Is shown the server of Node's before it listens. */
  readonly prepare?: (node: Http.Server) => void
}

export interface Listening {
  readonly protocol: Protocol
  readonly server: HttpServer.HttpServer["Service"]
  readonly node: Http.Server
  readonly port: number
  /** Ends the server, as the end of its layer does. */
  readonly close: Effect.Effect<void>
  /** Serves one more application on it, until its end. */
  readonly serve: (app: App, middleware?: HttpMiddleware.HttpMiddleware) => Effect.Effect<void>
}

export interface World {
  readonly servers: Servers
  readonly protocol: Protocol
  /** A server that listens, until the end of the test, and serves nothing yet. */
  readonly listen: (settings?: Settings) => Effect.Effect<Listening, HttpServerError.ServeError, Scope.Scope>
  /** A server of one application. */
  readonly serve: (app: App, settings?: Settings) => Effect.Effect<Listening, HttpServerError.ServeError, Scope.Scope>
  /** A server of routes. */
  readonly route: (
    routes: Layer.Layer<never, never, HttpRouter.HttpRouter>
  ) => Effect.Effect<Listening, HttpServerError.ServeError, Scope.Scope>
}

export const host = "127.0.0.1"

/** Where a socket's file can be. */
export const socketPath = Effect.map(temporaryDirectory, (directory) => join(directory, "http.sock"))

export const nodeServer = (protocol: Protocol, options: Settings["node"] = {}): Http.Server => {
  switch (protocol) {
    case "http":
      return Http.createServer(options)
    case "https":
      return Https.createServer({ ...certificate, ...options })
    // The members that are used here exist on every kind of server.
    case "h2c":
      return Http2.createServer(options) as unknown as Http.Server
    case "h2":
      return Http2.createSecureServer({ ...certificate, allowHTTP1: true, ...options }) as unknown as Http.Server
  }
}

export const portOf = (server: HttpServer.HttpServer["Service"]): number =>
  "port" in server.address ? server.address.port : 0

export const world = (servers: Servers, protocol: Protocol): World => {
  const { module } = servers

  const listen = Effect.fnUntraced(function* (settings: Settings = {}) {
    const test = yield* Effect.scope
    const scope = yield* Scope.fork(test)
    const services = yield* Layer.buildWithScope(module.layerHttpServices, scope)
    const node = nodeServer(protocol, settings.node)
    settings.prepare?.(node)
    const options = settings.options ?? {}
    const where = options.path === undefined ? { host, port: 0 } : {}
    const server = yield* Scope.provide(
      module.make(() => node, { ...where, ...options }),
      scope
    )
    const served: Array<Scope.Closeable> = []
    const made: Listening = {
      protocol,
      server,
      node,
      port: portOf(server),
      // In the order of layers: what is served ends before what it is served on.
      close: Effect.suspend(() =>
        Effect.forEach([...served.toReversed(), scope], (one) => Scope.close(one, Exit.void), { discard: true })
      ),
      serve: Effect.fnUntraced(function* (app, middleware) {
        const own = yield* Scope.fork(test)
        served.push(own)
        const serving = server.serve(app, middleware as never) as Effect.Effect<void, never, Services | Scope.Scope>
        yield* Effect.provideContext(Scope.provide(serving, own), services)
      })
    }
    return made
  })

  return {
    servers,
    protocol,
    listen,
    serve: Effect.fnUntraced(function* (app, settings) {
      const listening = yield* listen(settings)
      yield* listening.serve(app, settings?.middleware)
      return listening
    }),
    route: Effect.fnUntraced(function* (routes) {
      const listening = yield* listen()
      const served = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })
      yield* Layer.build(
        Layer.provide(served, Layer.succeedContext(Context.make(HttpServer.HttpServer, listening.server)))
      )
      return listening
    })
  }
}

/** An application that looks at what it is asked. */
export const answering = <E, R>(
  answer: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) => HttpServerRequest.HttpServerRequest.use(answer)
