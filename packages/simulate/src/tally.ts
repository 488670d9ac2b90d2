/**
 * What many scenarios came to, added up.
 */
import { type Checked, type Invariant, invariants } from "./invariants.ts"

/** A scenario that broke a promise. */
export interface Failure {
  readonly seed: number
  readonly broken: ReadonlyArray<string>
}

export interface Tally {
  scenarios: number
  closes: number
  readonly looked: Record<Invariant, number>
  readonly failures: Array<Failure>
}

export const tally = (): Tally => ({
  scenarios: 0,
  closes: 0,
  looked: Object.fromEntries(invariants.map((name) => [name, 0])) as Record<Invariant, number>,
  failures: []
})

export const add = (sum: Tally, seed: number, checked: Checked): void => {
  sum.scenarios++
  sum.closes += checked.closes
  for (const name of invariants) sum.looked[name] += checked.looked[name]
  if (checked.broken.length > 0) sum.failures.push({ seed, broken: checked.broken })
}

export const merge = (sum: Tally, other: Tally): void => {
  sum.scenarios += other.scenarios
  sum.closes += other.closes
  for (const name of invariants) sum.looked[name] += other.looked[name]
  sum.failures.push(...other.failures)
}
