/** Reports of several servers beside one another: what was measured, or what is wrong in a word or two. */
import type { Report, Row } from "./Report.ts"
import { columns, hanging } from "./text.ts"
import { countsOf, marks, measuredOf, shortsOf, verdictWords } from "./words.ts"

/** Rows that have no meaning for any of them are left out. */
export const beside = (reports: ReadonlyArray<Report>): string => {
  const ids = [...new Set(reports.flatMap(({ rows }) => rows.map(({ id }) => id)))]
  const rowsOf = (id: string) => reports.map(({ rows }) => rows.find((row) => row.id === id))
  const played = ids.filter((id) => rowsOf(id).some((row) => row !== undefined && row.verdict !== "n/a"))
  const lines = played.map((id) => {
    const rows = rowsOf(id)
    return [id, rows.find((row) => row !== undefined)?.title ?? ""].concat(rows.map(cell))
  })
  return [
    ...columns([["id", "scenario", ...reports.map(({ name }) => name)], ...lines]),
    "",
    ...reports.flatMap(({ name, rows }) =>
      hanging(`${name}: ${countsOf(rows.filter(({ verdict }) => verdict !== "n/a"))}`)
    )
  ].join("\n")
}

const cell = (row: Row | undefined): string => {
  if (row === undefined) return ""
  const mark = marks[row.verdict]
  if (row.verdict === "pass") return `${mark} ${measuredOf(row) || verdictWords.pass}`
  return `${mark} ${shortsOf(row).join(", ") || verdictWords[row.verdict]}`
}
