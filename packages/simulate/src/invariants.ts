/**
 * What must be true of every scenario, whatever went wrong in it. Each invariant says how often it had something to
 * look at: one that never has proves nothing.
 */
import * as Exit from "effect/Exit"
import type { CloseOutcome } from "finwait/CloseOutcome"
import { tags } from "finwait/CloseOutcome"
import * as CloseModel from "finwait/testing/CloseModel"
import * as Fault from "finwait/testing/Fault"
import type { Inspection } from "finwait/testing/Simulation"
import { AnswerReader } from "./bytes.ts"
import { keeps, lingers } from "./lingers.ts"
import type { Played } from "./play.ts"
import type { ClientPlan, Scenario } from "./scenario.ts"

export const invariants = [
  "it ends",
  "each history is one of the model's",
  "what both sides say goodbye to is whole",
  "bytes arrive in order, unchanged",
  "an end is never half an answer",
  "who is cut off hears no end",
  "who keeps reading gets everything",
  "a request that came before the stop is answered",
  "what came before the stop is read",
  "a handler's end begins the close",
  "nothing is forced when there is time",
  "a linger keeps to its limits",
  "no close outlives its deadline",
  "no drain outlives its budget",
  "reported times are the clock's",
  "reports add up",
  "nothing remains"
] as const

export type Invariant = (typeof invariants)[number]

export interface Checked {
  /** Connections' ends that closed. */
  readonly closes: number
  readonly looked: Readonly<Record<Invariant, number>>
  readonly broken: ReadonlyArray<string>
}

/** The two outcomes of a connection, as the history has them. */
interface Pair {
  client?: CloseOutcome
  server?: CloseOutcome
  serverAt?: number
  clientAt?: number
  /** When the close began. */
  serverBegan?: number
  clientBegan?: number
  /** When the server last said FIN. */
  serverFinAt?: number
}

