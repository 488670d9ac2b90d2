/**
 * What can go wrong between two programs, as data: one vocabulary to draw from a seed, to print, to replay, and to
 * inject into a simulated network.
 *
 * Each fault names the side that has the trouble: a `Stall` of the server is a server that does not read. Times are
 * milliseconds of the network's clock; `forever` is `Infinity`, printed as `forever`.
 *
 * **Example** (A schedule, drawn, printed and read back)
 *
 * ```ts
 * import * as Fault from "finwait/testing/Fault"
 *
 * const schedule = [
 *   Fault.planned({ afterMillis: 20, connection: 1, side: "client", fault: Fault.Stall({ millis: 500 }) }),
 *   Fault.planned({ afterMillis: 0, connection: "each", side: "server", fault: Fault.Delay({ millis: 40 }) })
 * ]
 * const text = Fault.print(schedule)
 * console.log(text.split("\n")[0]) // => +20ms connection 1 client Stall {"millis":500}
 * console.log(Fault.print(Fault.parse(text)) === text) // => true
 * ```
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type { Stage } from "../CloseOutcome.ts"
import { checkPlanned, problemOf, stages } from "./internal/faultFigures.ts"
import { numbers } from "./internal/numbers.ts"

/**
 * A program's end of a connection: the one that dialled, or the one that accepted.
 *
 * @category models
 * @since 0.1.0
 */
export type Side = "client" | "server"

/**
 * - `Delay`: everything the side sends takes so much longer.
 * - `Jitter`: each thing it sends takes a random part of that longer; the order stays.
 * - `Stall`: the side's program reads nothing for so long: its window closes, and who writes to it is held back.
 * - `LinkDown`: nothing gets through, either way, for so long; what was sent meanwhile arrives after the return. Where
 *   something waits for longer than TCP repeats it (924.6 s, Linux's `tcp_retries2`), its sender gets `ETIMEDOUT`.
 * - `Reset`: something between the two resets the connection; both sides get `ECONNRESET`.
 * - `ResetAtByte`: the same, when the side's byte of that number has arrived.
 * - `ResetAtStage`: the same, when the side's close enters that stage.
 * - `HalfOpen`: the side's machine is gone without a FIN: the other hears nothing any more, whatever it sends.
 * - `SlowReader`: the side's program takes so many bytes a second.
 * - `SlowWriter`: what the side sends trickles, at so many bytes a second (slow loris).
 * - `LateFin`: the side's FIN, its goodbye, comes so much later.
 * - `DuplicateFin`: the side's FIN comes twice, as when it is repeated for want of an acknowledgement. Nobody may notice.
 * - `Pause`: the side's process stands still for so long: its system goes on, but it hears of nothing.
 * - `AcceptError`: the next `times` accepts of a listener fail with the system's `code`; who waits goes on waiting.
 * - `Refuse`: a listener's system refuses who dials, for so long.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault = Data.TaggedEnum<{
  Delay: { readonly millis: number }
  Jitter: { readonly millis: number }
  Stall: { readonly millis: number }
  LinkDown: { readonly millis: number }
  Reset: object
  ResetAtByte: { readonly byte: number }
  ResetAtStage: { readonly stage: Exclude<Stage, "Open" | "Closed"> }
  HalfOpen: object
  SlowReader: { readonly bytesPerSecond: number }
  SlowWriter: { readonly bytesPerSecond: number }
  LateFin: { readonly millis: number }
  DuplicateFin: object
  Pause: { readonly millis: number }
  AcceptError: { readonly code: string; readonly times: number }
  Refuse: { readonly millis: number }
}>

/**
 * @category models
 * @since 0.1.0
 */
export type Tag = Fault["_tag"]

/** The constructors of all faults. */
const constructors = Data.taggedEnum<Fault>()

/**
 * @category constructors
 * @since 0.1.0
 */
export const {
  Delay,
  Jitter,
  Stall,
  LinkDown,
  Reset,
  ResetAtByte,
  ResetAtStage,
  HalfOpen,
  SlowReader,
  SlowWriter,
  LateFin,
  DuplicateFin,
  Pause,
  AcceptError,
  Refuse
} = constructors

