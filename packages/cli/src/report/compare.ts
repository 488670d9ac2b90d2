/** Two reports side by side: what has become better, and what worse. */
import { rankOf, type Report, type Row } from "./Report.ts"
import { columns, hanging } from "./text.ts"
import { dateOf, machineOf, measuredOf, shortsOf, verdictOf } from "./words.ts"

export const changeNames = ["worse", "better", "same", "only in A", "only in B"] as const
export type ChangeName = (typeof changeNames)[number]

/** A scenario of either. */
export interface Change {
  readonly id: string
  readonly title: string
  readonly a: Row | undefined
  readonly b: Row | undefined
  /** From A to B. What was not run, or does not apply, is not there. */
  readonly change: ChangeName
}

/** In the order of A, and then what only B has. */
export const changes = (a: Report, b: Report): ReadonlyArray<Change> => {
  const ids = new Set([...a.rows, ...b.rows].map(({ id }) => id))
  return [...ids].map((id) => {
    const [before, after] = [a, b].map(({ rows }) => rows.find((row) => row.id === id))
    return { id, title: (before ?? after)?.title ?? "", a: before, b: after, change: changeOf(before, after) }
  })
}

export const compare = (a: Report, b: Report): string => {
  const all = changes(a, b)
  const rows = all.map(({ a, b, change, id, title }) => [id, title, cell(a), cell(b), change])
  return [
    ...hanging(`A: ${about(a)}`),
    ...hanging(`B: ${about(b)}`),
    ...differences(a, b).flatMap(hanging),
    "",
    ...columns([["id", "scenario", "A", "B", "change"], ...rows]),
    "",
    ...hanging(countsOf(all))
  ].join("\n")
}

const about = (report: Report): string =>
  `${report.name}, ${dateOf(report)}, profile ${report.profile}, ${machineOf(report)}`

const cell = (row: Row | undefined): string =>
  row === undefined
    ? ""
    : [verdictOf(row.verdict), ...[measuredOf(row), ...shortsOf(row)].filter((part) => part !== "")].join(", ")

const countsOf = (all: ReadonlyArray<Change>): string => {
  const parts = changeNames.flatMap((name) => {
    const count = all.filter(({ change }) => change === name).length
    return count === 0 ? [] : [`${count} ${name}`]
  })
  return parts.length === 0 ? "neither has a scenario" : parts.join(", ")
}

/** What makes a comparison a doubtful one. */
const differences = (a: Report, b: Report): ReadonlyArray<string> => [
  ...(machineOf(a) === machineOf(b) ? [] : ["The machines differ: times say little."]),
  ...(a.profile === b.profile ? [] : [`The profiles differ: ${a.profile} and ${b.profile}.`]),
  ...(a.signal === b.signal ? [] : [`The signals differ: ${a.signal} and ${b.signal}.`]),
  ...boundsThatDiffer(a, b)
]

const boundsThatDiffer = (a: Report, b: Report): ReadonlyArray<string> => {
  const names = [...new Set([...Object.keys(a.bounds), ...Object.keys(b.bounds)])]
  const parts = names.flatMap((name) => {
    const [before, after] = [a.bounds[name], b.bounds[name]]
    return before === after ? [] : [`${name} ${before ?? "not set"} and ${after ?? "not set"}`]
  })
  return parts.length === 0 ? [] : [`The bounds differ, so verdicts may for that alone: ${parts.join(", ")}.`]
}

const changeOf = (a: Row | undefined, b: Row | undefined): ChangeName => {
  const [before, after] = [a, b].map((row) => (row !== undefined && wasPlayed(row) ? row : undefined))
  if (before === undefined) return after === undefined ? neither(a, b) : "only in B"
  if (after === undefined) return "only in A"
  const worse = rankOf(before.verdict) - rankOf(after.verdict)
  return worse > 0 ? "worse" : worse < 0 ? "better" : measuredChange(before, after)
}

/** Played in neither: then it counts who has it at all. */
const neither = (a: Row | undefined, b: Row | undefined): ChangeName =>
  a === undefined ? "only in B" : b === undefined ? "only in A" : "same"

const wasPlayed = ({ verdict }: Row) => verdict !== "not run" && verdict !== "n/a"

// Two runs of the same server differ by about as much: schedulers, clients on the same CPUs, and whose answer was lost.
const noiseSeconds = 0.25
const noiseCount = 2
const noiseShare = 0.2

/** With the same verdict: less is better, if all plays of one are below all of the other, and by more than noise. */
const measuredChange = (a: Row, b: Row): ChangeName => {
  if (a.measured === null || b.measured === null || a.unit !== b.unit) return "same"
  const difference = b.measured.median - a.measured.median
  const least = a.unit === "s" ? noiseSeconds : noiseCount
  // To lose none is another thing than to lose few.
  const isNone = a.unit === "" && (a.measured.most === 0 || b.measured.most === 0)
  const noise = isNone ? 0 : Math.max(least, noiseShare * a.measured.median)
  if (difference > noise && b.measured.least > a.measured.most) return "worse"
  return -difference > noise && b.measured.most < a.measured.least ? "better" : "same"
}