export const check = (scenario: Scenario, inspection: Inspection<Played, unknown>): Checked => {
  const looked = Object.fromEntries(invariants.map((name) => [name, 0])) as Record<Invariant, number>
  const broken: Array<string> = []
  const must = (name: Invariant, condition: boolean, what: () => string) => {
    looked[name]++
    if (!condition) broken.push(`${name}: ${what()}`)
  }

  const { exit } = inspection
  must("it ends", Exit.isSuccess(exit), () => String(Exit.isSuccess(exit) ? "" : exit.cause))
  if (!Exit.isSuccess(exit)) return { closes: 0, looked, broken }
  const played = exit.value

  const pairs = outcomes(played)
  let closes = 0
  for (const [, { client, server }] of pairs) closes += (client === undefined ? 0 : 1) + (server === undefined ? 0 : 1)

  for (const { linger, name, plan } of lingers(scenario, played)) {
    must("a linger keeps to its limits", keeps(linger, plan), () => `${name}: ${JSON.stringify({ ...linger, plan })}`)
  }

  // A process that stands still hears of no reset; the close waits a second for that.
  const isPaused = (number: number) =>
    scenario.faults.some(({ connection, fault }) => connection === number && fault._tag === "Pause")
  const isWithin = (took: number, deadlineMillis: number, number: number) =>
    took <= deadlineMillis + tolerance + (isPaused(number) ? 1000 : 0)

  const violations = CloseModel.violations(played.history)
  must("each history is one of the model's", violations.length === 0, () => violations.join("\n"))

  for (const [number, pair] of pairs) {
    const { client, server } = pair
    if (client?._tag === "Graceful" && server?._tag === "Graceful") {
      must(
        "what both sides say goodbye to is whole",
        client.bytesWritten === server.bytesRead && server.bytesWritten === client.bytesRead,
        () => `#${number}: ${JSON.stringify(pair)}`
      )
    }
    if (server !== undefined) {
      const { deadlineMillis } = scenario.server.close
      const took = pair.serverAt! - pair.serverBegan!
      const what = () => `#${number} server: ${took} ms, ${deadlineMillis} allowed: ${JSON.stringify(pair)}`
      must("no close outlives its deadline", isWithin(took, deadlineMillis, number), what)
      must("reported times are the clock's", isAbout(server.closeMillis, took), what)
    }
  }

  for (const [index, lived] of played.lived.entries()) {
    const plan = scenario.clients[index]!
    const { connection, ending, reader } = lived
    if (connection === undefined) continue
    const pair = pairs.get(connection) ?? {}
    const name = () => `#${connection} ${plan.kind}, ${ending}: ${JSON.stringify({ reader, ...pair })}`
    if (pair.client !== undefined) {
      const took = pair.clientAt! - pair.clientBegan!
      must("no close outlives its deadline", isWithin(took, plan.close.deadlineMillis, connection), name)
      must("reported times are the clock's", isAbout(pair.client.closeMillis, took), name)
    }
    must("bytes arrive in order, unchanged", reader.wrongAt < 0, name)
    const handled = played.handled.get(connection)
    if (handled !== undefined && handled.endedMillis < Infinity) {
      const began = pair.serverBegan ?? Infinity
      must(
        "a handler's end begins the close",
        began <= handled.endedMillis,
        () => `${handled.endedMillis} ms: ${name()}`
      )
    }
    if (handled !== undefined) {
      must("bytes arrive in order, unchanged", handled.reader.wrongAt < 0, () => JSON.stringify(handled))
    }
    const cutAt = played.atStop.millis + (scenario.cutAfterMillis ?? Infinity)
    if (handled?.interrupted === true && handled.endedMillis === cutAt && cutAt < deadlineOf(scenario, played)) {
      must("who is cut off hears no end", !(pair.serverFinAt! >= cutAt), name)
    }
    const server = pair.server
    if (server === undefined) continue
    // A Unix socket that is aborted ends like any other: there is no other end.
    const tells = server._tag !== "Aborted" || scenario.network.address.startsWith("tcp:")
    if (ending === "end" && tells) {
      const whole = server.bytesUnsent === 0 && pair.client!.bytesRead === server.bytesWritten
      must("an end is never half an answer", whole && saysFarewell(server, reader.lastBytes), name)
    }
    if (!keepsReading(plan) || isBroken(scenario, connection)) continue
    if (server._tag === "Graceful") must("who keeps reading gets everything", ending === "end", name)
    answered(scenario, played, plan, connection, server, reader, must, name)
  }

  if (scenario.patient) {
    const forced = () => JSON.stringify(played.report)
    must("nothing is forced when there is time", played.report.clean, forced)
    for (const { connection } of played.lived) {
      if (connection === undefined) continue
      const pair = pairs.get(connection) ?? {}
      // Who was connected, in the backlog too, is served.
      const served = played.handled.has(connection)
      const both = pair.server?._tag === "Graceful" && pair.client?._tag === "Graceful"
      const what = () => `#${connection}, ${served ? "served" : "not served"}: ${JSON.stringify(pair)}`
      must("nothing is forced when there is time", served && both, what)
    }
  }

  drained(scenario, played, pairs, must)
  const pending = played.pending()
  const left = {
    sockets: played.socketsOpen,
    open: played.open,
    // What the simulated network still has to do is its own.
    timers: inspection.timersLeft - pending,
    fibers: inspection.fibersLeft - pending
  }
  must(
    "nothing remains",
    Object.values(left).every((much) => much === 0),
    () => JSON.stringify(left)
  )
  return { closes, looked, broken }
}

type Must = (name: Invariant, condition: boolean, what: () => string) => void

const outcomes = (played: Played): Map<number, Pair> => {
  const pairs = new Map<number, Pair>()
  for (const { connection, kind, millis, outcome, side } of played.history) {
    if (side === "listener") continue
    if (kind !== "stage" && kind !== "outcome" && kind !== "reset" && kind !== "closeWrite") continue
    let pair = pairs.get(connection)
    if (pair === undefined) pairs.set(connection, (pair = {}))
    if (kind === "closeWrite") {
      if (side === "server") pair.serverFinAt = millis
      continue
    }
    pair[`${side}Began`] ??= millis
    if (outcome === undefined) continue
    pair[side] = outcome
    pair[`${side}At`] = millis
  }
  return pairs
}

/** Alarms sleep for no less than a microsecond, which may be one more than was left. */
const tolerance = 0.002

/** Reports are in whole milliseconds. */
const isAbout = (reported: number, millis: number): boolean => Math.abs(reported - millis) <= 0.5 + tolerance

/** When handlers are interrupted in good order. */
const deadlineOf = ({ server }: Scenario, { atStop }: Played): number =>
  atStop.millis + server.drain.lameDuck + server.drain.deadline

const keepsReading = ({ kind }: ClientPlan): boolean =>
  kind === "polite" || kind === "writesFirst" || kind === "idle" || kind === "halfway"

