/** What happens to clients when a server is told to stop. */
export type { ClientRecord } from "./clients/ClientRecord.ts"
export type { Result, RunOptions, Scenario, Verdict } from "./Scenario.ts"
export { scenarios } from "./scenarios/index.ts"
export { Gate, type Outcome } from "./schedule.ts"
export { subjectExists } from "./ServerProcess.ts"
export { table } from "./table.ts"
