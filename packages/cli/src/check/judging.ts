/** The sentences that scenarios judge with: each gives the findings that it has, none when all is well. */
import type { ClientRecord, Seen } from "../clients/ClientRecord.ts"
import type { Finding } from "../report/Report.ts"
import { seconds } from "./Scenario.ts"
import type { Played, Setting } from "./Stage.ts"

type Findings = ReadonlyArray<Finding>

export const fail = (text: string, short: string): Findings => [{ level: "fail", text, short }]
export const warn = (text: string, short: string): Findings => [{ level: "warn", text, short }]
export const nothing: Findings = []

export interface Expected {
  readonly group?: string
  readonly whole?: boolean
  readonly ending?: ClientRecord["ending"] | ReadonlyArray<ClientRecord["ending"]>
  /** Whether they must have heard the protocol's goodbye, and which of them. */
  readonly goodbyes?: ReadonlyArray<Seen>
}

/** The clients of one group, or all of them: with a whole answer, and this end, behind the goodbye that belongs to it. */
export const clients = (played: Played, { ending, goodbyes, group, whole }: Expected): Findings => {
  const all = played.clients.filter((client) => group === undefined || client.group === group)
  const name = group ?? "clients"
  const endings = ending === undefined ? undefined : [ending].flat()
  const cut = whole === true ? all.filter((client) => !client.whole) : []
  const otherwise = endings === undefined ? [] : all.filter((client) => !endings.includes(client.ending))
  const untold =
    goodbyes === undefined
      ? []
      : all.filter((client) => !otherwise.includes(client) && !goodbyes.some((one) => client.seen.includes(one)))
  const troubled = all.filter((client) => client.trouble !== null && !otherwise.includes(client))
  const of = (some: ReadonlyArray<ClientRecord>) => `${some.length} of ${all.length} ${name}`
  return [
    ...(cut.length === 0
      ? nothing
      : fail(`${of(cut)}: the answer did not come whole (${bytesOf(cut)})`, `lost ${cut.length}`)),
    ...(otherwise.length === 0
      ? nothing
      : fail(`${of(otherwise)}: ended by ${endingsOf(otherwise)}, not ${endings?.join(" or ")}`, shortOf(otherwise))),
    ...(untold.length === 0
      ? nothing
      : warn(
          `${of(untold)}: heard no ${goodbyes?.[0]} before the end (${endingsOf(untold)})`,
          `${untold.length} untold`
        )),
    ...(troubled.length === 0 ? nothing : fail(`${of(troubled)}: ${endingsOf(troubled)}`, "trouble"))
  ]
}

const bytesOf = (cut: ReadonlyArray<ClientRecord>): string => {
  const sum = (of: (client: ClientRecord) => number) => cut.reduce((total, client) => total + of(client), 0)
  const instead = [...new Set(cut.flatMap((client) => client.instead))]
  const expected = sum((client) => client.expectedBytes)
  const received = sum((client) => client.receivedBytes)
  const bytes = expected === 0 ? `${received} bytes came` : `${received} of ${expected} bytes came`
  return instead.length === 0 ? bytes : `${bytes}; in its place: ${instead.join(", ")}`
}

const endingsOf = (records: ReadonlyArray<ClientRecord>): string =>
  [
    ...new Set(
      records.map((client) => client.trouble ?? (client.seen.length > 1 ? client.seen.join(" then ") : nameOf(client)))
    )
  ].join(", ")

const nameOf = ({ ending }: ClientRecord): string => (ending === "open" ? "nothing at all" : ending)

const shortOf = (records: ReadonlyArray<ClientRecord>): string => {
  const endings = [...new Set(records.map(({ ending }) => ending))]
  return endings.map((ending) => (ending === "open" ? "left open" : ending)).join(", ")
}

/** It had to be killed. */
export const hangs = ({ bounds }: Setting): Findings =>
  fail(`still running ${seconds(bounds.graceMillis)} after the signal, and killed`, "hangs")

/** The process ends by itself. */
const ends = (played: Played, setting: Setting): Findings => (played.killed ? hangs(setting) : nothing)

/** Of every scenario: then what clients saw says nothing about the server. */
export const leftOthers = ({ leftBehind }: Pick<Played, "leftBehind">): Findings =>
  leftBehind === 0
    ? nothing
    : fail(
        "the process that was told to stop ended and left others running: a shell or npm that is told in the server's place (exec node server.js in a script), or a parent that does not tell its workers and wait for them",
        "left others"
      )

/** It ends at once: a warning up to `late`, then a failure. */
export const endsPromptly = (played: Played, setting: Setting, afterMillis = 0): Findings => {
  const { lateMillis, promptMillis } = setting.bounds
  const found = ends(played, setting)
  const took = (played.exitSeconds ?? 0) * 1000 - afterMillis
  if (found.length > 0 || took <= promptMillis) return found
  const waited =
    afterMillis === 0
      ? "with nothing to wait for"
      : `for ${seconds(afterMillis)} of which there was something to wait for`
  const text = `the process ended ${played.exitSeconds!.toFixed(2)} s after the signal, ${waited}`
  const short = `${played.exitSeconds!.toFixed(1)} s`
  return took <= lateMillis ? warn(text, short) : fail(text, short)
}

/** It ends by its own deadline: later than `deadline` is a warning, never is a failure. */
export const endsInTime = (played: Played, setting: Setting): Findings => {
  const { deadlineMillis } = setting.bounds
  const found = ends(played, setting)
  if (found.length > 0 || (played.exitSeconds ?? 0) * 1000 <= deadlineMillis) return found
  const text = `the process ended ${played.exitSeconds!.toFixed(1)} s after the signal, which is close to being killed`
  return warn(text, `${played.exitSeconds!.toFixed(1)} s`)
}

export const isCrash = ({ exitCode, exitSignal }: Pick<Played, "exitCode" | "exitSignal">): boolean =>
  exitSignal !== null
    ? /^SIG(?:SEGV|ABRT|BUS|ILL|FPE|TRAP|SYS)$/.test(exitSignal)
    : exitCode !== null && exitCode >= 132 && exitCode <= 139 && exitCode !== 137

/** Of every scenario. */
export const crashed = (played: Pick<Played, "exitCode" | "exitSignal">): Findings =>
  isCrash(played)
    ? fail(
        `it crashed: ${played.exitSignal ?? `exit code ${played.exitCode}`}`,
        played.exitSignal ?? `exit ${played.exitCode}`
      )
    : nothing