/** Whether something befell the connection after which nobody can promise anything. */
const isBroken = (scenario: Scenario, connection: number): boolean =>
  scenario.faults.some((planned) => planned.connection === connection && !Fault.passes(planned.fault))

/** What was flushed was read by who read to the end. */
const saysFarewell = (server: CloseOutcome, lastBytes: number): boolean =>
  server.farewell !== "flushed" || lastBytes === 3

/** How many of a client's lines are whole in the first so many bytes. */
const wholeLines = (plan: ClientPlan, bytes: number): number => {
  if (plan.kind === "idle") return 0
  let lines = 0
  let end = 0
  for (const length of plan.messages) {
    end += length
    if (end <= bytes) lines++
  }
  return lines
}

/** What had arrived when the server was told to stop is served, unless there was no time, or no place. */
const answered = (
  scenario: Scenario,
  played: Played,
  plan: ClientPlan,
  connection: number,
  server: CloseOutcome,
  reader: Played["lived"][number]["reader"],
  must: Must,
  name: () => string
): void => {
  const socket = played.atStop.netstat.sockets.find(
    (candidate) => candidate.connection === connection && candidate.side === "server"
  )
  const inTime = played.report.handlersInterrupted === 0 && server._tag === "Graceful"
  if (socket === undefined || !inTime || !played.handled.has(connection)) return
  const { arrivedBytes } = socket
  const { kind } = scenario.server
  if (reader instanceof AnswerReader) {
    const due = wholeLines(plan, arrivedBytes)
    if (due > 0) {
      const what = () => `${due} requests had arrived, ${reader.answers} were answered; ${name()}`
      must("a request that came before the stop is answered", reader.answers >= due, what)
    }
  } else if (kind === "echo" && arrivedBytes > 0) {
    const what = () => `${arrivedBytes} bytes had arrived; ${name()}`
    must("a request that came before the stop is answered", reader.payloadBytes >= arrivedBytes, what)
  } else if ((kind === "upload" || kind === "both") && arrivedBytes > 0) {
    const read = played.handled.get(connection)!.reader
    const what = () => `${arrivedBytes} bytes had arrived, ${read.payloadBytes} were read; ${name()}`
    must("what came before the stop is read", read.payloadBytes + read.lastBytes >= arrivedBytes, what)
  }
  const complete = kind === "download" || kind === "both" ? scenario.server.bytes : undefined
  if (complete !== undefined && reader instanceof Object && "payloadBytes" in reader) {
    must("who keeps reading gets everything", reader.payloadBytes === complete, name)
  }
}

/** The drain kept to its time, and its report says what happened. */
const drained = (scenario: Scenario, played: Played, pairs: ReadonlyMap<number, Pair>, must: Must): void => {
  const { atStop, handled, report } = played
  const { lameDuck, deadline, close } = scenario.server.drain
  const paused = scenario.faults.some(({ fault }) => fault._tag === "Pause")
  const stopping = scenario.cutAfterMillis ?? Infinity
  // A process that stands still hears of no reset: for that the drain has two seconds more.
  const allowed = Math.min(lameDuck + deadline + close, stopping) + (paused ? 2000 : 0)
  const said = () => `${allowed} ms allowed: ${JSON.stringify(report)}`
  const took = played.reportedMillis - atStop.millis
  must("no drain outlives its budget", took <= allowed + tolerance, () => `${took} ms; ${said()}`)
  must("reported times are the clock's", isAbout(report.durationMillis, took), () => `${took} ms; ${said()}`)

  const { outcomes: counts } = report
  const sum = tags.reduce((total, tag) => total + counts[tag], 0)
  const late = [...handled.values()].filter((record) => record.late).length
  // Who was turned away had no handler; how many were, only the server knows.
  const least = atStop.served + late
  const most = least + [...pairs].filter(([number, pair]) => pair.server !== undefined && !handled.has(number)).length
  const account = () => `${least} to ${most} connections: ${JSON.stringify(report)}`
  must("reports add up", sum === report.connections && sum >= least && sum <= most, account)
  if (least !== most || report.handlersAbandoned > 0) return
  for (const tag of tags) {
    const all = [...pairs.values()].filter((pair) => pair.server?._tag === tag)
    const during = all.filter((pair) => pair.serverAt! > atStop.millis).length
    must("reports add up", counts[tag] >= during && counts[tag] <= all.length, () => `${tag}: ${account()}`)
  }
}
