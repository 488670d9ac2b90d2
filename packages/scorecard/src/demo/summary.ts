/** What became of everyone, both servers side by side: for reading, and as data. */
import type { ClientRecord } from "../clients/ClientRecord.ts"
import type { Result } from "../Scenario.ts"
import { clientCount, type Group, groups, treatedWell } from "./groups.ts"
import { bad, bold, dim, good } from "./text.ts"

const nameWidth = 28
const cellWidth = 23

/** A cell and whether it is as it should be. */
interface Cell {
  readonly text: string
  readonly ok: boolean
}

const clientsOf = (result: Result, group: Group) => result.clients.filter((client) => client.group === group.name)

const endings = ["FIN", "RST", "refused", "open"] as const

const tally = (clients: ReadonlyArray<ClientRecord>) => {
  const count = (good: (client: ClientRecord) => boolean) => clients.filter(good).length
  const [FIN, RST, refused, open] = endings.map((ending) => count((client) => client.ending === ending))
  const whole = count((client) => client.whole)
  return { whole, lost: clients.length - whole, FIN, RST, refused, open }
}

const groupCell = (result: Result, group: Group): Cell => {
  const clients = clientsOf(result, group)
  const counts = tally(clients)
  const named = (names: ReadonlyArray<keyof typeof counts>) =>
    names.flatMap((name) => (counts[name] ? [`${counts[name]} ${name}`] : []))
  const answers = group.asks ? named(["whole", "lost"]) : []
  return {
    text: [answers.join(" "), named(endings).join(" ")].filter((part) => part !== "").join(", "),
    ok: clients.length === group.count && clients.every((client) => treatedWell(group, client))
  }
}

const endCell = ({ killed, secondsToExit }: Result): Cell => ({
  text: killed ? `never: killed at ${secondsToExit?.toFixed(0)} s` : `${secondsToExit?.toFixed(1)} s after SIGTERM`,
  ok: !killed
})

// One client had to be reset, and whoever started the process should learn that.
const codeCell = ({ exitCode, killed }: Result): Cell => ({
  text: killed ? "none" : `${exitCode}${exitCode === 0 ? "" : ", something forced"}`,
  ok: !killed && exitCode !== 0 && exitCode !== null
})

const rowsOf = (result: Result): ReadonlyArray<readonly [name: string, cell: Cell]> => [
  ...groups.map((group) => [`${group.count} ${group.name}`, groupCell(result, group)] as const),
  ["process ends", endCell(result)],
  ["exit code", codeCell(result)]
]

/** Whether everyone was treated as they should be, the process included. */
export const allWell = (result: Result): boolean => rowsOf(result).every(([, cell]) => cell.ok)

/** At most 80 columns. */
export const sideBySide = (results: ReadonlyArray<Result>, names: ReadonlyArray<string>): string => {
  const columns = results.map(rowsOf)
  const head = ["".padEnd(nameWidth), ...names.map((name) => `  ${name}`.padEnd(cellWidth))].join(" ").trimEnd()
  const rule = ["─".repeat(nameWidth), ...names.map(() => "─".repeat(cellWidth))].join(" ")
  const body = (columns[0] ?? []).map(([name], row) =>
    [name.padEnd(nameWidth), ...columns.map((rows) => show(rows[row]?.[1]))].join(" ").trimEnd()
  )
  return [bold(head), dim(rule), ...body].join("\n")
}

const show = (cell: Cell = { text: "", ok: false }) =>
  (cell.ok ? good : bad)(`${cell.ok ? "●" : "✗"} ${cell.text}`.padEnd(cellWidth))

/** The same as data. */
export const data = (results: ReadonlyArray<Result>, seconds: number) => ({
  clients: clientCount,
  seconds: Number(seconds.toFixed(1)),
  subjects: results.map((result) => ({
    subject: result.subject,
    ok: allWell(result),
    killed: result.killed,
    exitCode: result.exitCode,
    secondsToExit: result.secondsToExit === null ? null : Number(result.secondsToExit.toFixed(3)),
    groups: groups.map((group) => groupData(result, group)),
    drained: result.drained ?? null
  }))
})

const groupData = (result: Result, group: Group) => ({
  group: group.name,
  clients: group.count,
  ...tally(clientsOf(result, group)),
  ok: groupCell(result, group).ok
})
