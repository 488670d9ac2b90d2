/**
 * The close as a table: its stages, what leads from one to the next, and what each step needs. The diagram in the
 * documentation is made from it, and every history of a simulated network can be held against it.
 *
 * It is a model, not the program: the program is `internal/close.ts`. Two descriptions of one thing, written
 * independently, catch each other's mistakes.
 *
 * **Example** (A history is held against the model)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Connection from "finwait/Connection"
 * import * as CloseModel from "finwait/testing/CloseModel"
 * import * as SimNetwork from "finwait/testing/SimNetwork"
 * import * as Server from "finwait/Server"
 *
 * const program = Effect.gen(function*() {
 *   const sim = yield* SimNetwork.SimNetwork
 *   yield* Effect.scoped(Effect.gen(function*() {
 *     yield* Server.make({ listen: "tcp://127.0.0.1:7000", handler: (connection) => connection.write("hello") })
 *     yield* Connection.readText(yield* sim.network.connect("tcp://127.0.0.1:7000"))
 *   }))
 *   return CloseModel.violations(yield* sim.history)
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(SimNetwork.layer())))) // => []
 * ```
 *
 * @since 0.1.0
 */
import type { CloseOutcome, Stage } from "../CloseOutcome.ts"
import * as History from "./History.ts"

/**
 * Where a close can be: at a stage, or at its end.
 *
 * @category models
 * @since 0.1.0
 */
export type State = Exclude<Stage, "Closed"> | CloseOutcome["_tag"]

/**
 * One step of the close.
 *
 * @category models
 * @since 0.1.0
 */
export interface Transition {
  readonly from: Exclude<Stage, "Closed">
  readonly to: State
  /** What leads to it, in words. */
  readonly on: string
  /** What has happened before, by the names of `History`: told by the system, or done by the close. */
  readonly after: ReadonlyArray<History.Kind>
  /** What has not happened before. */
  readonly without: ReadonlyArray<History.Kind>
}

const stages = ["Open", "Farewell", "Flushing", "Lingering"] as const

/**
 * The whole close. A stage may be entered when the pipe has just broken and the close has not been told: the next thing
 * that it waits for says so. An end may not.
 *
 * @category models
 * @since 0.1.0
 */
export const transitions: ReadonlyArray<Transition> = [
  { from: "Open", to: "Farewell", on: "close, with a farewell", after: [], without: ["closeWrite", "reset"] },
  { from: "Open", to: "Flushing", on: "close", after: [], without: ["reset"] },
  {
    from: "Farewell",
    to: "Flushing",
    on: "said, failed, or farewellTimeout",
    after: [],
    without: ["reset"]
  },
  {
    from: "Flushing",
    to: "Lingering",
    on: "everything and FIN given to the system",
    after: ["closeWrite", "flushed"],
    without: ["reset"]
  },
  { from: "Lingering", to: "Graceful", on: "the peer's FIN", after: ["end", "release"], without: ["broken", "reset"] },
  {
    from: "Lingering",
    to: "LingerExpired",
    on: "lingerTimeout, lingerIdleTimeout or lingerBytesMax",
    after: ["release"],
    without: ["end", "broken", "reset"]
  },
  ...stages.map((from): Transition => ({
    from,
    to: "ResetByPeer",
    on: "a reset by the peer or the network",
    after: ["broken", "release"],
    without: ["reset"]
  })),
  ...stages.map((from): Transition => ({
    from,
    to: "Aborted",
    on: "deadline, abort, idle or shutdown: RST",
    after: ["reset", "release"],
    without: ["broken"]
  }))
]

/**
 * The model as a Mermaid state diagram.
 *
 * @category formatting
 * @since 0.1.0
 */
export const diagram = (): string =>
  [
    "stateDiagram-v2",
    "  [*] --> Open",
    ...transitions.map(({ from, on, to }) => `  ${from} --> ${to}: ${on}`),
    ...["Graceful", "LingerExpired", "ResetByPeer", "Aborted"].map((end) => `  ${end} --> [*]`)
  ].join("\n")

/**
 * The model as a Markdown table.
 *
 * @category formatting
 * @since 0.1.0
 */
export const table = (): string => {
  const said = (kinds: ReadonlyArray<string>) => kinds.map((kind) => `\`${kind}\``).join(", ")
  return [
    "| from | to | on | after | without |",
    "| --- | --- | --- | --- | --- |",
    ...transitions.map(
      ({ after, from, on, to, without }) => `| ${from} | ${to} | ${on} | ${said(after)} | ${said(without)} |`
    )
  ].join("\n")
}

/** What has been seen of one end so far. */
class Seen {
  readonly violations: Array<string> = []
  private state: State = "Open"
  private readonly kinds = new Set<History.Kind>()
  private readonly stages: Array<State> = []
  private ended = false
  private read = 0
  private written = 0
  private readonly name: string

