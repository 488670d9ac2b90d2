/** What a client and a process lived through, in words. */
import type { Connection, Play } from "./Report.ts"
import { range, seconds } from "./words.ts"

type Event = Connection["events"][number]

/** From the first to the last that happened, in milliseconds from the signal. */
export const clockOf = (play: Play): { readonly from: number; readonly to: number } => {
  let [from, to] = [0, Math.max(0, exitMillisOf(play) ?? 0)]
  for (const { events, toldMillis } of play.connections) {
    for (const at of [...events.map((event) => event.at), toldMillis ?? 0]) {
      from = Math.min(from, at)
      to = Math.max(to, at)
    }
  }
  return { from, to }
}

export const exitMillisOf = ({ exitSeconds }: Play): number | undefined =>
  exitSeconds === null ? undefined : exitSeconds * 1000

/** Scenarios that send no signal count from their first connection. */
export const isSignalled = ({ connections, exitSeconds }: Play): boolean =>
  exitSeconds !== null || connections.some(({ events }) => events.some(({ at }) => at < 0))

/** `exit 0`, `SIGSEGV`, `killed`: how the process ended, if it did. */
export const exitOf = ({ exitCode, exitSignal, killed }: Play): string | undefined =>
  killed ? "killed" : (exitSignal ?? (exitCode === null ? undefined : `exit ${exitCode}`))

/** `exit 0 after 1.02 s`. */
export const exitStoryOf = (play: Play): string => {
  const end = exitOf(play)
  if (end === undefined) return "the process had not ended"
  return play.exitSeconds === null ? end : `${end} after ${seconds(play.exitSeconds)}`
}

// Scenarios speak of megabytes in this sense as well: what they ask for is a power of two.
const units = ["B", "kB", "MB", "GB", "TB"]
const step = 1024

const unitOf = (bytes: number): number => {
  let [unit, left] = [0, bytes]
  while (left >= step && unit < units.length - 1) {
    unit++
    left /= step
  }
  return unit
}

const amount = (bytes: number, unit: number): string => (unit === 0 ? String(bytes) : (bytes / step ** unit).toFixed(1))

/** `64.0 MB`. */
export const bytesOf = (bytes: number): string => `${amount(bytes, unitOf(bytes))} ${units[unitOf(bytes)]}`

/** `lost 12.0 of 64.0 MB`; what would round to nothing is told in its own unit. */
const lossOf = (lost: number, expected: number): string => {
  const unit = unitOf(expected)
  const short = amount(lost, unit)
  return Number(short) === 0 ? `lost ${bytesOf(lost)} of ${bytesOf(expected)}` : `lost ${short} of ${bytesOf(expected)}`
}

export const lostBytesOf = ({ expectedBytes, receivedBytes, whole }: Connection): number =>
  whole ? 0 : Math.max(0, expectedBytes - receivedBytes)

/** What it had of what it asked for. */
export const outcomeOf = (connection: Connection): string => {
  const { ending, expectedBytes, instead, receivedBytes, whole } = connection
  if (!whole) {
    if (instead.length > 0) return `${instead.join(", ")} instead of an answer`
    return lostBytesOf(connection) > 0 ? lossOf(expectedBytes - receivedBytes, expectedBytes) : "answer not whole"
  }
  if (expectedBytes > 0) return `whole, ${bytesOf(expectedBytes)}`
  if (receivedBytes > 0) return `whole, ${bytesOf(receivedBytes)}`
  return ending === "refused" ? "not let in" : "nothing was due"
}

/** What the server said of the end, and when; of equal clients, from when to when. */
export const endingOf = (connections: ReadonlyArray<Connection>): string => {
  const [first] = connections
  if (first === undefined) return ""
  const trouble = first.trouble === null ? [] : [first.trouble]
  const seen = first.seen.length === 0 && first.ending !== "open" ? [first.ending] : first.seen
  const words = [...new Set([...seen, ...trouble])].join(", ")
  const times = connections.flatMap((connection) => endMillisOf(connection) ?? [])
  if (words === "") return "still open, told nothing"
  if (times.length === 0) return words
  const [least, most] = [Math.min(...times) / 1000, Math.max(...times) / 1000]
  const left = first.ending === "open" ? ", still open" : ""
  if (Math.abs(least) < atOnceSeconds && Math.abs(most) < atOnceSeconds) return `${words} at once${left}`
  return most < 0
    ? `${words} ${range(-most, -least)} before the signal${left}`
    : `${words} after ${range(least, most)}${left}`
}

// What would read as 0.00 s.
const atOnceSeconds = 0.005

/** When TCP said its last word, or else when the client first saw something of an end. */
const endMillisOf = ({ ending, events, toldMillis }: Connection): number | undefined =>
  events.findLast(({ what }) => what === ending)?.at ?? toldMillis ?? undefined

/** Everything, in order: what a picture of it shows to those who see it. */
export const storyOf = (connection: Connection, who = connection.group): string => {
  const events = together(withoutStart(connection.events)).map(({ bytes, first, last, what }) => {
    const size = bytes === undefined ? "" : ` ${bytesOf(bytes)}`
    const when = first === last ? `at ${at(last)}` : `from ${at(first)} to ${at(last)}`
    return `${phrases[what] ?? what}${size} ${when}`
  })
  const way = events.join(", ") || "nothing is known of its way"
  return `${who}: ${way}; ${outcomeOf(connection)}; ${endingOf([connection])}`
}

/** That a client reads from the beginning is nothing to tell. */
export const withoutStart = (events: ReadonlyArray<Event>): ReadonlyArray<Event> =>
  events[0]?.what === "reads" ? events.slice(1) : events

export const at = (millis: number): string => seconds(millis / 1000).replace("-", "−")

const phrases: Readonly<Record<string, string>> = {
  half: "half of a request",
  ready: "handshakes over",
  answered: "answered the goodbye"
}

/** Events of the same kind with nothing between them. */
export interface Run {
  readonly what: string
  readonly first: number
  readonly last: number
  readonly bytes: number | undefined
}

const together = (events: ReadonlyArray<Event>): ReadonlyArray<Run> => runsOf(events, () => true)

/** Of neighbours that are near enough to one another. Only bytes run: two ends are two. */
export const runsOf = (
  events: ReadonlyArray<Event>,
  isNear: (from: number, to: number) => boolean
): ReadonlyArray<Run> => {
  const runs: Array<Run> = []
  for (const { at, bytes, what } of events) {
    const run = runs.at(-1)
    if (bytes !== undefined && run?.what === what && isNear(run.last, at)) {
      runs[runs.length - 1] = { what, first: run.first, last: at, bytes: (run.bytes ?? 0) + bytes }
    } else runs.push({ what, first: at, last: at, bytes })
  }
  return runs
}
