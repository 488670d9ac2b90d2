/** A run: what was measured, on what; and what its figures mean beside each other. */
import { cpus } from "node:os"
import type { Profile } from "./profile.ts"
import { pinning } from "./processes.ts"
import type { Result, RowResult } from "./rounds.ts"
import { rowOf } from "./rows.ts"
import { noise, ratios, type Spread, spread } from "./statistics.ts"
import { againOf, referenceOf } from "./subjects.ts"

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly system: string
  readonly node: string
  readonly pinning: string
  readonly generator: "C" | "Node"
}

export interface Run {
  readonly date: string
  readonly machine: Machine
  readonly rounds: number
  readonly seconds: number
  readonly rows: ReadonlyArray<RowResult>
  readonly profiles?: ReadonlyArray<Profile>
}

export const machine = (generator: "C" | "Node"): Machine => ({
  processor: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  system: `${process.platform} ${process.arch}`,
  node: process.version,
  pinning,
  generator
})

export const resultOf = (row: RowResult, subject: string): Result | undefined =>
  row.results.find((result) => result.subject === subject)

/** Whom a row's ratios are to. */
export const baseOf = ({ row }: RowResult): string => referenceOf(rowOf(row))

/** A subject's figures over those of another, the row's reference unless told, in the same rounds. */
export const ratioOf = (row: RowResult, subject: string, to = baseOf(row)): Spread | undefined => {
  const base = resultOf(row, to)
  const result = resultOf(row, subject)
  return base === undefined || result === undefined ? undefined : spread(ratios(result.values, base.values))
}

/** How far apart the two equal servers were. */
export const noiseOf = (row: RowResult): number => {
  const twins = ratioOf(row, againOf(rowOf(row.row)))
  return twins === undefined ? 0 : noise(twins)
}

/** Above this the load generator measures itself. */
export const busyShare = 0.9
