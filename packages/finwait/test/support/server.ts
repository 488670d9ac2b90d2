/**
 * A server on a simulated network, with everything that a test wants to see of it.
 */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import type * as ClosePolicy from "finwait/ClosePolicy"
import type * as Connection from "finwait/Connection"
import type * as Drain from "finwait/Drain"
import * as Metrics from "finwait/Metrics"
import * as Network from "finwait/Network"
import type * as NetworkError from "finwait/NetworkError"
import * as Server from "finwait/Server"
import * as Shutdown from "finwait/Shutdown"
import type * as ShutdownBudget from "finwait/ShutdownBudget"
import * as SimNetwork from "finwait/testing/SimNetwork"
import { address, clockUsed } from "./network.ts"

/** Every part of it is different, so that times tell them apart. */
export const budget = { grace: "30 seconds", lameDuck: 0, deadline: 10_000, close: 5000, margin: 2000 } as const

export interface Logged {
  readonly level: string
  readonly message: string
  /** The cause, printed; empty without one. */
  readonly cause: string
}

export interface World {
  readonly sim: SimNetwork.Sim
  readonly shutdown: Shutdown.Shutdown
  readonly scope: Scope.Closeable
  readonly server: Server.Server["Service"]
  readonly logged: ReadonlyArray<Logged>
  /** Dials the server; aborted at the end of the test unless it has closed. */
  readonly dial: Effect.Effect<Connection.Connection, NetworkError.NetworkError, Scope.Scope>
  readonly metrics: Effect.Effect<{
    readonly open: number
    readonly accepted: number
    readonly refused: number
    readonly handlersFailed: number
    readonly bytesRead: number
    readonly bytesWritten: number
    readonly closed: Readonly<Record<string, number>>
    readonly drains: { readonly count: number; readonly sum: number }
  }>
}

export interface Settings<E> extends Omit<Server.Options<E, never, never, never>, "listen"> {
  readonly sim?: SimNetwork.Options
  readonly network?: Network.Network["Service"]
}

/** Starts a server. What is left of it at the end of the test is cut short. */
export const serve = Effect.fnUntraced(function* <E>(
  settings: Settings<E>
): Effect.fn.Return<World, NetworkError.NetworkError | ShutdownBudget.ShutdownBudgetError, Scope.Scope> {
  yield* clockUsed
  const sim = yield* SimNetwork.make(settings.sim)
  const shutdown = Shutdown.make()
  const registry = new Map<string, never>()
  const logged: Array<Logged> = []
  const logger = Logger.make<unknown, void>(({ cause, logLevel, message }) => {
    const parts = Array.isArray(message) ? message : [message]
    // Every server begins with this line; what is looked at is what follows.
    if (/^listen (tcp|unix) /.test(String(parts[0]))) return
    logged.push({
      level: logLevel,
      message: String(parts[0]),
      cause: cause.reasons.map((reason) => JSON.stringify(reason)).join(" ")
    })
  })
  const observed = Context.empty().pipe(
    Context.add(Network.Network, settings.network ?? sim.network),
    Context.add(Shutdown.CurrentShutdown, shutdown),
    Context.add(Metric.MetricRegistry, registry as never),
    Context.add(Logger.CurrentLoggers, new Set([logger])),
    Context.add(References.MinimumLogLevel, "All")
  )
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => {
    shutdown.cut()
    return Scope.close(scope, Exit.void)
  })
  const server = yield* Server.make<E, never>({ drain: budget, ...settings, listen: address }).pipe(
    Scope.provide(scope),
    Effect.provideContext(observed)
  )
  const metrics = Effect.gen(function* () {
    const counted = (counter: Metric.Counter<number>) => Effect.map(Metric.value(counter), ({ count }) => count)
    const closed: Record<string, number> = {}
    for (const outcome of ["Graceful", "LingerExpired", "ResetByPeer", "Aborted"]) {
      const count = yield* counted(Metric.withAttributes(Metrics.connectionsClosed, { outcome }) as never)
      if (count > 0) closed[outcome] = count
    }
    const { count, sum } = yield* Metric.value(Metrics.drainDuration)
    return {
      open: (yield* Metric.value(Metrics.connectionsOpen)).value,
      accepted: yield* counted(Metrics.connectionsAccepted),
      refused: yield* counted(Metrics.connectionsRefused),
      handlersFailed: yield* counted(Metrics.handlersFailed),
      bytesRead: yield* counted(Metrics.bytesRead),
      bytesWritten: yield* counted(Metrics.bytesWritten),
      closed,
      drains: { count, sum }
    }
  }).pipe(Effect.provideContext(observed))
  return {
    sim,
    shutdown,
    scope,
    server,
    logged,
    metrics,
    dial: Effect.acquireRelease(sim.network.connect(address), (connection) => connection.abort)
  }
})

/** Asserts what is true of every report, and gives it. */
export const adding = (report: Drain.Report): Drain.Report => {
  const { Aborted, Graceful, LingerExpired, ResetByPeer } = report.outcomes
  assert.strictEqual(Aborted + Graceful + LingerExpired + ResetByPeer, report.connections, "outcomes add up")
  assert.strictEqual(report.clean, report.forcedAt === undefined)
  assert.isAtMost(report.backlog, report.connections)
  assert.strictEqual(report.slowest.length, Math.min(5, report.connections))
  assert.deepStrictEqual(
    report.slowest.map(({ millis }) => millis),
    report.slowest.map(({ millis }) => millis).toSorted((a, b) => b - a)
  )
  return report
}

/** A policy whose linger no drain outlives. */
export const patient: ClosePolicy.Options = {
  lingerTimeout: "1 hour",
  lingerIdleTimeout: "1 hour",
  deadline: "2 hours"
}
