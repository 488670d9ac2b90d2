/**
 * The health of a server over HTTP, as Kubernetes and its operators ask for it: whether the process lives, whether it
 * takes new work, and how far its drain has come. Routes for an `HttpRouter`, in an app or on a port of their own.
 *
 * ```ts no-run
 * import * as NodeHttpServer from "@finwait/node/NodeHttpServer"
 * import * as NodeProcess from "@finwait/node/NodeProcess"
 * import * as Layer from "effect/Layer"
 * import * as HttpRouter from "effect/http/HttpRouter"
 * import * as HttpServerResponse from "effect/http/HttpServerResponse"
 * import * as Health from "finwait/Health"
 * import { createServer } from "node:http"
 *
 * const app = HttpRouter.serve(HttpRouter.add("GET", "/", HttpServerResponse.text("hello")))
 *
 * // Asks the app's server, on a port of its own, which goes on answering until the app's has drained.
 * const admin = Health.layerAdmin(NodeHttpServer.layer(createServer, { port: 9000 }), { metrics: {} })
 *
 * Layer.merge(app, admin).pipe(
 *   Layer.provide(NodeHttpServer.layer(createServer, { port: 3000 })),
 *   Layer.launch,
 *   (server) => NodeProcess.runMain(server, { shutdown: { grace: "30 seconds", lameDuck: "5 seconds" } })
 * )
 * ```
 *
 * - `/livez`: 200 for as long as anybody answers. In a drain as well: a process that is ending must not be restarted.
 * - `/readyz`: 200 while serving, 503 from the lame duck on, and while a check of yours fails. The body is `ok`, or the
 *   list of everything that was looked at, as Kubernetes' own servers have it: when something fails, and on `?verbose`.
 * - `/drainz`: how the drain goes, as JSON; as server-sent events for who accepts `text/event-stream`.
 * - `/metrics`, if you want it: Effect's `PrometheusMetrics`, with what `finwait/Metrics` counts.
 *
 * **Which port.** On the app's own port (`layer`) a probe sees what clients see. But nobody new is let in once the lame
 * duck is over, and whoever follows `/drainz` there is a connection that the drain waits for: a `NodeHttpServer` ends event
 * streams when it tells its connections to end, and with `eventStreams: "deadline"` one that follows keeps the server until
 * its deadline. To see a drain to its end, ask on a port of its own: `layerAdmin`.
 *
 * The routes are not logged by the router: a probe asks every few seconds.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServer from "effect/http/HttpServer"
import { HttpServerRequest, ParsedSearchParams } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Drain, Progress, Report } from "./Drain.ts"
import * as Check from "./internal/options.ts"
import { type Finding, isWell, listed, ofCheck, ofDrain } from "./internal/readiness.ts"
import { Server } from "./Server.ts"
import { CurrentShutdown, type Shutdown } from "./Shutdown.ts"

/**
 * Drains to watch, by the names of their servers.
 *
 * @category models
 * @since 0.1.0
 */
export type Drains = Readonly<Record<string, Drain>>

/**
 * What `/drainz` tells: in JSON once, as events from the request to the end of the drain.
 *
 * @category models
 * @since 0.1.0
 */