/**
 * The end of time, for a fault that does not pass.
 *
 * @category constructors
 * @since 0.1.0
 */
export const forever = Infinity

/**
 * A fault, when, and whom it befalls.
 *
 * @category models
 * @since 0.1.0
 */
export interface Planned {
  /** Since the connection was established; for a listener's faults since the network was made. */
  readonly afterMillis: number
  /** By its number, in the order of establishment, from 1; `each` for all of them. */
  readonly connection: number | "each" | "listener"
  readonly side: Side
  readonly fault: Fault
}

/**
 * What goes wrong in the life of a network.
 *
 * @category models
 * @since 0.1.0
 */
export type Schedule = ReadonlyArray<Planned>

/**
 * Plans a fault. Default: at once, for each connection, at the server's side; a listener's faults are the listener's.
 * Throws a `RangeError` for a fault that cannot be: a negative time, a side that there is not.
 *
 * @category constructors
 * @since 0.1.0
 */
export const planned = (plan: Pick<Planned, "fault"> & Partial<Planned>): Planned =>
  checkPlanned({
    afterMillis: plan.afterMillis ?? 0,
    connection: isListenerFault(plan.fault) ? "listener" : (plan.connection ?? "each"),
    side: isListenerFault(plan.fault) ? "server" : (plan.side ?? "server"),
    fault: plan.fault
  })

/**
 * Whether a fault befalls a listener, not a connection.
 *
 * @category guards
 * @since 0.1.0
 */
export const isListenerFault = (fault: Fault): fault is Extract<Fault, { _tag: "AcceptError" | "Refuse" }> =>
  fault._tag === "AcceptError" || fault._tag === "Refuse"

/**
 * Whether a connection that it befalls can still say goodbye: nothing that was written is lost for good, however long
 * it takes.
 *
 * @category guards
 * @since 0.1.0
 */
export const passes = (fault: Fault): boolean => {
  switch (fault._tag) {
    case "Reset":
    case "ResetAtByte":
    case "ResetAtStage":
    case "HalfOpen":
      return false
    case "Stall":
    case "LinkDown":
    case "LateFin":
    case "Pause":
      return Number.isFinite(fault.millis)
    default:
      return true
  }
}

/**
 * What faults are drawn from.
 *
 * @category models
 * @since 0.1.0
 */
export interface DrawOptions {
  /** How many faults. */
  readonly count: number
  /** Among how many connections. */
  readonly connections: number
  /** Within how many milliseconds of a connection's life. */
  readonly withinMillis: number
  /** Which kinds. Default: all. */
  readonly tags?: ReadonlyArray<Tag> | undefined
}

const codes = ["EMFILE", "ENFILE", "ENOBUFS", "ECONNABORTED", "EPROTO"] as const

/**
 * Numbers from 0 to 1, the same ones for the same seed: what {@link draw} draws from. Not for secrets.
 *
 * @category constructors
 * @since 0.1.0
 */
export const random = (seed: number | string): (() => number) => numbers(`fault ${seed}`)

/**
 * Draws a schedule; `random` gives numbers from 0 to 1, and the same numbers give the same schedule.
 *
 * @category constructors
 * @since 0.1.0
 */
