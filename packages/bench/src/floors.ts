/** The floors: the ratios of a run that was good, and whether another run keeps them. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Machine, noiseOf, ratioOf, type Run } from "./report.ts"
import { lessIsBetter, rowOf } from "./rows.ts"
import { subjectTitle } from "./text.ts"

export interface Floors {
  readonly date: string
  readonly machine: Machine
  /**
   * By row, then by subject: the quartile of the run on the bad side, beside the row's reference. By two subjects with a
   * slash between: beside the second, a limit that no run sets.
   */
  readonly floors: Readonly<Record<string, Readonly<Record<string, number>>>>
}

const file = join(import.meta.dirname, "../floors.json")

export const readFloors = (): Floors => JSON.parse(readFileSync(file, "utf8")) as Floors

const rounded = (value: number): number => Math.round(value * 100) / 100

/** A run's floors: of Finwait's subjects, in the rows that have a peer. */
export const floorsOf = (run: Run): Floors => {
  const floors: Record<string, Record<string, number>> = {}
  for (const result of run.rows) {
    const row = rowOf(result.row)
    for (const { subject } of result.results) {
      const ratio = subject.startsWith("finwait-") ? ratioOf(result, subject) : undefined
      if (ratio !== undefined) (floors[row.id] ??= {})[subject] = rounded(lessIsBetter(row) ? ratio.high : ratio.low)
    }
  }
  return { date: run.date, machine: run.machine, floors }
}

/** Those of other rows stay, and what no run sets. */
export const merged = (before: Floors["floors"], floors: Floors["floors"]): Floors["floors"] => ({
  ...before,
  ...Object.fromEntries(Object.entries(floors).map(([row, ratios]) => [row, { ...before[row], ...ratios }]))
})

export const writeFloors = (run: Run): void => {
  const { date, floors, machine } = floorsOf(run)
  const before = (() => {
    try {
      return readFloors().floors
    } catch {
      return {}
    }
  })()
  writeFileSync(file, `${JSON.stringify({ date, machine, floors: merged(before, floors) }, null, 2)}\n`)
}

/** A line for each ratio that is worse than its floor by more than equal programs differ in the same run. */
export const missed = (run: Run, { floors }: Floors): ReadonlyArray<string> =>
  run.rows.flatMap((result) => {
    const row = rowOf(result.row)
    const noise = noiseOf(result)
    return Object.entries(floors[row.id] ?? {}).flatMap(([who, floor]) => {
      const [subject = "", than] = who.split("/")
      const ratio = ratioOf(result, subject, than)
      if (ratio === undefined) return []
      const isWorse = lessIsBetter(row) ? ratio.median > floor * (1 + noise) : ratio.median < floor * (1 - noise)
      const said = `${ratio.median.toFixed(2)}, its floor is ${floor.toFixed(2)} and equal programs differ by ${noise.toFixed(2)}`
      const beside = than === undefined ? "" : `, beside ${subjectTitle(than)},`
      return isWorse ? [`${row.title}: ${subjectTitle(subject)}${beside} is at ${said}`] : []
    })
  })