export interface Told extends Progress {
  /** Once the drain is done. */
  readonly report?: Report
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options<R = never> {
  /** Default `/livez`. */
  readonly livez?: HttpRouter.PathInput | undefined
  /** Default `/readyz`. */
  readonly readyz?: HttpRouter.PathInput | undefined
  /** Default `/drainz`. */
  readonly drainz?: HttpRouter.PathInput | undefined
  /**
   * What has to succeed for the server to be ready, beside that it serves, by names. All are asked at once, at every
   * request. Why one failed is logged as a warning; the body has only its name, because anybody might read it.
   */
  readonly checks?: Readonly<Record<string, Effect.Effect<unknown, unknown, R>>> | undefined
  /**
   * How long a check may take before it counts as failed; it is interrupted then, and not waited for. Default 1 second,
   * which is how long Kubernetes waits for the whole answer (`timeoutSeconds` of the probe).
   */
  readonly checkTimeout?: Duration.Input | undefined
  /** Adds Effect's `PrometheusMetrics.layerHttp`; `{}` for its default, `/metrics`. Default: no metrics. */
  readonly metrics?: PrometheusMetrics.HttpOptions | undefined
}

/**
 * The routes, for the server of the context.
 *
 * **Example** (Asks in a drain)
 *
 * ```ts
 * import * as NodeHttpServer from "@finwait/node/NodeHttpServer"
 * import * as Effect from "effect/Effect"
 * import * as HttpClient from "effect/http/HttpClient"
 * import * as HttpRouter from "effect/http/HttpRouter"
 * import * as Layer from "effect/Layer"
 * import * as Logger from "effect/Logger"
 * import * as Health from "finwait/Health"
 * import * as Server from "finwait/Server"
 *
 * const database = Effect.fail("no route to host")
 *
 * const program = Effect.gen(function*() {
 *   const ask = (path: string) => Effect.flatMap(HttpClient.get(path), (response) => response.text)
 *   console.log(yield* ask("/livez")) // => ok
 *   console.log((yield* ask("/readyz")).split("\n")) // => [ '[+]server ok', '[-]database failed', 'readyz check failed', '' ]
 *   const report = yield* (yield* Server.Server).drain.begin
 *   console.log(report.clean) // => true
 * })
 *
 * await HttpRouter.serve(Health.layer({ checks: { database } }), { disableListenLog: true }).pipe(
 *   Layer.provideMerge(NodeHttpServer.layerTest),
 *   Layer.provide(Logger.layer([])),
 *   (server) => Effect.runPromise(Effect.provide(program, server))
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R = never>(
  options?: Options<R>
): Layer.Layer<never, never, HttpRouter.HttpRouter | Server | Exclude<R, Scope.Scope>> =>
  Layer.unwrap(Server.useSync(({ drain }) => routes(one(drain), options)))

/**
 * The routes, for several servers of one process: ready if all of them are. `/drainz` has an object by their names, and
 * as events what each of them tells, with its name as `server`; they end when all drains are done.
 *
 * @category layers
 * @since 0.1.0
 */
export const fromDrains = <R = never>(
  drains: Drains,
  options?: Options<R>
): Layer.Layer<never, never, HttpRouter.HttpRouter | Exclude<R, Scope.Scope>> => routes(several(drains), options)

/**
 * The routes on a port of their own, for the server of the context, and outliving it: `/readyz` says 503 and `/drainz`
 * goes on telling until that server has drained; then this one does. See {@link outliving}.
 *
 * **Details**
 *
 * `server` is made for the routes alone, on top of the server of the context. It has no lame duck, unless its own options
 * say so.
 *
 * **Gotchas**
 *
 * Both servers are a `finwait/Server` in their layers. The one that is watched is the one that is provided to this layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerAdmin = <E, RS, R = never>(
  server: Layer.Layer<HttpServer.HttpServer, E, RS>,
  options?: Options<R>
): Layer.Layer<never, E, Server | RS | Exclude<R, Scope.Scope>> =>
  Layer.unwrap(
    Server.useSync(({ drain }) =>
      outliving(Layer.provide(HttpRouter.serve(routes(one(drain), options), { disableLogger: true }), server), {
        server: drain
      })
    )
  )

/**
 * Has what a layer makes outlive servers: a signal that begins the drains of the whole process does not begin those of
 * the layer's own servers, and the end of its scope begins the given drains, if nobody has, and waits for them. A second
 * signal cuts it short like everything else.
 *
 * **When to use**
 *
 * For a port that is to answer while others drain, as {@link layerAdmin} does for one server. For several:
 *
 * ```ts no-run
 * import * as NodeHttpServer from "@finwait/node/NodeHttpServer"
 * import * as Effect from "effect/Effect"
 * import * as HttpRouter from "effect/http/HttpRouter"
 * import * as Layer from "effect/Layer"
 * import * as Health from "finwait/Health"
 * import { createServer } from "node:http"
 *
 * const program = Effect.gen(function*() {
 *   const web = yield* NodeHttpServer.make(createServer, { port: 3000 })
 *   const internal = yield* NodeHttpServer.make(createServer, { port: 3001 })
 *   const drains = { web: web.drain, internal: internal.drain }
 *   const admin = HttpRouter.serve(Health.fromDrains(drains)).pipe(
 *     Layer.provide(NodeHttpServer.layer(createServer, { port: 9000 }))
 *   )
 *   yield* Layer.build(Health.outliving(admin, drains))
 * })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const outliving = <A, E, R>(self: Layer.Layer<A, E, R>, drains: Drains): Layer.Layer<A, E, R> => {
  const begun = Effect.forEach(Object.values(drains), ({ begin }) => begin, { concurrency: "unbounded", discard: true })
  // Made behind everything that the layer makes, so that it is the first to end.
  return Layer.effectDiscard(Effect.addFinalizer(() => begun)).pipe(
    Layer.provideMerge(self),
    Layer.provide(Layer.effect(CurrentShutdown, Effect.map(CurrentShutdown, apart)))
  )
}

/** The same shutdown, which does not begin: who is in it ends with its scope. */
const apart = (shutdown: Shutdown): Shutdown => {
  // Whoever waits for others has been a lame duck for as long as they were.
  const budget = shutdown.budget === undefined ? undefined : { ...shutdown.budget, lameDuck: Duration.zero }
  return Object.create(shutdown, { onBegin: { value: () => () => {} }, budget: { value: budget } }) as Shutdown
}

// What is told -------------------------------------------------------------------------------------------------------

interface Watched {
  readonly drains: Drains
  readonly now: Effect.Effect<unknown>
  readonly events: Stream.Stream<unknown>
}

const one = (drain: Drain): Watched => ({ drains: { server: drain }, now: toldNow(drain), events: toldBy(drain) })

const several = (drains: Drains): Watched => ({
  drains,
  now: Effect.all(Object.fromEntries(Object.entries(drains).map(([server, drain]) => [server, toldNow(drain)]))),
  events: Stream.mergeAll(
    Object.entries(drains).map(([server, drain]) => Stream.map(toldBy(drain), (told) => ({ server, ...told }))),
    { concurrency: "unbounded" }
  )
})

/** The report is known when the last progress is told, and says how long it took, to who asks later as well. */
const toldBy = (drain: Drain): Stream.Stream<Told> =>
  Stream.mapEffect(drain.progress, (progress) =>
    progress.phase === "Done"
      ? Effect.map(drain.report, (report): Told => ({ ...progress, elapsedMillis: report.durationMillis, report }))
      : Effect.succeed(progress)
  )

const toldNow = (drain: Drain): Effect.Effect<Told> =>
  Effect.map(Stream.runHead(toldBy(drain)), (told) => Option.getOrThrow(told))

// The routes ---------------------------------------------------------------------------------------------------------

/** Of a moment that is over when the answer arrives. */
const headers = { "cache-control": "no-store" }

const routes = <R>(
  watched: Watched,
  options: Options<R> = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter | Exclude<R, Scope.Scope>> => {
  const { checks = {}, checkTimeout = "1 second", drainz = "/drainz", livez = "/livez", readyz = "/readyz" } = options
  const own = HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      Check.positiveDuration("Health.Options.checkTimeout", checkTimeout)
      const time = Duration.fromInputUnsafe(checkTimeout)
      const context = yield* Effect.context<R>()
      const looks = [
        ...Object.entries(watched.drains).map(([name, drain]) => ofDrain(name, drain)),
        ...Object.entries(checks).map(([name, check]) => ofCheck(name, Effect.provideContext(check, context), time))
      ]
      yield* router.add("GET", livez, HttpServerResponse.text("ok", { headers }))
      yield* router.add("GET", readyz, readiness(looks))
      yield* router.add("GET", drainz, progress(watched))
    })
  )
  const { metrics } = options
  const all = metrics === undefined ? own : Layer.merge(own, PrometheusMetrics.layerHttp(metrics))
  return Layer.provide(all, HttpRouter.disableLogger)
}

const readiness = (looks: ReadonlyArray<Effect.Effect<Finding>>) =>
  Effect.gen(function* () {
    const isVerbose = "verbose" in (yield* ParsedSearchParams)
    const findings = yield* Effect.all(looks, { concurrency: "unbounded" })
    const status = findings.every(isWell) ? 200 : 503
    return HttpServerResponse.text(status === 200 && !isVerbose ? "ok" : listed(findings), { status, headers })
  })

const progress = ({ events, now }: Watched) =>
  Effect.gen(function* () {
    const { accept = "" } = (yield* HttpServerRequest).headers
    if (!accept.includes("text/event-stream")) return HttpServerResponse.jsonUnsafe(yield* now, { headers })
    const lines = Stream.map(events, (told) =>
      Sse.encoder.write({ _tag: "Event", event: "message", id: undefined, data: JSON.stringify(told) })
    )
    return HttpServerResponse.stream(Stream.encodeText(lines), { contentType: "text/event-stream", headers })
  })
