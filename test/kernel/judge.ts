/** What is wrong with a drain: by the clients' books, by the server's own report, and by the capture. */
import { tags } from "finwait/CloseOutcome"
import type { ClientRecord } from "./clients.ts"
import type { Conversation, Conversations } from "./Conversations.ts"
import { hardDeadline } from "./Limits.ts"
import type { Played } from "./play.ts"
import { type Role, roleOf } from "./Roles.ts"
import { allowanceMillis } from "./servers.ts"

/** What was broken; each of them has a known bad server that is caught by it. */
export type Fault = "end" | "bytes" | "FIN" | "RST" | "early RST" | "FIN for RST" | "report" | "exit code"

export interface Finding {
  readonly fault: Fault
  readonly text: string
}

export const judge = (played: Played, conversations: Conversations): ReadonlyArray<Finding> => {
  const { drained, plan, port, records } = played
  const findings: Array<Finding> = []
  const find = (fault: Fault, what: string) => {
    findings.push({ fault, text: `drain ${plan.group}, ${plan.kind}: ${what}` })
  }
  if (played.trouble !== undefined) find("end", played.trouble)
  else if (drained!.millis > hardDeadline(plan.limits) + allowanceMillis) {
    find("end", `took ${Math.round(drained!.millis)} ms, its deadline is ${hardDeadline(plan.limits)} ms`)
  }
  judgeReport(played, find)
  for (const record of records) {
    const role = roleOf(record.role)
    const by = (fault: Fault, what: string) => find(fault, `${record.role} (port ${record.port}): ${what}`)
    judgeRecord(role, record, by)
    const conversation = conversations.of(record.address, record.port, port)
    if (conversation === undefined) by(role.ending === "RST" ? "RST" : "FIN", "nothing in the capture")
    else judgeConversation(role, record, conversation, by)
  }
  return findings
}

type Find = (fault: Fault, what: string) => void

const judgeReport = ({ drained, plan }: Played, find: Find): void => {
  if (drained === undefined) return
  const { code, report } = drained
  const sum = tags.reduce((sum, tag) => sum + report.outcomes[tag], 0)
  if (report.connections !== plan.peers.length || sum !== report.connections) {
    find("report", `${plan.peers.length} clients, ${report.connections} reported, outcomes of ${sum}`)
  }
  for (const tag of tags) {
    const due = plan.peers.filter(({ role }) => roleOf(role).outcome === tag).length
    if (report.outcomes[tag] === due) continue
    const slowest = report.slowest.map(
      ({ millis, outcome, peer, stage }) => `${peer} ${outcome} at ${stage}, ${millis} ms`
    )
    find("report", `${report.outcomes[tag]} ${tag}, due were ${due}; the slowest: ${slowest.join("; ")}`)
  }
  const clean = plan.kind === "clean"
  if (report.clean !== clean) find("report", `clean is ${report.clean}`)
  if (report.handlersFailed > 0) find("report", `${report.handlersFailed} handlers failed`)
  if (report.handlersAbandoned > 0) find("report", `${report.handlersAbandoned} handlers abandoned`)
  if (code !== undefined && code !== (clean ? 0 : 1)) find("exit code", `exit code ${code}`)
}

const judgeRecord = (role: Role, record: ClientRecord, find: Find): void => {
  if (record.wrongAt !== null) find("bytes", `a wrong byte behind ${record.wrongAt}`)
  if (role.ending === "RST" && record.ending === "FIN") {
    find("FIN for RST", `the client heard a FIN after ${record.receivedBytes} of ${record.expectedBytes} bytes`)
  }
  if (!role.owed) return
  if (record.receivedBytes !== record.expectedBytes) {
    find("bytes", `${record.receivedBytes} of ${record.expectedBytes} bytes, then ${record.ending}`)
  }
  if (record.ending !== "FIN") find("FIN", `the client's last word heard is ${record.ending}`)
}

const judgeConversation = (role: Role, record: ClientRecord, conversation: Conversation, find: Find): void => {
  const { acked, ackedAtReset, finAfterBytes, fins, resets } = conversation
  const { expectedBytes } = record
  if (role.ending === "RST") {
    if (resets === 0) find("RST", "no RST")
    if (fins > 0) find("FIN for RST", `a FIN after ${finAfterBytes} of ${expectedBytes} bytes`)
    return
  }
  if (fins > 0 && finAfterBytes !== expectedBytes)
    find("FIN", `the FIN after ${finAfterBytes} of ${expectedBytes} bytes`)
  if (resets > 0) find("RST", `${resets} RST`)
  // Where nobody acknowledges, the kernel may keep the FIN behind data that it sends again and again.
  if (!role.owed) return
  if (fins === 0) find("FIN", "no FIN")
  if (ackedAtReset !== undefined && ackedAtReset < expectedBytes) {
    find("early RST", `RST when ${ackedAtReset} of ${expectedBytes} bytes were acknowledged`)
  }
  if (acked !== expectedBytes) find("bytes", `${acked} of ${expectedBytes} bytes acknowledged`)
}
