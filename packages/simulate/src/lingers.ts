/**
 * The waits for the other side's FIN, as the history has them, and whether they kept to their limits.
 */
import type { CloseOutcome } from "finwait/CloseOutcome"
import type { Played } from "./play.ts"
import type { ClosePlan, Scenario } from "./scenario.ts"

/** How long an end waited for the other's FIN, and how it ended. */
interface Linger {
  readonly fromMillis: number
  readonly toMillis: number
  /** When a byte last arrived meanwhile. */
  readonly progressMillis: number
  readonly discarded: number
  readonly outcome: CloseOutcome
}

/** Every linger of a scenario that came to an outcome. */
export const lingers = function* (
  scenario: Scenario,
  played: Played
): Generator<{ readonly name: string; readonly plan: ClosePlan; readonly linger: Linger }> {
  const plans = new Map(played.lived.map(({ connection }, index) => [connection, scenario.clients[index]!.close]))
  const begun = new Map<string, { fromMillis: number; progressMillis: number; toMillis?: number }>()
  for (const { connection, detail, kind, millis, outcome, side } of played.history) {
    if (side === "listener") continue
    const name = `#${connection} ${side}`
    if (kind === "stage" && detail === "Lingering") begun.set(name, { fromMillis: millis, progressMillis: millis })
    const linger = begun.get(name)
    if (linger === undefined) continue
    if (kind === "data") linger.progressMillis = millis
    // The reset is the end; a process that stands still hears of it later.
    if (kind === "reset") linger.toMillis = millis
    const plan = side === "server" ? scenario.server.close : plans.get(connection)
    if (outcome === undefined || plan === undefined) continue
    yield { name, plan, linger: { toMillis: millis, ...linger, discarded: outcome.bytesDiscarded, outcome } }
  }
}

/** Whether a linger ended neither too late nor, when a limit ended it, too early. */
export const keeps = (
  { discarded, fromMillis, outcome, progressMillis, toMillis }: Linger,
  plan: ClosePlan
): boolean => {
  const took = toMillis - fromMillis
  const silent = toMillis - progressMillis
  // The clock's own grain.
  const grain = 0.01
  if (took > plan.lingerMillis + grain || silent > plan.lingerIdleMillis + grain) return false
  if (outcome._tag !== "LingerExpired") return true
  switch (outcome.limit) {
    case "lingerTimeout":
      return took >= plan.lingerMillis - grain
    case "lingerIdleTimeout":
      return silent >= plan.lingerIdleMillis - grain
    case "lingerBytesMax":
      return discarded > plan.lingerBytesMax
  }
}
