/** What happens to clients when a server is told to stop. */
export type { ClientRecord } from "./clients/ClientRecord.ts"
export { type WireName, wireNames } from "./clients/wires.ts"
export type { Result, RunOptions, Scenario, Verdict } from "./Scenario.ts"
export { scenarios } from "./scenarios/index.ts"
export { Gate, type Outcome } from "./schedule.ts"
export { pairs, subjectExists, wireOf } from "./subjects.ts"
export { sideBySide, table } from "./table.ts"
