/** A run, as text for a terminal. */
import { busyShare, noiseOf, ratioOf, type Run } from "./report.ts"
import { owners, type Profile } from "./profile.ts"
import type { Result, RowResult } from "./rounds.ts"
import { lessIsBetter, type Row, rowOf } from "./rows.ts"
import { spread } from "./statistics.ts"
import { subjects, twinOf } from "./subjects.ts"

export const subjectTitle = (id: string): string => {
  const twin = twinOf(id)
  if (twin !== undefined) return `${subjectTitle(twin)}, with flags`
  return subjects.find((subject) => subject.id === id)?.title ?? "Finwait's simulation"
}

export const figure = (row: Row, value: number): string => {
  switch (row.figure) {
    case "operations":
    case "simulated":
      return `${Math.round(value).toLocaleString("en-US")}/s`
    case "bytes":
      return `${Math.round(value / 1e6).toLocaleString("en-US")} MB/s`
    case "memory":
      return `${Math.round(value).toLocaleString("en-US")} B`
    case "closing":
      return `${value.toFixed(3)} s`
  }
}

/** What flags give: beside the same server without them. */
const gain = (row: RowResult, subject: string): ReadonlyArray<string> => {
  const twin = twinOf(subject)
  const ratio = twin === undefined ? undefined : ratioOf(row, subject, twin)
  if (ratio === undefined) return []
  return [`${ratio.median.toFixed(2)} of it without (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)})`]
}

const remarks = (row: RowResult, { errors, open, ownCpu, resets, subject, unanswered }: Result): string =>
  [
    ...gain(row, subject),
    ...(ownCpu > busyShare ? [`load generator at ${Math.round(ownCpu * 100)} %`] : []),
    ...(errors > 0 ? [`${errors} errors`] : []),
    ...(resets > 0 ? [`${resets} resets`] : []),
    ...(unanswered > 0 ? [`${unanswered} unanswered`] : []),
    ...(open > 0 ? [`${open} still open`] : [])
  ].join(", ")

/** Columns beside each other, the first to the left and the others to the right. */
const aligned = (table: ReadonlyArray<ReadonlyArray<string>>, left: ReadonlyArray<number>): ReadonlyArray<string> => {
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)))
  const pad = (cell: string, column: number) =>
    left.includes(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)
  return table.map((line) => `  ${line.map(pad).join("  ")}`.trimEnd())
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((before, value) => before + value, 0)

/** Where the time of a row's servers goes. */
export const profilesText = (row: Row, profiles: ReadonlyArray<Profile>): string => {
  const each = row.mode === "hold" ? "connection" : "operation"
  const line = (title: string, of: (profile: Profile) => string) => [title].concat(profiles.map(of))
  const table = [
    line("", ({ subject }) => subjectTitle(subject)),
    ...owners
      .filter(([owner]) => profiles.some(({ micros }) => micros[owner] > 0))
      .map(([owner, title]) => line(title, ({ micros }) => micros[owner].toFixed(2))),
    line("together", ({ micros }) => sum(Object.values(micros)).toFixed(2))
  ]
  const functions = profiles.map(
    ({ functions, subject }) =>
      `  ${subjectTitle(subject)}: ${functions.map(({ micros, name }) => `${name} ${micros.toFixed(2)}`).join(", ")}`
  )
  return [
    `${row.title}: microseconds for each ${each}, with a profiler looking on`,
    ...aligned(table, [0]),
    ...functions
  ].join("\n")
}

/** One row's table. */
export const rowText = (result: RowResult): string => {
  const row = rowOf(result.row)
  const cells = result.results.map((one) => {
    const values = spread(one.values)
    const ratio = ratioOf(result, one.subject)
    return [
      subjectTitle(one.subject),
      figure(row, values.median),
      ratio === undefined ? "" : ratio.median.toFixed(2),
      ratio === undefined ? "" : `${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}`,
      one.cpuMicros > 0 ? `${one.cpuMicros.toFixed(1)} µs` : "",
      `${Math.round(one.ownCpu * 100)} %`,
      remarks(result, one)
    ]
  })
  const table = [["", "median", "ratio", "quartiles", "server", "generator", ""], ...cells]
  const less = lessIsBetter(row) ? "; less is better" : ""
  return [
    `${row.title} (${row.id}); equal programs differ by ${Math.round(noiseOf(result) * 100)} %${less}`,
    ...aligned(table, [0, 6]),
    ...(row.note === undefined ? [] : [`  ${row.note}`])
  ].join("\n")
}

export const head = ({ machine, rounds, seconds }: Omit<Run, "rows" | "date">): string =>
  `Node ${machine.node}, ${machine.cores} x ${machine.processor}, ${machine.system}; ${machine.pinning}; ` +
  `load generator in ${machine.generator}; ${rounds} rounds of ${seconds} s`
