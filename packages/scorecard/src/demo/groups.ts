/** The clients of the demo, by what they are in the middle of when the server is told to stop. */
import type { ClientRecord } from "../clients/ClientRecord.ts"

export interface Group {
  readonly name: string
  readonly count: number
  /** Whether they wait for an answer; the others only want to be told that it is over. */
  readonly asks: boolean
  /** The end that a good server gives them. */
  readonly ending: ClientRecord["ending"]
}

const answered = (name: string, count: number): Group => ({ name, count, asks: true, ending: "FIN" })

export const inFlight = answered("jobs in flight", 6)
export const idle: Group = { name: "idle connections", count: 6, asks: false, ending: "FIN" }
export const slow = answered("slow readers of 8 MB", 3)
export const uploading = answered("answered while uploading", 8)
export const blocking = answered("job that blocks the loop", 1)
export const backlog = answered("jobs in the backlog", 5)
// Nobody can answer a client that does not read. It must not hold the process, and must not take the cut for an end.
export const stalled: Group = { name: "client that never reads", count: 1, asks: false, ending: "RST" }

export const groups: ReadonlyArray<Group> = [inFlight, idle, slow, uploading, blocking, backlog, stalled]

export const clientCount = groups.reduce((total, group) => total + group.count, 0)

/** Whether this client was treated as it should be. */
export const treatedWell = (group: Group, client: ClientRecord): boolean =>
  client.ending === group.ending && (client.whole || !group.asks)
