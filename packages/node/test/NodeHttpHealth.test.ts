import { assert, describe, it } from "@effect/vitest"
import * as NodeHttpServer from "@finwait/node/NodeHttpServer"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Health from "finwait/Health"
import * as Server from "finwait/Server"
import * as Shutdown from "finwait/Shutdown"
import * as ShutdownBudget from "finwait/ShutdownBudget"
import * as Http from "node:http"
import { until } from "./support/network.ts"

/** What a client hears of an answer, while it comes. */
class Heard {
  status: number | undefined
  text = ""
  /** How it ended: `end`, or what broke it. */
  ending: string | undefined

  constructor(port: number, path: string, headers: Record<string, string>) {
    const request = Http.get({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
      this.status = response.statusCode
      response.setEncoding("utf8").on("data", (text: string) => (this.text += text))
      response.on("end", () => (this.ending ??= "end"))
      response.on("error", ({ message }) => (this.ending ??= message))
    })
    request.on("error", (error: NodeJS.ErrnoException) => (this.ending ??= error.code ?? error.message))
  }

  hears(text: string) {
    return until(() => this.text.includes(text), `"${text}" is heard; ${this.text}, ${this.ending}`)
  }

  get whole() {
    return Effect.map(
      until(() => this.ending !== undefined, "the answer ends"),
      () => ({ status: this.status, text: this.text, ending: this.ending })
    )
  }

  /** The events so far; what is no event is left out. */
  get events(): ReadonlyArray<Health.Told> {
    return [...this.text.matchAll(/^data: (.*)\n\n/gm)].map(([, data]) => JSON.parse(data!))
  }
}

const ask = (port: number, path: string) => new Heard(port, path, {}).whole
const follow = (port: number) => new Heard(port, "/drainz", { accept: "text/event-stream" })

const portOf = ({ address }: HttpServer.HttpServer["Service"]) => (NetAddress.isInetAddress(address) ? address.port : 0)

const anyPort = { host: "127.0.0.1", port: 0 }

const quiet = Logger.layer([])

