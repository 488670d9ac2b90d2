/** A run, as text for a terminal. */
import { busyShare, noiseOf, ratioOf, type Run } from "./report.ts"
import type { Result, RowResult } from "./rounds.ts"
import { lessIsBetter, type Row, rows } from "./rows.ts"
import { spread } from "./statistics.ts"
import { subjects } from "./subjects.ts"

export const rowOf = (id: string): Row => {
  const row = rows.find((row) => row.id === id)
  if (row === undefined) throw new Error(`no row is called ${id}`)
  return row
}
export const subjectTitle = (id: string): string =>
  subjects.find((subject) => subject.id === id)?.title ?? "Finwait's simulation"

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

const remarks = ({ errors, ownCpu, resets, unanswered }: Result): string =>
  [
    ...(ownCpu > busyShare ? [`load generator at ${Math.round(ownCpu * 100)} %`] : []),
    ...(errors > 0 ? [`${errors} errors`] : []),
    ...(resets > 0 ? [`${resets} resets`] : []),
    ...(unanswered > 0 ? [`${unanswered} unanswered`] : [])
  ].join(", ")

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
      `${Math.round(one.ownCpu * 100)} %`,
      remarks(one)
    ]
  })
  const table = [["", "median", "ratio", "quartiles", "generator", ""], ...cells]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)))
  const less = lessIsBetter(row) ? "; less is better" : ""
  return [
    `${row.title} (${row.id}); equal programs differ by ${Math.round(noiseOf(result) * 100)} %${less}`,
    ...table.map((line) =>
      `  ${line.map((cell, column) => (column === 0 || column === 5 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join("  ")}`.trimEnd()
    )
  ].join("\n")
}

export const head = ({ machine, rounds, seconds }: Omit<Run, "rows" | "date">): string =>
  `Node ${machine.node}, ${machine.cores} x ${machine.processor}, ${machine.system}; ${machine.pinning}; ` +
  `load generator in ${machine.generator}; ${rounds} rounds of ${seconds} s`
