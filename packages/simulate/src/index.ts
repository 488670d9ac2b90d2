export { check, type Checked, type Invariant, invariants } from "./invariants.ts"
export { play, type Played } from "./play.ts"
export { draw, type Scenario } from "./scenario.ts"
