import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Drain, Phase } from "finwait/Drain"
import * as Health from "finwait/Health"
import * as Metrics from "finwait/Metrics"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import * as Shutdown from "finwait/Shutdown"
import * as ShutdownBudget from "finwait/ShutdownBudget"
import { passing, settled } from "./support/network.ts"
import { budget, serve } from "./support/server.ts"

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

const answered = Effect.fnUntraced(function* ({ body, headers, status }: HttpServerResponse) {
  const answer = (text: string): Answer => ({ status, headers, text })
  if (body._tag === "Uint8Array") return answer(new TextDecoder().decode(body.body))
  if (body._tag !== "Stream") return assert.fail(`a body of kind ${body._tag}`)
  return answer(yield* Stream.mkString(Stream.decodeText(body.stream)))
})

/** The routes of a layer, which are asked without a server: in virtual time. */
const routes = Effect.fnUntraced(function* <R>(layer: Layer.Layer<never, never, HttpRouter.HttpRouter | R>) {
  const context = yield* Layer.build(Layer.provideMerge(layer, HttpRouter.layer))
  const app = Context.get(context, HttpRouter.HttpRouter).asHttpEffect()
  return (path: string, init?: RequestInit) =>
    app.pipe(
      Effect.flatMap(answered),
      Effect.scoped,
      Effect.provideService(
        HttpServerRequest.HttpServerRequest,
        HttpServerRequest.fromWeb(new Request(`http://localhost${path}`, init))
      )
    )
})

const events = { headers: { accept: "text/event-stream" } }

