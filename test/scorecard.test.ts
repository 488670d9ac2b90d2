/**
 * The shutdown scorecard, played on Finwait: a process for every row, real sockets, a real SIGTERM. The table of what
 * was measured comes at the end, beside the scorecard's own bounds.
 */
import { afterAll, describe, it } from "vitest"
import { Gate, type Outcome, scenarios, table } from "../packages/scorecard/src/index.ts"

const subject = "finwait"
const gate = new Gate()
const outcomes = new Map<string, Outcome>()

// Waiting for its turn counts as well, so that this bounds all rows together.
const timeout = 75_000

describe("a server that is told to stop", { timeout }, () => {
  for (const scenario of scenarios) {
    it.concurrent(`${scenario.id} ${scenario.title}: ${scenario.good}`, async () => {
      const outcome = await gate.play(scenario, subject)
      outcomes.set(scenario.id, outcome)
      if (!outcome.verdict.ok) throw new Error([...outcome.verdict.problems, outcome.result.stderr].join("\n"))
    })
  }

  afterAll(() => {
    const played = scenarios.flatMap(({ id }) => outcomes.get(id) ?? [])
    console.log(`The scorecard of ${subject}\n\n${table(played)}\n`)
  })
})