const live = (title: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(title, () => Effect.provide(body(), quiet))

/** An app whose one route answers when it is told to, with its health on its own port. */
const app = Effect.fnUntraced(function* (options: Partial<NodeHttpServer.Options>) {
  const go = yield* Deferred.make<void>()
  const routes = Layer.merge(
    Health.layer({ metrics: {} }),
    HttpRouter.add("GET", "/job", Effect.as(Deferred.await(go), HttpServerResponse.text("done")))
  )
  const context = yield* Layer.build(
    HttpRouter.serve(routes, { disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(Http.createServer, { ...anyPort, ...options }))
    )
  )
  const { connections, drain } = Context.get(context, Server.Server)
  return {
    go: Deferred.succeed(go, undefined),
    connections,
    drain,
    port: portOf(Context.get(context, HttpServer.HttpServer))
  }
})

describe("on the app's own port", () => {
  live("a lame duck says so, and serves", () =>
    Effect.gen(function* () {
      const { drain, go, port } = yield* app({ drain: { lameDuck: "10 seconds", deadline: "1 second" } })
      assert.deepStrictEqual(yield* ask(port, "/readyz"), { status: 200, text: "ok", ending: "end" })
      const draining = yield* Effect.forkChild(drain.begin, { startImmediately: true })
      yield* until(() => Effect.runSync(drain.phase) === "LameDuck", "a lame duck")
      assert.deepStrictEqual(yield* ask(port, "/readyz"), {
        status: 503,
        text: "[-]server failed: LameDuck\nreadyz check failed\n",
        ending: "end"
      })
      assert.deepStrictEqual(yield* ask(port, "/livez"), { status: 200, text: "ok", ending: "end" })
      yield* go
      assert.deepStrictEqual(yield* ask(port, "/job"), { status: 200, text: "done", ending: "end" })
      const progress = JSON.parse((yield* ask(port, "/drainz")).text)
      assert.strictEqual(progress.phase, "LameDuck")
      assert.isUndefined(draining.pollUnsafe())
      yield* drain.cut
      yield* Fiber.join(draining)
      assert.strictEqual((yield* ask(port, "/readyz")).ending, "ECONNREFUSED")
    })
  )

  live("of probes nothing is logged", () =>
    Effect.gen(function* () {
      const sent: Array<unknown> = []
      const logger = Logger.make<unknown, void>(({ fiber, message }) => {
        if (String(message) === "Sent HTTP response")
          sent.push(fiber.getRef(References.CurrentLogAnnotations)["http.url"])
      })
      const { go, port } = yield* Effect.provide(app({}), Logger.layer([logger]))
      yield* go
      for (const path of ["/livez", "/readyz", "/drainz", "/metrics", "/job"]) {
        assert.strictEqual((yield* ask(port, path)).status, 200)
      }
      assert.deepStrictEqual(sent, ["/job"])
    })
  )

  live("who follows the drain is told goodbye with everybody, and keeps nobody waiting", () =>
    Effect.gen(function* () {
      const { drain, port } = yield* app({})
      const following = follow(port)
      yield* following.hears("Serving")
      const { clean, durationMillis } = yield* drain.begin
      assert.isTrue(clean)
      // The default deadline is 22 seconds.
      assert.isBelow(durationMillis, 5000)
      const { ending, text } = yield* following.whole
      assert.strictEqual(ending, "end")
      assert.match(text, /^data: .*"Serving".*\n\n(data: .*\n\n)*: the server is going away\n\n$/)
      assert.notInclude(text, "Done")
    })
  )

  live("who follows it to the deadline is what the drain waits for", () =>
    Effect.gen(function* () {
      const { drain, port } = yield* app({ eventStreams: "deadline", drain: { deadline: "300 millis" } })
      const following = follow(port)
      yield* following.hears("Serving")
      const { durationMillis, forcedAt } = yield* drain.begin
      assert.isAtLeast(durationMillis, 300)
      assert.strictEqual(forcedAt, "Interrupting")
      yield* following.whole
      assert.include(
        following.events.map(({ phase }) => phase),
        "Waiting"
      )
    })
  )
})

describe("on a port of its own", () => {
  /** An app that has been built as a program builds it, and is told to stop as runMain does. */
  const program = Effect.fnUntraced(function* () {
    const go = yield* Deferred.make<void>()
    const shutdown = Shutdown.make(yield* ShutdownBudget.make({ grace: "20 seconds", lameDuck: "200 millis" }))
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => {
      shutdown.cut()
      return Scope.close(scope, Exit.void)
    })
    let port = 0
    let adminPort = 0
    const telling = (tell: (port: number) => void) =>
      Layer.effectDiscard(HttpServer.HttpServer.useSync((server) => tell(portOf(server))))
    const routes = HttpRouter.add("GET", "/job", Effect.as(Deferred.await(go), HttpServerResponse.text("done")))
    const main = Layer.mergeAll(
      HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }),
      telling((found) => (port = found)),
      Health.layerAdmin(
        telling((found) => (adminPort = found)).pipe(
          Layer.provideMerge(NodeHttpServer.layer(Http.createServer, anyPort))
        ),
        { metrics: {} }
      )
    ).pipe(Layer.provideMerge(NodeHttpServer.layer(Http.createServer, anyPort)))
    const context = yield* Layer.buildWithScope(main, scope).pipe(
      Effect.provideService(Shutdown.CurrentShutdown, shutdown),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
    const stop = Effect.suspend(() => {
      shutdown.begin()
      return Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true })
    })
    const { connections } = Context.get(context, Server.Server)
    return { go: Deferred.succeed(go, undefined), stop, shutdown, port, adminPort, connections }
  })

  live("it answers until the app has drained, tells each step of it, and ends then", () =>
    Effect.gen(function* () {
      const { adminPort, connections, go, port, shutdown, stop } = yield* program()
      assert.deepStrictEqual(yield* ask(adminPort, "/readyz"), { status: 200, text: "ok", ending: "end" })
      const job = new Heard(port, "/job", {})
      yield* until(() => Effect.runSync(connections) === 1, "the job has come")
      const following = follow(adminPort)
      yield* following.hears("Serving")

      const stopping = yield* stop
      yield* following.hears(`"phase":"LameDuck"`)
      assert.strictEqual((yield* ask(adminPort, "/readyz")).status, 503)
      yield* following.hears(`"phase":"Waiting"`)
      const ready = yield* ask(adminPort, "/readyz")
      assert.deepStrictEqual([ready.status, ready.text], [503, "[-]server failed: Waiting\nreadyz check failed\n"])
      assert.deepStrictEqual(yield* ask(adminPort, "/livez"), { status: 200, text: "ok", ending: "end" })
      const { elapsedMillis, ...progress } = JSON.parse((yield* ask(adminPort, "/drainz")).text)
      assert.deepStrictEqual(progress, { phase: "Waiting", left: 1, connections: 1 })
      assert.isAtLeast(elapsedMillis, 200)
      assert.isUndefined(job.ending)

      yield* go
      assert.deepStrictEqual(yield* job.whole, { status: 200, text: "done", ending: "end" })
      assert.strictEqual((yield* following.whole).ending, "end")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(
        [...new Set(following.events.map(({ phase }) => phase))],
        ["Serving", "LameDuck", "Backlog", "Waiting", "Done"]
      )
      const [ofApp, ofAdmin, ...more] = shutdown.reports
      assert.deepStrictEqual(following.events.at(-1)?.report, ofApp)
      assert.deepStrictEqual([ofApp?.clean, ofAdmin?.clean, more], [true, true, []])
      assert.match(ofApp!.address, new RegExp(`:${port}$`))
      assert.match(ofAdmin!.address, new RegExp(`:${adminPort}$`))
      assert.strictEqual((yield* ask(adminPort, "/livez")).ending, "ECONNREFUSED")
    })
  )

  live("metrics can be read while the app drains", () =>
    Effect.gen(function* () {
      const { adminPort, connections, go, port, stop } = yield* program()
      const job = new Heard(port, "/job", {})
      yield* until(() => Effect.runSync(connections) === 1, "the job has come")
      const following = follow(adminPort)
      const stopping = yield* stop
      yield* following.hears(`"phase":"Waiting"`)
      const { status, text } = yield* ask(adminPort, "/metrics")
      assert.strictEqual(status, 200)
      // The job, the one who follows, and the one who asks.
      assert.include(text, "\nfinwait_connections_open 3\n")
      assert.include(text, "\nfinwait_connections_accepted_total 3\n")
      yield* go
      yield* job.whole
      yield* Fiber.join(stopping)
    })
  )
})
