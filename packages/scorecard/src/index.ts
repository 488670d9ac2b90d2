/** What happens to clients when a server is told to stop. */
export type { ClientRecord } from "@finwait/cli/clients/ClientRecord"
export { httpWireNames, type HttpWireName, type WireName, wireNames } from "./clients/wires.ts"
export type { Result, RunOptions, Scenario, Verdict } from "./Scenario.ts"
export { scenarios } from "./scenarios/index.ts"
export { overview } from "./overview.ts"
export { Gate, type Outcome } from "./schedule.ts"
export { httpSubjects, pairs, subjectExists, wireOf } from "./subjects.ts"
export { type Column, sideBySide, table } from "./table.ts"
