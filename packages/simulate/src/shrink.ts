/**
 * Makes a failing scenario smaller for as long as it fails: fewer faults, fewer clients, fewer messages. What is left is
 * what a person has to look at.
 */
import { judge } from "./block.ts"
import type { Scenario } from "./scenario.ts"

const without = <A>(items: ReadonlyArray<A>, index: number): ReadonlyArray<A> => items.filter((_, at) => at !== index)

/** Every scenario that is one step smaller. */
const smaller = function* (scenario: Scenario): Generator<Scenario> {
  for (const index of scenario.faults.keys()) yield { ...scenario, faults: without(scenario.faults, index) }
  for (const index of scenario.clients.keys()) yield { ...scenario, clients: without(scenario.clients, index) }
  for (const [at, client] of scenario.clients.entries()) {
    for (const index of client.messages.keys()) {
      const messages = without(client.messages, index)
      yield { ...scenario, clients: scenario.clients.with(at, { ...client, messages }) }
    }
  }
  if (scenario.cutAfterMillis !== undefined) yield { ...scenario, cutAfterMillis: undefined }
}

export const shrink = (scenario: Scenario): Scenario => {
  let smallest = scenario
  for (let shrunk = true; shrunk;) {
    shrunk = false
    for (const candidate of smaller(smallest)) {
      if (judge(candidate).broken.length === 0) continue
      smallest = candidate
      shrunk = true
      break
    }
  }
  return smallest
}