  constructor(name: string) {
    this.name = name
  }

  private wrong(event: History.Event, what: string): void {
    this.violations.push(`${this.name}: ${what}\n  at ${History.formatEvent(event).trim()}`)
  }

  take(event: History.Event): void {
    this.look(event)
    // Who has reset has no use for the news that the other did the same.
    if (event.kind !== "broken" || !this.kinds.has("reset")) this.kinds.add(event.kind)
  }

  private look(event: History.Event): void {
    const { kinds } = this
    if (this.ended) return this.wrong(event, `something happened after the outcome`)
    switch (event.kind) {
      case "write":
        this.written += Number(event.detail)
        if (kinds.has("closeWrite")) this.wrong(event, "a write behind the FIN")
        return
      case "closeWrite":
      case "reset":
      case "release":
        if (kinds.has(event.kind)) this.wrong(event, `${event.kind} twice`)
        if (kinds.has("release")) this.wrong(event, `${event.kind} after the descriptor was given back`)
        return
      case "data":
        this.read += Number(event.detail)
        if (kinds.has("end")) this.wrong(event, "data after the peer's FIN")
        return this.told(event)
      case "flushed":
        if (!kinds.has("closeWrite")) this.wrong(event, "flushed without a FIN")
        return this.told(event)
      case "end":
      case "broken":
      case "released":
        if (kinds.has(event.kind)) this.wrong(event, `${event.kind} twice`)
        return this.told(event)
      case "writable":
        return this.told(event)
      case "stage":
        return this.enter(event, event.detail as State)
      case "outcome":
        return this.end(event, event.outcome!)
      default:
    }
  }

  private told(event: History.Event): void {
    if (this.kinds.has("release")) this.wrong(event, `${event.kind} told after the descriptor was given back`)
    if (event.kind !== "released" && this.kinds.has("released")) this.wrong(event, `${event.kind} after released`)
  }

  private enter(event: History.Event, to: State): void {
    const step = transitions.find((transition) => transition.from === this.state && transition.to === to)
    if (step === undefined) {
      this.wrong(event, `no step leads from ${this.state} to ${to}`)
    } else {
      for (const kind of step.after) {
        if (!this.kinds.has(kind)) this.wrong(event, `${this.state} to ${to} without ${kind}`)
      }
      for (const kind of step.without) {
        if (this.kinds.has(kind)) this.wrong(event, `${this.state} to ${to} after ${kind}`)
      }
    }
    this.stages.push(to)
    this.state = to
  }

  private end(event: History.Event, outcome: CloseOutcome): void {
    const stage = this.state
    this.enter(event, outcome._tag)
    this.ended = true
    const must = (condition: boolean, what: string) => {
      if (!condition) this.wrong(event, `${what}: ${JSON.stringify(outcome)}`)
    }
    must(outcome.stage === stage, `the outcome names another stage than ${stage}`)
    must(outcome.bytesRead === this.read, `${this.read} bytes were read`)
    must(outcome.bytesDiscarded <= outcome.bytesRead, "more was discarded than read")
    if (outcome._tag === "Graceful" || outcome._tag === "LingerExpired") {
      must(outcome.bytesUnsent === 0, "something was not sent")
      must(outcome.bytesWritten === this.written, `${this.written} bytes were written`)
    } else {
      must(outcome.bytesWritten <= this.written, `${this.written} bytes were given to the system`)
    }
    if (outcome.farewell === "flushed") must(this.stages.includes("Farewell"), "a farewell that nobody said")
    if (outcome.closedFirst === "peer") must(this.kinds.has("end") || this.kinds.has("broken"), "the peer did not end")
  }

  /** What is missing when nothing follows any more. */
  finish(): void {
    if (this.ended) return
    // A connection that is turned away before anybody had it is reset, and nothing else.
    const refused = this.kinds.has("reset") && this.stages.length === 0
    if (!refused) this.violations.push(`${this.name}: no outcome; the close is at ${this.state}`)
  }
}

/**
 * What in a history is not as the model has it, in sentences; none when all is well. The history must be whole: from
 * the making of the network to a time when every connection has ended.
 *
 * @category checking
 * @since 0.1.0
 */
export const violations = (history: ReadonlyArray<History.Event>): ReadonlyArray<string> => {
  const [first] = history
  if (first?.kind === "dropped") {
    return [`the history is not whole: ${first.detail} events before it were dropped; raise historyMax`]
  }
  const ends = new Map<string, Seen>()
  for (const event of history) {
    if (event.side === "listener" || event.kind === "fault") continue
    const name = `#${event.connection} ${event.side}`
    let seen = ends.get(name)
    if (seen === undefined) ends.set(name, (seen = new Seen(name)))
    seen.take(event)
  }
  return [...ends.values()].flatMap((seen) => {
    seen.finish()
    return seen.violations
  })
}
