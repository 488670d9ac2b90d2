/**
 * Plays a scenario in a world of its own, and tells what everybody lived through.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type * as ClosePolicy from "finwait/ClosePolicy"
import type * as Connection from "finwait/Connection"
import type { ConnectionError } from "finwait/ConnectionError"
import type * as Drain from "finwait/Drain"
import * as Framing from "finwait/Framing"
import * as Metrics from "finwait/Metrics"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import * as Shutdown from "finwait/Shutdown"
import type * as History from "finwait/testing/History"
import type * as Netstat from "finwait/testing/Netstat"
import * as SimNetwork from "finwait/testing/SimNetwork"
import * as Simulation from "finwait/testing/Simulation"
import { AnswerReader, lastWords, line, PatternReader, payload } from "./bytes.ts"
import type { ClientPlan, ClosePlan, Scenario } from "./scenario.ts"

/** How what was read ended: at a FIN, by an error of this name, or not at all. */
export type Ending = "end" | "Reset" | "Closed" | "none"

/** What one client lived through. */
export interface Lived {
  /** The connection's number; `undefined` when it was refused. */
  connection: number | undefined
  reader: PatternReader | AnswerReader
  ending: Ending
}

/** What one handler did. */
export interface Handled {
  readonly connection: number
  /** It began when the server had been told to stop. */
  readonly late: boolean
  /** When it ended; `Infinity` while it runs. */
  endedMillis: number
  /** It did not end by itself. */
  interrupted: boolean
  reader: PatternReader
}

export interface Played {
  readonly lived: ReadonlyArray<Lived>
  readonly handled: ReadonlyMap<number, Handled>
  readonly report: Drain.Report
  /** When it was there, by the world's clock. */
  readonly reportedMillis: number
  readonly history: ReadonlyArray<History.Event>
  /** When the server was told to stop: who was being served, and what had arrived. */
  readonly atStop: { readonly millis: number; readonly served: number; readonly netstat: Netstat.Snapshot }
  /** Events that the simulated network has yet to bring about by itself; asked when all is over. */
  readonly pending: () => number
  readonly socketsOpen: number
  /** `connectionsOpen`, the metric. */
  readonly open: number
}

const policy = (plan: ClosePlan): ClosePolicy.Options => ({
  farewell: farewells[plan.farewell],
  farewellRetry: Schedule.recurs(1),
  farewellTimeout: plan.farewellTimeoutMillis,
  lingerTimeout: plan.lingerMillis,
  lingerIdleTimeout: plan.lingerIdleMillis,
  lingerBytesMax: plan.lingerBytesMax,
  deadline: plan.deadlineMillis
})

const farewells: Record<ClosePlan["farewell"], ClosePolicy.Farewell | undefined> = {
  none: undefined,
  bytes: (connection) => connection.write(lastWords),
  fails: () => Effect.fail("no words"),
  never: () => Effect.never
}

const endingOf = (exit: Exit.Exit<unknown, ConnectionError | Cause.Done>): Ending => {
  if (Exit.isSuccess(exit)) return "none"
  const reason = exit.cause.reasons[0]
  if (reason?._tag !== "Fail") return "none"
  return Cause.isDone(reason.error) ? "end" : reason.error.reason._tag === "Reset" ? "Reset" : "Closed"
}

/** Reads until that is over. */
const reading = Effect.fnUntraced(function* (
  connection: Connection.Connection,
  reader: { take(chunk: Uint8Array): void }
) {
  while (true) {
    const exit = yield* Effect.exit(connection.pull)
    if (Exit.isFailure(exit)) return endingOf(exit)
    reader.take(exit.value)
  }
})

/** A server that is gone without a word would be waited for for ever; nobody here does. */
const patiently = (reading: Effect.Effect<Ending>): Effect.Effect<Ending> =>
  Effect.timeoutOrElse(reading, { duration: "2 hours", orElse: () => Effect.succeed<Ending>("none") })

