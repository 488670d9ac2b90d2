/** The scorecards of many subjects in one table: what was measured where it was good, and in a word what was not. */
import { inAWord } from "./judging.ts"
import type { Outcome } from "./schedule.ts"
import { type Column, columns, gathered, isPlayed } from "./table.ts"

/** The rows are those of the first subject. What there is to say about the others' is said below. */
export const overview = (subjects: ReadonlyArray<Column>): string => {
  const row = ({ scenario }: Outcome) => {
    const beside = subjects.map(({ outcomes }) => outcomes.find((outcome) => outcome.scenario === scenario))
    return [scenario.id, scenario.title, scenario.bound, ...beside.map(cell)]
  }
  const rows = (subjects[0]?.outcomes ?? []).map(row)
  return [
    ...columns([["id", "scenario", "bound", ...subjects.map(({ name }) => name)], ...rows]),
    "",
    ...subjects.flatMap(({ name, outcomes }) => gathered(outcomes.filter(isPlayed)).map((text) => `${name} ${text}`))
  ].join("\n")
}

const cell = (outcome: Outcome | undefined): string => {
  if (outcome === undefined) return "not played"
  if (!isPlayed(outcome)) return ""
  const { result, verdict } = outcome
  if (!verdict.ok) return `BAD ${[...new Set(verdict.problems.map(inAWord))].join(", ")}`
  return result.measuredSeconds === null ? "good" : `${result.measuredSeconds.toFixed(2)} s`
}
