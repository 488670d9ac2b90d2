/** The scorecard of one subject, as text. */
import type { Outcome } from "./schedule.ts"

const headings = ["id", "scenario", "bound", "measured", "clients: whole / FIN / RST", "exit", "verdict"]

export const table = (outcomes: ReadonlyArray<Outcome>): string => {
  const rows = [headings, ...outcomes.map(row)]
  const widths = headings.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)))
  const line = (cells: ReadonlyArray<string>) =>
    cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")
  const [head = [], ...body] = rows
  return [
    line(head).trimEnd(),
    widths.map((width) => "─".repeat(width)).join("  "),
    ...body.map((cells) => line(cells).trimEnd()),
    ...outcomes.flatMap(remarks)
  ].join("\n")
}

const row = ({ result, scenario, verdict }: Outcome): ReadonlyArray<string> => [
  scenario.id,
  scenario.title,
  scenario.bound,
  result.measuredSeconds === null ? "" : `${result.measuredSeconds.toFixed(2)} s`,
  clientsOf(result.clients),
  result.killed ? "killed" : String(result.signal ?? result.exitCode),
  verdict.ok ? "good" : "BAD"
]

const clientsOf = (clients: Outcome["result"]["clients"]): string => {
  const count = (good: (client: (typeof clients)[number]) => boolean) => clients.filter(good).length
  const told = (ending: string) => count((client) => client.ending === ending)
  const rest = ["refused", "open"].flatMap((ending) => (told(ending) > 0 ? [`, ${told(ending)} ${ending}`] : []))
  return `${count((client) => client.whole)} / ${told("FIN")} / ${told("RST")} of ${clients.length}${rest.join("")}`
}

const remarks = ({ result, scenario, verdict }: Outcome): ReadonlyArray<string> =>
  [...verdict.problems, ...result.notes].map((remark) => `${scenario.id}: ${remark}`)