const answering = Effect.fnUntraced(function* (
  lines: Framing.Framed<string, string>,
  job: () => Effect.Effect<string>
) {
  while (true) {
    yield* lines.pull
    yield* Framing.write(lines, yield* job())
  }
})

const handler =
  (scenario: Scenario, handled: (connection: Connection.Connection) => Handled) =>
  (connection: Connection.Connection): Effect.Effect<unknown, unknown> => {
    const { bare, bytes, jobMillis, kind, oneByOne, pieceBytes } = scenario.server
    const record = handled(connection)
    const sending = Effect.gen(function* () {
      for (let sent = 0; sent < bytes; sent += pieceBytes) {
        yield* connection.write(payload(sent, Math.min(pieceBytes, bytes - sent)))
      }
    })
    const receiving = connection.each((chunk) => Effect.sync(() => record.reader.take(chunk)))
    const work = (): Effect.Effect<unknown, unknown> => {
      switch (kind) {
        case "echo":
          return connection.each((chunk) => connection.write(chunk))
        case "jobs": {
          let answered = 0
          const lines = Framing.lines(connection)
          const job = () =>
            Effect.map(jobMillis === 0 ? Effect.void : Effect.sleep(jobMillis), () => String(answered++))
          return oneByOne ? answering(lines, job) : Framing.respond(lines, job)
        }
        case "download":
          return sending
        case "upload":
          return receiving
        case "early":
          return Effect.andThen(
            Effect.exit(connection.pull),
            Effect.forkChild(connection.write(payload(0, bytes)), { startImmediately: true })
          )
        case "both":
          return Effect.all([sending, receiving], { concurrency: 2 })
      }
    }
    if (bare && (kind === "echo" || kind === "jobs")) return work()
    return Effect.onExit(work(), (exit) =>
      Effect.map(Clock.currentTimeMillis, (millis) => {
        record.endedMillis = millis
        record.interrupted = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
      })
    )
  }

const client = Effect.fnUntraced(function* (scenario: Scenario, plan: ClientPlan, lived: Lived, number: NumberOf) {
  if (plan.arrivesMillis > 0) yield* Effect.sleep(plan.arrivesMillis)
  const dialled = yield* Effect.exit(Network.connect(scenario.network.address, { close: policy(plan.close) }))
  // Refused, or nobody listens any more: that is an answer too.
  if (Exit.isFailure(dialled)) return
  const connection = dialled.value
  lived.connection = number(connection)
  const whole = plan.kind === "idle" ? [] : plan.messages
  const writing = Effect.gen(function* () {
    let written = 0
    for (const [index, length] of whole.entries()) {
      if (plan.gapMillis > 0) yield* Effect.sleep(plan.gapMillis)
      const message = scenario.server.kind === "jobs" ? line(length) : payload(written, length)
      const isLast = index === whole.length - 1
      const part = isLast && plan.kind === "halfway" ? message.subarray(0, length >> 1) : message
      if (part.length > 0) yield* connection.write(part)
      written += part.length
    }
  })
  switch (plan.kind) {
    case "writesFirst":
      yield* Effect.ignore(Effect.timeout(Effect.andThen(writing, connection.closeWrite), "2 hours"))
      lived.ending = yield* patiently(reading(connection, lived.reader))
      return
    case "polite":
    case "idle":
    case "halfway": {
      const writer = yield* Effect.forkChild(
        Effect.andThen(writing, plan.kind === "polite" ? connection.closeWrite : Effect.void)
      )
      lived.ending = yield* patiently(reading(connection, lived.reader))
      yield* Fiber.interrupt(writer)
      return
    }
    case "hurried":
      // A process that stands still for ever never hears that there is no room any more.
      yield* Effect.ignore(Effect.timeout(writing, "2 hours"))
      return
    case "mute":
      yield* Effect.forkChild(Effect.ignore(writing))
      yield* Effect.sleep("1 hour")
      return
    case "rude": {
      yield* Effect.forkChild(Effect.ignore(writing))
      const reader = yield* Effect.forkChild(reading(connection, lived.reader))
      yield* Effect.sleep(plan.rudeAfterMillis)
      yield* connection.abort
      lived.ending = yield* Fiber.join(reader)
      return
    }
  }
})

