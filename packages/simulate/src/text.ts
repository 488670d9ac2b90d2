/**
 * What a campaign says.
 */
import * as Exit from "effect/Exit"
import * as Fault from "finwait/testing/Fault"
import * as History from "finwait/testing/History"
import type { Campaign } from "./campaign.ts"
import { invariants } from "./invariants.ts"
import { play } from "./play.ts"
import type { Scenario } from "./scenario.ts"

const grouped = (figure: number): string => Math.round(figure).toLocaleString("en-US")

export const progressLine = ({ closes, failures, seconds }: Campaign): string =>
  `${grouped(closes)} closes, ${grouped(closes / seconds)} a second, ${failures.length} failures`

export const summary = (campaign: Campaign): string => {
  const width = Math.max(...invariants.map((name) => name.length))
  return [
    ...invariants.map(
      (name) => `  ${name.padEnd(width)}  looked at ${grouped(campaign.looked[name]).padStart(11)} times`
    ),
    `${grouped(campaign.scenarios)} scenarios, ${grouped(campaign.closes)} closes in ${campaign.seconds.toFixed(1)} s: ` +
      `${grouped(campaign.closes / campaign.seconds)} closes a second; ${campaign.failures.length} failures`
  ].join("\n")
}

/** Numbers that JSON does not have. */
const endless = (_: string, value: unknown): unknown => (value === Infinity ? "Infinity" : value)

/** A scenario with everything that happened in it. */
export const story = (scenario: Scenario, broken: ReadonlyArray<string>): string => {
  const { exit } = play(scenario)
  const { faults, ...rest } = scenario
  return [
    `seed ${scenario.seed}:`,
    ...broken.map((line) => `  ${line}`),
    "scenario:",
    JSON.stringify(rest, endless, 1),
    `faults:\n${Fault.print(faults) || "none"}`,
    `history:\n${Exit.isSuccess(exit) ? History.format(exit.value.history) : String(exit.cause)}`
  ].join("\n")
}
