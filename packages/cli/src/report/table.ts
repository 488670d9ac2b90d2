/** A report as text: for the end of a run, and several of them side by side for a document. */
import type { Writable } from "node:stream"
import { styleText } from "node:util"
import { rankOf, type Report, type Row } from "./Report.ts"
import { columns, hanging, plain } from "./text.ts"
import { colours, measuredOf, remarksOf, shortsOf, summaryOf, verdictOf, verdictWords } from "./words.ts"

/**
 * One line for each scenario, what there is to say about those that are no pass, and a summary. Verdicts are coloured where
 * the stream is a terminal that shows colours.
 */
export const table = (report: Report, stream: Writable = process.stdout): string => {
  const { rows } = report
  const colour = (text: string, row: number, column: number) => {
    const verdict = rows[row - 1]?.verdict
    return verdict === undefined || column !== verdictColumn ? text : styleText(colours[verdict], text, { stream })
  }
  const said = remarks(rows)
  return [
    ...columns([head, ...rows.map(cells)], { paint: colour }),
    ...(said.length === 0 ? [] : ["", ...said]),
    "",
    ...hanging(summaryOf(report))
  ].join("\n")
}

const head = ["id", "scenario", "measured", "bound", "verdict"]
const verdictColumn = head.indexOf("verdict")

const cells = (row: Row): ReadonlyArray<string> => [
  row.id,
  row.title,
  measuredOf(row),
  row.bound,
  [verdictOf(row.verdict), shortsOf(row).filter(isNoTime).join(", ")].filter((part) => part !== "").join(": ")
]

/** A time stands beside it already, and more precisely. */
const isNoTime = (short: string): boolean => !/^\d+(?:\.\d+)? s$/.test(short)

/** The worst first. What is true of several rows is said once; of a pass, what somebody should know all the same. */
const remarks = (rows: ReadonlyArray<Row>): ReadonlyArray<string> => {
  const said = new Map<string, Array<string>>()
  const worstFirst = rows.toSorted((one, other) => rankOf(one.verdict) - rankOf(other.verdict))
  for (const row of worstFirst) {
    for (const { text } of remarksOf(row)) said.set(text, [...(said.get(text) ?? []), row.id])
  }
  return [...said].flatMap(([text, ids]) => hanging(`${ids.join(", ")}: ${text}`))
}

/**
 * A table of Markdown with a column for each report: what was measured where that is a pass, and otherwise the verdict and
 * why, in a word.
 */
export const markdown = (reports: ReadonlyArray<Report>): string => {
  const scenarios = new Map(
    reports.flatMap(({ rows }) => rows.map(({ id, title }) => [id, title] as const)).toReversed()
  )
  const line = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  return [
    line(["", "scenario", ...reports.map(({ name }) => escaped(name))]),
    line(["---", "---", ...reports.map(() => "---")]),
    ...idsOf(reports).map((id) => {
      const beside = reports.map(({ rows }) => rows.find((row) => row.id === id))
      return line([escaped(id), escaped(scenarios.get(id) ?? ""), ...beside.map((row) => escaped(inShort(row)))])
    })
  ].join("\n")
}

/** In the order of the first report, and then of what only the others have. */
const idsOf = (reports: ReadonlyArray<Report>): ReadonlyArray<string> => [
  ...new Set(reports.flatMap(({ rows }) => rows.map(({ id }) => id)))
]

const inShort = (row: Row | undefined): string => {
  if (row === undefined) return ""
  const word = verdictWords[row.verdict]
  if (row.verdict === "pass") return measuredOf(row) || word
  const why = shortsOf(row).join(", ")
  return why === "" ? word : `${word}: ${why}`
}

/** What Markdown would take for its own. */
const escaped = (text: string): string => plain(text).replace(/[\\`*_[\]<>|&]/g, String.raw`\$&`)