export const draw = (random: () => number, options: DrawOptions): Schedule => {
  const whole = (max: number) => Math.floor(random() * (max + 1))
  const among = <A>(values: ReadonlyArray<A>): A => values[Math.floor(random() * values.length)]!
  const tags = options.tags ?? allTags
  const time = () => whole(options.withinMillis)
  /** One in four does not pass. */
  const span = () => (random() < 0.25 ? forever : 1 + time())
  const make: { readonly [T in Tag]: () => Fault } = {
    Delay: () => Delay({ millis: 1 + time() }),
    Jitter: () => Jitter({ millis: 1 + time() }),
    Stall: () => Stall({ millis: span() }),
    LinkDown: () => LinkDown({ millis: span() }),
    Reset: () => Reset(),
    ResetAtByte: () => ResetAtByte({ byte: whole(4000) }),
    ResetAtStage: () => ResetAtStage({ stage: among(stages) }),
    HalfOpen: () => HalfOpen(),
    SlowReader: () => SlowReader({ bytesPerSecond: among([100, 1000, 100_000]) }),
    SlowWriter: () => SlowWriter({ bytesPerSecond: among([100, 1000, 100_000]) }),
    LateFin: () => LateFin({ millis: span() }),
    DuplicateFin: () => DuplicateFin(),
    Pause: () => Pause({ millis: span() }),
    AcceptError: () => AcceptError({ code: among(codes), times: 1 + whole(2) }),
    Refuse: () => Refuse({ millis: 1 + time() })
  }
  return Array.from({ length: options.count }, () => {
    const fault = make[among(tags)]()
    const connection = 1 + whole(options.connections - 1)
    return planned({ afterMillis: time(), connection, side: among(["client", "server"]), fault })
  })
}

/**
 * The kinds of faults.
 *
 * @category models
 * @since 0.1.0
 */
export const allTags: ReadonlyArray<Tag> = [
  "Delay",
  "Jitter",
  "Stall",
  "LinkDown",
  "Reset",
  "ResetAtByte",
  "ResetAtStage",
  "HalfOpen",
  "SlowReader",
  "SlowWriter",
  "LateFin",
  "DuplicateFin",
  "Pause",
  "AcceptError",
  "Refuse"
]

/**
 * A fault in a few words: `Stall {"millis":500}`.
 *
 * @category formatting
 * @since 0.1.0
 */
export const describe = (fault: Fault): string => {
  const { _tag, ...figures } = fault
  const text = JSON.stringify(figures, writeFigure)
  return text === "{}" ? _tag : `${_tag} ${text}`
}

/** Infinity is no JSON; a code is a word of the system's, whatever it is. */
const writeFigure = (_: string, value: unknown) => (value === forever ? "forever" : value)
const readFigure = (name: string, value: unknown) => (value === "forever" && name !== "code" ? forever : value)

/**
 * A schedule, a line per fault, that {@link parse} reads back.
 *
 * @category formatting
 * @since 0.1.0
 */
export const print = (schedule: Schedule): string =>
  schedule
    .map(({ afterMillis, connection, side, fault }) => {
      const whom = connection === "listener" ? "listener" : `connection ${connection} ${side}`
      return `+${afterMillis === forever ? "forever" : `${afterMillis}ms`} ${whom} ${describe(fault)}`
    })
    .join("\n")

const readFault = (tag: string, written: string | undefined): Fault | undefined => {
  const said = JSON.parse(written ?? "{}", readFigure) as Record<string, unknown>
  const fault = { _tag: tag, ...said } as Fault
  return problemOf(fault) === undefined ? fault : undefined
}

const line =
  /^\+(?:(\d+(?:\.\d+)?(?:e[+-]?\d+)?)ms|forever) (?:(listener)|connection ([1-9]\d*|each) (client|server)) ([A-Za-z]+)(?: (\{.*\}))?$/s

const readLine = (written: string): Planned | undefined => {
  const [, after, listener, which, side, tag, said] = line.exec(written) ?? []
  if (tag === undefined) return undefined
  const afterMillis = after === undefined ? forever : Number(after)
  const fault = readFault(tag, said)
  if (fault === undefined || isListenerFault(fault) !== (listener !== undefined)) return undefined
  return planned({
    afterMillis,
    connection: which === undefined || which === "each" ? "each" : Number(which),
    side: side === "client" ? "client" : "server",
    fault
  })
}

/**
 * Reads what {@link print} wrote; empty lines are left out. Throws a `SyntaxError` that names the line for anything else.
 *
 * @category parsing
 * @since 0.1.0
 */
export const parse = (text: string): Schedule =>
  text
    .split("\n")
    .filter((written) => written.trim() !== "")
    .map((written) => {
      let plan: Planned | undefined
      try {
        plan = readLine(written.trim())
      } catch {
        // Figures that are no JSON are no figures.
      }
      if (plan === undefined) throw new SyntaxError(`not a fault: ${written}`)
      return plan
    })