/** What an event stream has told; it must be one, to the last byte. */
const toldIn = ({ headers, text }: Answer): ReadonlyArray<Health.Told & { readonly server?: string }> => {
  assert.strictEqual(headers["cache-control"], "no-store")
  const lines = text.split("\n\n")
  assert.strictEqual(lines.pop(), "")
  return lines.map((line) => {
    assert.match(line, /^data: \{[^\n]*$/)
    return JSON.parse(line.slice("data: ".length))
  })
}

const lame = { ...budget, lameDuck: 3000 }

/** A server whose one client is answered after 5 seconds; drains, and its drain alone. */
const working = Effect.gen(function* () {
  const world = yield* serve({ handler: () => Effect.sleep("5 seconds"), drain: lame })
  yield* world.dial
  yield* settled
  return world
})

/** A drain that is where the test says. */
const drainIn = (state: { phase: Phase }): Drain => ({
  phase: Effect.sync(() => state.phase),
  isReady: Effect.sync(() => state.phase === "Serving"),
  begin: Effect.die("begun"),
  cut: Effect.die("cut"),
  report: Effect.never,
  progress: Stream.suspend(() => Stream.make({ phase: state.phase, left: 0, connections: 0, elapsedMillis: 0 }))
})

const watching = <R = never>(options?: Health.Options<R>, drain = drainIn({ phase: "Serving" })) =>
  routes(Health.fromDrains({ web: drain }, options))

describe("a server's own routes", () => {
  it.effect("it serves: alive, ready, and nothing has begun", () =>
    Effect.gen(function* () {
      const { server } = yield* working
      const ask = yield* routes(Layer.provide(Health.layer(), Layer.succeed(Server.Server, server)))
      for (const path of ["/livez", "/readyz"]) {
        const { headers, ...answer } = yield* ask(path)
        assert.deepStrictEqual(answer, { status: 200, text: "ok" })
        assert.strictEqual(headers["cache-control"], "no-store")
        assert.strictEqual((yield* ask(path, { method: "HEAD" })).status, 200)
      }
      const { headers, status, text } = yield* ask("/drainz")
      assert.strictEqual(status, 200)
      assert.strictEqual(headers["cache-control"], "no-store")
      assert.deepStrictEqual(JSON.parse(text), { phase: "Serving", left: 1, connections: 0, elapsedMillis: 0 })
    })
  )

  it.effect("it drains: not ready from the lame duck on, alive to the end, and /drainz tells each step of it", () =>
    Effect.gen(function* () {
      const { server } = yield* working
      const ask = yield* routes(Layer.provide(Health.layer(), Layer.succeed(Server.Server, server)))
      const following = yield* Effect.forkChild(ask("/drainz", events))
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* settled

      const seen = Effect.fnUntraced(function* (phase: Phase, left: number, elapsedMillis: number) {
        const ready = yield* ask("/readyz")
        assert.strictEqual(ready.status, 503)
        assert.strictEqual(ready.text, `[-]server failed: ${phase}\nreadyz check failed\n`)
        assert.strictEqual(ready.headers["cache-control"], "no-store")
        assert.strictEqual((yield* ask("/livez")).status, 200)
        const { report, ...progress } = JSON.parse((yield* ask("/drainz")).text)
        assert.deepStrictEqual(progress, { phase, left, connections: 1, elapsedMillis })
        return report
      })
      assert.isUndefined(yield* seen("LameDuck", 1, 0))
      yield* passing("2 seconds")
      assert.isUndefined(yield* seen("LameDuck", 1, 2000))
      yield* passing("1500 millis")
      assert.isUndefined(yield* seen("Waiting", 1, 3500))
      assert.isUndefined(following.pollUnsafe())
      // The handler ends, and its client says nothing: the linger has its own five seconds.
      yield* passing("7 seconds")
      const report = yield* Fiber.join(draining)
      assert.deepStrictEqual(yield* seen("Done", 0, 10_000), report)
      assert.strictEqual(report.connections, 1)

      const told = toldIn(yield* Fiber.join(following))
      assert.deepStrictEqual(
        [...new Set(told.map(({ phase }) => phase))],
        ["Serving", "LameDuck", "Backlog", "Waiting", "Done"]
      )
      assert.deepStrictEqual(
        told.filter(({ report }) => report !== undefined).map(({ phase, report }) => ({ phase, report })),
        [{ phase: "Done", report }]
      )
      // Who asks when all is over hears how it was, and no more.
      assert.deepStrictEqual(toldIn(yield* ask("/drainz", events)), told.slice(-1))
    })
  )
})

describe("readiness", () => {
  const checks = { database: Effect.void, queue: Effect.fail("no route to host") }

  it.effect(
    "lists what was looked at, when it is asked to or when something fails, and keeps the reason for the log",
    () =>
      Effect.gen(function* () {
        const logged: Array<string> = []
        const logger = Logger.make<unknown, void>(({ cause, logLevel, message }) => {
          logged.push(`${logLevel} ${String(message)}: ${cause.reasons.map((reason) => JSON.stringify(reason)).join()}`)
        })
        const well = yield* watching({ checks: { database: checks.database } })
        assert.strictEqual((yield* well("/readyz")).text, "ok")
        const verbose = yield* well("/readyz?verbose")
        assert.deepStrictEqual(
          [verbose.status, verbose.text],
          [200, "[+]web ok\n[+]database ok\nreadyz check passed\n"]
        )
        const ill = yield* watching({ checks: { ...checks, cache: Effect.die("a bug") } })
        for (const path of ["/readyz", "/readyz?verbose"]) {
          const { status, text } = yield* Effect.provide(ill(path), Logger.layer([logger]))
          assert.strictEqual(status, 503)
          const list = "[+]web ok\n[+]database ok\n[-]queue failed\n[-]cache failed\nreadyz check failed\n"
          assert.strictEqual(text, list)
          assert.match(
            logged.splice(0).join("\n"),
            /^Warn readiness: queue failed: .*no route[^]*\nWarn .*cache.*a bug/
          )
        }
      })
  )

  it.effect("is asked anew each time", () =>
    Effect.gen(function* () {
      let isDown = false
      const ask = yield* watching({
        checks: { database: Effect.suspend(() => (isDown ? Effect.fail("down") : Effect.void)) }
      })
      assert.strictEqual((yield* ask("/readyz")).status, 200)
      isDown = true
      assert.strictEqual((yield* ask("/readyz")).status, 503)
      isDown = false
      assert.strictEqual((yield* ask("/readyz")).status, 200)
    })
  )

  it.effect("a check that does not come back has a second, and is not waited for, whatever it does", () =>
    Effect.gen(function* () {
      const interrupted: Array<string> = []
      const hanging = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted.push("hanging")))
      const deaf = Effect.uninterruptible(Effect.never)
      const slow = Effect.sleep("900 millis")
      const ask = yield* watching({ checks: { hanging, deaf, slow } })
      const answer = yield* Effect.forkChild(ask("/readyz"))
      yield* passing("999 millis")
      assert.isUndefined(answer.pollUnsafe())
      yield* passing("1 millis")
      const { status, text } = yield* Fiber.join(answer)
      assert.strictEqual(status, 503)
      assert.deepStrictEqual(text.split("\n"), [
        "[+]web ok",
        "[-]hanging timed out after 1s",
        "[-]deaf timed out after 1s",
        "[+]slow ok",
        "readyz check failed",
        ""
      ])
      assert.deepStrictEqual(interrupted, ["hanging"])
    })
  )

  it.effect("a check may have more time, and services of its own", () =>
    Effect.gen(function* () {
      class Database extends Context.Service<Database, { readonly ping: Effect.Effect<void> }>()("test/Database") {}
      const checks = { database: Effect.flatMap(Database, ({ ping }) => ping) }
      const layer = Health.fromDrains({}, { checks, checkTimeout: "3 seconds" })
      const database = Layer.succeed(Database, { ping: Effect.sleep("2 seconds") })
      const ask = yield* routes(Layer.provide(layer, database))
      const answer = yield* Effect.forkChild(ask("/readyz"))
      yield* passing("2 seconds")
      assert.strictEqual((yield* Fiber.join(answer)).status, 200)
    })
  )

  it.effect("no time at all is a programming error", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(watching({ checkTimeout: 0 }))
      assert.isTrue(Exit.isFailure(exit))
      const error = Cause.squash((exit as Exit.Failure<never, never>).cause)
      assert.strictEqual(String(error), "RangeError: Health.Options.checkTimeout must be a positive duration, not 0")
    })
  )
})

