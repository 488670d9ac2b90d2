/** A server that can be started, waited for and told to end: one of many in a process, or a process of its own. */
import type { Report } from "finwait/Drain"
import { Child } from "./Child.ts"
import { inside } from "./commands.ts"
import type { Start } from "./host.ts"
import { hardDeadline } from "./Limits.ts"
import type { Namespaces } from "./Namespaces.ts"
import type { Plan } from "./plans.ts"

/** Only tells what is slow from what hangs. */
const startMillis = 60_000

/** What a busy machine may take on top of a deadline. Nobody promised it, and so it only tells an end from a hang. */
export const allowanceMillis = 5_000

/** From the word to the end, and what the server said of it. */
export interface Drained {
  readonly millis: number
  readonly report: Pick<
    Report,
    "clean" | "connections" | "outcomes" | "handlersFailed" | "handlersAbandoned" | "slowest"
  >
  /** Of a process. */
  readonly code?: number | null
}

export interface Running {
  readonly port: number
  /** Every connection is being served. */
  full(): Promise<void>
  /** Tells it to end, and waits for that, for no longer than its deadline and the allowance. */
  drain(): Promise<Drained>
}

export type Servers = (plan: Plan) => Promise<Running>

/** Servers side by side in one process, each ended by the end of its scope. */
export const hosted =
  (host: Child): Servers =>
  async ({ group, limits, peers }) => {
    const start: Start = { group, limits, connections: peers.length }
    return {
      port: await host.ask<number>("start", start, startMillis),
      full: () => host.ask("full", group, startMillis),
      drain: () => host.ask<Drained>("drain", group, hardDeadline(limits) + allowanceMillis)
    }
  }

/** A process for each, ended by SIGTERM. */
export const processes =
  (namespaces: Namespaces): Servers =>
  async ({ limits, peers }) => {
    const child = new Child(inside(namespaces.server), "alone.ts", [JSON.stringify(limits), String(peers.length)])
    return {
      port: await child.says<number>("port", startMillis),
      full: () => child.says("full", startMillis),
      drain: async () => {
        const began = performance.now()
        child.signal("SIGTERM")
        try {
          const report = await child.says<Report>("report", hardDeadline(limits) + allowanceMillis)
          const { code } = await child.ended
          return { millis: performance.now() - began, report, code }
        } finally {
          child.kill()
        }
      }
    }
  }
