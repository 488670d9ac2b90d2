/** What a run did, for people. */
import { type Conversation, type Conversations } from "./Conversations.ts"
import { hardDeadline } from "./Limits.ts"
import type { Played } from "./play.ts"
import { roleOf } from "./Roles.ts"

export interface Row {
  readonly name: string
  readonly played: ReadonlyArray<Played>
  readonly conversations: Conversations
}

const heads = ["", "drains", "connections", "FIN", "RST", "owed MB", "worst ms", "deadline ms", "sent again"]

const cells = ({ conversations, name, played }: Row): ReadonlyArray<string> => {
  const all = played.flatMap(({ port, records }) =>
    records.map((record) => ({ record, wire: conversations.of(record.address, record.port, port) }))
  )
  const count = (of: (wire: Conversation) => boolean) => all.filter(({ wire }) => wire !== undefined && of(wire)).length
  const owed = all.reduce((sum, { record }) => sum + (roleOf(record.role).owed ? record.receivedBytes : 0), 0)
  const worst = Math.max(0, ...played.map(({ drained }) => drained?.millis ?? Infinity))
  const deadline = Math.max(0, ...played.map(({ plan }) => hardDeadline(plan.limits)))
  const again = all.reduce((sum, { wire }) => sum + (wire?.sentAgain ?? 0), 0)
  return [
    name,
    played.length,
    all.length,
    count(({ fins }) => fins > 0),
    count(({ resets }) => resets > 0),
    (owed / 1e6).toFixed(1),
    Math.round(worst),
    deadline,
    again
  ].map((cell) => cell.toLocaleString("en"))
}

export const table = (rows: ReadonlyArray<Row>): string => {
  const lines = [heads, ...rows.map(cells)]
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join("  ")
    )
    .join("\n")
}