type NumberOf = (connection: Connection.Connection) => number

const program = (scenario: Scenario): Effect.Effect<Played, unknown> =>
  Effect.gen(function* () {
    const sim = yield* SimNetwork.make({
      ...scenario.network,
      seed: scenario.seed,
      faults: scenario.faults,
      historyMax: Infinity
    })
    const shutdown = Shutdown.make()
    const context = Context.empty().pipe(
      Context.add(Network.Network, sim.network),
      Context.add(Shutdown.CurrentShutdown, shutdown),
      Context.add(Metric.MetricRegistry, new Map<string, never>() as never)
    )
    const numberOf: NumberOf = (connection) => sim.numberOf(connection)!
    let stopped = false
    const handled = new Map<number, Handled>()
    const scope = yield* Scope.make()
    const { lameDuck, deadline, close } = scenario.server.drain
    const server = yield* Server.make({
      listen: scenario.network.address,
      backlog: scenario.server.backlog,
      connectionsMax: scenario.server.connectionsMax,
      overflow: scenario.server.overflow,
      close: policy(scenario.server.close),
      drain: { grace: lameDuck + deadline + close + 1000, lameDuck, deadline, close, margin: 1000 },
      handler: handler(scenario, (accepted) => {
        const connection = numberOf(accepted)
        const record = {
          connection,
          late: stopped,
          endedMillis: Infinity,
          interrupted: false,
          reader: new PatternReader()
        }
        handled.set(connection, record)
        return record
      })
    }).pipe(Scope.provide(scope), Effect.provideContext(context))
    const lived = scenario.clients.map((): Lived => ({
      connection: undefined,
      reader: scenario.server.kind === "jobs" ? new AnswerReader() : new PatternReader(),
      ending: "none"
    }))
    const clients = yield* Effect.forkChild(
      Effect.forEach(
        scenario.clients,
        (plan, index) => Effect.exit(Effect.scoped(client(scenario, plan, lived[index]!, numberOf))),
        { concurrency: "unbounded", discard: true }
      ).pipe(Effect.provideContext(context))
    )
    yield* Effect.sleep(scenario.stopsAtMillis)
    const netstat = yield* sim.netstat
    const atStop = { millis: netstat.millis, served: yield* server.connections, netstat }
    stopped = true
    const reporting = yield* Effect.forkChild(
      Effect.flatMap(server.drain.report, (report) =>
        Effect.map(Clock.currentTimeMillis, (reportedMillis) => ({ report, reportedMillis }))
      )
    )
    const stopping = yield* Effect.forkChild(
      Effect.suspend(() => {
        if (scenario.stopsBy === "shutdown") shutdown.begin()
        return scenario.stopsBy === "drain" ? server.drain.begin : Scope.close(scope, Exit.void)
      }),
      { startImmediately: true }
    )
    if (scenario.cutAfterMillis !== undefined) {
      yield* Effect.sleep(scenario.cutAfterMillis)
      // A drain that was begun by hand is cut by hand: nobody else hears of it.
      if (scenario.stopsBy === "drain") yield* server.drain.cut
      else shutdown.cut()
    }
    yield* Fiber.join(stopping)
    const { report, reportedMillis } = yield* Fiber.join(reporting)
    yield* Fiber.join(clients)
    yield* Scope.close(scope, Exit.void)
    return {
      lived,
      handled,
      report,
      reportedMillis,
      history: yield* sim.history,
      atStop,
      pending: () => Effect.runSync(sim.netstat).eventsPending,
      socketsOpen: yield* sim.socketsOpen,
      open: (yield* Effect.provideContext(Metric.value(Metrics.connectionsOpen), context)).value
    }
  })

export const play = (scenario: Scenario): Simulation.Inspection<Played, unknown> =>
  Simulation.inspect(program(scenario), { seed: scenario.seed, timeMax: "10 hours", stepsMax: 2_000_000 })