describe("several servers", () => {
  it.effect("are ready if all are, and each tells of itself", () =>
    Effect.gen(function* () {
      const [web, internal] = [{ phase: "Serving" as Phase }, { phase: "Serving" as Phase }]
      const ask = yield* routes(Health.fromDrains({ web: drainIn(web), internal: drainIn(internal) }))
      assert.strictEqual((yield* ask("/readyz")).status, 200)
      internal.phase = "Waiting"
      const { status, text } = yield* ask("/readyz")
      assert.deepStrictEqual([status, text], [503, "[+]web ok\n[-]internal failed: Waiting\nreadyz check failed\n"])
      const rest = { left: 0, connections: 0, elapsedMillis: 0 }
      const told = { web: { phase: "Serving", ...rest }, internal: { phase: "Waiting", ...rest } }
      assert.deepStrictEqual(JSON.parse((yield* ask("/drainz")).text), told)
      assert.sameDeepMembers(toldIn(yield* ask("/drainz", events)) as never, [
        { server: "web", ...told.web },
        { server: "internal", ...told.internal }
      ])
    })
  )
})

describe("routes", () => {
  it.effect("are where they are wanted, and nowhere else", () =>
    Effect.gen(function* () {
      const ask = yield* watching({ livez: "/alive", readyz: "/admin/ready", drainz: "/admin/drain" })
      for (const path of ["/alive", "/admin/ready", "/admin/drain"]) assert.strictEqual((yield* ask(path)).status, 200)
      for (const path of ["/livez", "/readyz", "/drainz", "/metrics"]) {
        assert.include(String(yield* Effect.flip(ask(path))), "RouteNotFound")
      }
    })
  )

  it.effect("metrics are Effect's, with ours among them", () =>
    Effect.gen(function* () {
      const registry = Context.make(Metric.MetricRegistry, new Map())
      yield* Effect.provideContext(Metric.update(Metrics.connectionsAccepted, 3), registry)
      for (const [options, path, name] of [
        [{}, "/metrics", "finwait_connections_accepted_total"],
        [{ path: "/prometheus", prefix: "shop" }, "/prometheus", "shop_finwait_connections_accepted_total"]
      ] as const) {
        const ask = yield* watching({ metrics: options })
        const { headers, text } = yield* Effect.provideContext(ask(path), registry)
        assert.include(text, `# TYPE ${name} counter\n${name} 3\n`)
        assert.strictEqual(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
      }
    })
  )
})

describe("what outlives a server", () => {
  /** Two servers of one process, of which the one outlives the other. */
  const both = Effect.fnUntraced(function* (process?: ShutdownBudget.ShutdownBudget) {
    const { dial, server, sim } = yield* serve({ handler: () => Effect.sleep("5 seconds"), drain: budget })
    yield* Effect.flatMap(dial, (client) => Effect.forkScoped(client.closeWrite))
    const shutdown = Shutdown.make(process)
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Effect.sync(shutdown.cut))
    const admin = Server.layer({
      listen: "tcp://127.0.0.1:9000",
      handler: (connection) => connection.each(() => Effect.void)
    })
    const context = yield* Layer.buildWithScope(Health.outliving(admin, { server: server.drain }), scope).pipe(
      Effect.provideService(Network.Network, sim.network),
      Effect.provideService(Shutdown.CurrentShutdown, shutdown)
    )
    yield* settled
    return { server, shutdown, sim, scope, admin: Context.get(context, Server.Server) }
  })

  const phases = (...servers: ReadonlyArray<Server.Server["Service"]>) =>
    Effect.all(servers.map(({ drain }) => drain.phase))

  it.effect("serves until that has drained, and drains then", () =>
    Effect.gen(function* () {
      const { admin, scope, server } = yield* both()
      const stopping = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* passing("4 seconds")
      assert.deepStrictEqual(yield* phases(server, admin), ["Waiting", "Serving"])
      assert.isUndefined(stopping.pollUnsafe())
      yield* passing("7 seconds")
      assert.deepStrictEqual(yield* phases(server, admin), ["Done", "Done"])
      yield* Fiber.join(stopping)
    })
  )

  it.effect("is not begun with the whole process", () =>
    Effect.gen(function* () {
      const { admin, shutdown } = yield* both()
      let begun = false
      shutdown.onBegin(() => (begun = true))
      shutdown.begin()
      yield* settled
      assert.isTrue(begun)
      assert.deepStrictEqual(yield* phases(admin), ["Serving"])
    })
  )

  it.effect("has been a lame duck for long enough", () =>
    Effect.gen(function* () {
      const { admin } = yield* both(yield* ShutdownBudget.make({ lameDuck: "10 seconds" }))
      yield* Effect.forkChild(admin.drain.begin)
      yield* passing("200 millis")
      assert.deepStrictEqual(yield* phases(admin), ["Done"])
    })
  )

  it.effect("is cut with the whole process", () =>
    Effect.gen(function* () {
      const { admin, shutdown, sim } = yield* both()
      const client = yield* sim.network.connect("tcp://127.0.0.1:9000")
      yield* settled
      yield* Effect.forkChild(admin.drain.begin)
      yield* settled
      assert.deepStrictEqual(yield* phases(admin), ["Waiting"])
      shutdown.cut()
      yield* passing("200 millis")
      assert.deepStrictEqual(yield* phases(admin), ["Done"])
      yield* client.abort
    })
  )
})
