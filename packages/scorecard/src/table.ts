/** Scorecards as text: of one subject, and of two side by side. */
import type { Outcome } from "./schedule.ts"

/** One line for each scenario, and what there is to say about it below. */
export const table = (outcomes: ReadonlyArray<Outcome>): string =>
  [
    ...columns([
      ["id", "scenario", "bound", "measured", "clients: whole / FIN / RST", "exit", "verdict"],
      ...outcomes.map((outcome) => [...about(outcome), ...cells(outcome)])
    ]),
    ...outcomes.flatMap(remarks)
  ].join("\n")

/** The scorecard of one subject, for {@link sideBySide}. */
export interface Column {
  readonly name: string
  readonly outcomes: ReadonlyArray<Outcome>
}

/** The same scenarios on two subjects. What there is to say is said once for all the rows that it is about. */
export const sideBySide = (first: Column, second: Column): string => {
  const beside = ({ scenario }: Outcome) => second.outcomes.find((outcome) => outcome.scenario === scenario)
  const [played, others] = [first.outcomes.filter(isPlayed), first.outcomes.filter((outcome) => !isPlayed(outcome))]
  return [
    ...columns([
      ["id", "scenario", "bound", first.name, second.name],
      ...first.outcomes.map((outcome) => [...about(outcome), inShort(outcome), inShort(beside(outcome))])
    ]),
    ...gathered(others),
    ...gathered(played).map((remark) => `${first.name} ${remark}`),
    ...gathered(second.outcomes.filter(isPlayed)).map((remark) => `${second.name} ${remark}`)
  ].join("\n")
}

export const isPlayed = ({ doesNotApply }: Outcome) => doesNotApply === undefined

export const gathered = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<string> => {
  const rows = new Map<string, Array<string>>()
  for (const outcome of outcomes) {
    for (const text of texts(outcome)) rows.set(text, [...(rows.get(text) ?? []), outcome.scenario.id])
  }
  return [...rows].map(([text, ids]) => `${ids.join(", ")}: ${text}`)
}

export const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const [head = [], ...body] = rows
  const widths = head.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)))
  const line = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd()
  return [line(head), widths.map((width) => "─".repeat(width)).join("  "), ...body.map(line)]
}

const about = ({ scenario }: Outcome): ReadonlyArray<string> => [scenario.id, scenario.title, scenario.bound]

const cells = (outcome: Outcome): ReadonlyArray<string> => {
  const { result, verdict } = outcome
  return isPlayed(outcome)
    ? [
        result.measuredSeconds === null ? "" : `${result.measuredSeconds.toFixed(2)} s`,
        clientsOf(result.clients),
        result.killed ? "killed" : String(result.signal ?? result.exitCode),
        verdict.ok ? "good" : "BAD"
      ]
    : ["", "", "", "does not apply"]
}

const inShort = (outcome: Outcome | undefined): string => {
  if (outcome === undefined) return "not played"
  const [measured = "", clients = "", exit = "", verdict = ""] = cells(outcome)
  const ended = exit === "" || exit === "killed" ? exit : `exit ${exit}`
  return [verdict, measured, clients, ended].filter((part) => part !== "").join(", ")
}

const clientsOf = (clients: Outcome["result"]["clients"]): string => {
  const count = (good: (client: (typeof clients)[number]) => boolean) => clients.filter(good).length
  const told = (ending: string) => count((client) => client.ending === ending)
  const rest = ["refused", "open"].flatMap((ending) => (told(ending) > 0 ? [`, ${told(ending)} ${ending}`] : []))
  const goodbyes = [...new Set(clients.flatMap(({ seen }) => seen.filter((what) => what.startsWith("close"))))]
  const heard = goodbyes.map((what) => `, ${count(({ seen }) => seen.includes(what))} ${what}`)
  const whole = count((client) => client.whole)
  return `${whole} / ${told("FIN")} / ${told("RST")} of ${clients.length}${rest.join("")}${heard.join("")}`
}

const texts = ({ result, verdict }: Outcome): ReadonlyArray<string> => [...verdict.problems, ...result.notes]

const remarks = (outcome: Outcome): ReadonlyArray<string> =>
  texts(outcome).map((text) => `${outcome.scenario.id}: ${text}`)
