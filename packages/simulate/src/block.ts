/**
 * A block of scenarios, one seed after the other: what a worker does at a time.
 */
import { check, type Checked } from "./invariants.ts"
import { play } from "./play.ts"
import { draw, type Scenario } from "./scenario.ts"
import { add, type Tally, tally } from "./tally.ts"

export const blockSeeds = 100

/** Plays and checks one scenario; whatever throws on the way is a broken promise too. */
export const judge = (scenario: Scenario): Checked => {
  try {
    return check(scenario, play(scenario))
  } catch (error) {
    return { closes: 0, looked: tally().looked, broken: [`it ends: ${String(error)}`] }
  }
}

export const playBlock = (from: number): Tally => {
  const sum = tally()
  for (let seed = from; seed < from + blockSeeds; seed++) add(sum, seed, judge(draw(seed)))
  return sum
}
