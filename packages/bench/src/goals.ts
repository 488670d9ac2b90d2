/** What Finwait aims at, beside what is bare and beside Effect's own, and what a run has reached. */
import { ratioOf, type Run } from "./report.ts"
import type { RowResult } from "./rounds.ts"
import { lessIsBetter, type Row, rowOf, rows } from "./rows.ts"

export interface Goal {
  readonly work: string
  readonly rows: (row: Row) => boolean
  readonly subjects: ReadonlyArray<string>
  /** Beside whom, if it is not the row's reference: how many times as good, whether more is better or less. */
  readonly than?: string
  /** Below the floor (above it, where less is better) Finwait is too slow to be used without a thought. */
  readonly floor: number
  readonly goal: number
}

const loops = ["finwait-pull", "finwait-stream"]
const everyone = ["finwait-each", ...loops]
const anyone = [...everyone, "finwait-drop-in"]
/** Finwait's own way, and Effect's way on Finwait's server. */
const both = ["finwait-each", "finwait-drop-in"]
const isSecured = ({ transport, service }: Row): boolean =>
  service === "echo" && (transport === "tls" || transport === "ws")
export const isHttp = ({ transport }: Row): boolean =>
  transport === "http" || transport === "h2" || transport === "upgraded"
/** Where Effect's server, as Node's, is quick because it cuts whose request is on its way: times do not compare. */
const isCut = ({ id }: Row): boolean => id === "http-drain" || id === "http-drain-fresh"
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
  { work: "churn", rows: ({ id }) => id === "churn", subjects: everyone, floor: 0.8, goal: 0.9 },
  { work: "idle memory", rows: ({ figure }) => figure === "memory", subjects: anyone, floor: 2, goal: 1.5 },
  { work: "storms of closes", rows: ({ figure }) => figure === "closing", subjects: anyone, floor: 1.5, goal: 1.2 },
  {
    work: "framing, beside a parser by hand",
    rows: ({ group }) => group === "framing",
    subjects: ["finwait-framing"],
    floor: 0.9,
    goal: 1
  },
  {
    work: "TLS and WebSocket, messages and churn",
    rows: (row) => isSecured(row) && !lessIsBetter(row),
    subjects: both,
    floor: 0.9,
    goal: 1
  },
  {
    work: "TLS and WebSocket, how many times as good as Effect's own",
    rows: isSecured,
    subjects: both,
    than: "effect-pull",
    floor: 1,
    goal: 1.5
  },
  {
    work: "RPC, beside Effect's own",
    rows: ({ service }) => service === "rpc",
    subjects: ["finwait-rpc", "finwait-rpc-drain"],
    floor: 1,
    goal: 1.2
  },
  {
    work: "HTTP, how many times as good as Effect's own, `HttpServer.serve`",
    rows: (row) => isHttp(row) && !isCut(row),
    subjects: ["finwait-http"],
    than: "effect-http",
    floor: 0.95,
    goal: 1
  },
  {
    work: "HTTP, how many times as good as Effect's own, `HttpRouter.serve`",
    rows: (row) => isHttp(row) && !isCut(row),
    subjects: ["finwait-router"],
    than: "effect-router",
    floor: 0.95,
    goal: 1
  },
  {
    work: "drains of HTTP, without a lost answer",
    rows: (row) => isHttp(row) && row.figure === "closing" && !isCut(row),
    subjects: ["finwait-http", "finwait-router"],
    floor: 1.5,
    goal: 1.2
  }
]

export interface Reached {
  readonly goal: Goal
  readonly row: string
  readonly subject: string
  /** A ratio; with `than`, how many times as good. */
  readonly value: number
  readonly has: "goal" | "floor" | "neither"
}

/** How many times as good one is as another: as fast, or as small. */
export const timesAsGood = (result: RowResult, subject: string, than: string): number | undefined => {
  const ratio = ratioOf(result, subject, than)
  if (ratio === undefined) return undefined
  return lessIsBetter(rowOf(result.row)) ? 1 / ratio.median : ratio.median
}

/** A line for each row and subject that a goal is about. */
export const reached = (run: Run): ReadonlyArray<Reached> =>
  goals.flatMap((goal) =>
    rows.filter(goal.rows).flatMap((row) => {
      const result = run.rows.find(({ row: id }) => id === row.id)
      if (result === undefined) return []
      const { than } = goal
      const isLess = than === undefined && lessIsBetter(row)
      return goal.subjects.flatMap((subject) => {
        const value = than === undefined ? ratioOf(result, subject)?.median : timesAsGood(result, subject, than)
        if (value === undefined) return []
        const isAt = (aim: number) => (isLess ? value <= aim : value >= aim)
        const has = isAt(goal.goal) ? "goal" : isAt(goal.floor) ? "floor" : "neither"
        return [{ goal, row: row.id, subject, value, has } as const]
      })
    })
  )

/** Programs that are written alike, on Effect's server and on Finwait's. */
export const peers: ReadonlyArray<readonly [finwait: string, effect: string]> = [
  ["finwait-pull", "effect-pull"],
  ["finwait-stream", "effect-stream"],
  ["finwait-messages", "effect-messages"],
  ["finwait-each", "effect-pull"],
  ["finwait-framing", "effect-pull"],
  ["finwait-drop-in", "effect-pull"],
  ["finwait-rpc", "effect-rpc"],
  ["finwait-rpc-drain", "effect-rpc"],
  ["finwait-http", "effect-http"],
  ["finwait-router", "effect-router"]
]
