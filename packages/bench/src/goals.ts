/** What Finwait aims at, beside `node:net`, and what a run has reached. */
import { ratioOf, type Run } from "./report.ts"
import { lessIsBetter, type Row, rows } from "./rows.ts"
import type { Spread } from "./statistics.ts"

export interface Goal {
  readonly work: string
  readonly rows: (row: Row) => boolean
  readonly subjects: ReadonlyArray<string>
  /** Below the floor (above it, where less is better) Finwait is too slow to be used without a thought. */
  readonly floor: number
  readonly goal: number
}

const loops = ["finwait-pull", "finwait-stream"]
const everyone = ["finwait-each", ...loops]
const isPing = ({ group, size }: Row): boolean => (group === "messages" || group === "connections") && size < 65_536

export const goals: ReadonlyArray<Goal> = [
  { work: "ping-pong and pipelined, `each`", rows: isPing, subjects: ["finwait-each"], floor: 0.95, goal: 1.1 },
  { work: "ping-pong and pipelined, loops", rows: isPing, subjects: loops, floor: 0.85, goal: 0.95 },
  {
    work: "64 KiB ping-pong, and bulk",
    rows: ({ group, size }) => group === "bulk" || (group === "messages" && size === 65_536),
    subjects: everyone,
    floor: 0.9,
    goal: 1
  },
  { work: "churn", rows: ({ mode }) => mode === "churn", subjects: everyone, floor: 0.8, goal: 0.9 },
  { work: "idle memory", rows: ({ figure }) => figure === "memory", subjects: everyone, floor: 2, goal: 1.5 },
  { work: "storms of closes", rows: ({ figure }) => figure === "closing", subjects: everyone, floor: 1.5, goal: 1.2 },
  {
    work: "framing, beside a parser by hand",
    rows: ({ group }) => group === "framing",
    subjects: ["finwait-framing"],
    floor: 0.9,
    goal: 1
  }
]

export interface Reached {
  readonly goal: Goal
  readonly row: string
  readonly subject: string
  readonly ratio: Spread
  readonly has: "goal" | "floor" | "neither"
}

/** A line for each row and subject that a goal is about. */
export const reached = (run: Run): ReadonlyArray<Reached> =>
  goals.flatMap((goal) =>
    rows.filter(goal.rows).flatMap((row) => {
      const result = run.rows.find(({ row: id }) => id === row.id)
      return goal.subjects.flatMap((subject) => {
        const ratio = result === undefined ? undefined : ratioOf(result, subject)
        if (ratio === undefined) return []
        const isAt = (aim: number) => (lessIsBetter(row) ? ratio.median <= aim : ratio.median >= aim)
        const has = isAt(goal.goal) ? "goal" : isAt(goal.floor) ? "floor" : "neither"
        return [{ goal, row: row.id, subject, ratio, has } as const]
      })
    })
  )

/** Programs that are written alike, on Effect's server and on Finwait's. */
export const peers: ReadonlyArray<readonly [finwait: string, effect: string]> = [
  ["finwait-pull", "effect-pull"],
  ["finwait-stream", "effect-stream"],
  ["finwait-messages", "effect-messages"],
  ["finwait-each", "effect-pull"],
  ["finwait-framing", "effect-pull"]
]
