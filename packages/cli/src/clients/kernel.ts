/**
 * What the kernel knows and Node does not tell. A client that does not read sees neither FIN nor RST; one that got a
 * FIN reads no more, so an RST that follows goes unseen until something is written. Writing would change what is being
 * observed: the kernel's table of connections does not.
 */
import { readFileSync } from "node:fs"

/** `gone` is a connection that the table no longer has: it was reset (ours are never closed by both sides before). */
export type State = "established" | "FIN received" | "gone" | "other"

const states: Record<string, State> = { "01": "established", "08": "FIN received" }

/** The state of connections at one moment. Made once for many clients: with many connections the table is long. */
export interface Table {
  readonly stateOf: (localPort: number, remotePort: number) => State
}

/** `undefined` where the kernel shows no such table. */
export const readTable = (): Table | undefined => {
  let text: string
  try {
    text = readFileSync("/proc/net/tcp", "latin1")
  } catch {
    return undefined
  }
  try {
    // Connections to ::1 stand in a table of their own; without it they would all look as if they were reset.
    text += readFileSync("/proc/net/tcp6", "latin1")
  } catch {
    // A kernel without IPv6.
  }
  const rows = new Map<string, State>()
  for (const row of text.split("\n")) {
    const [, local, remote, state] = row.trim().split(/\s+/)
    if (state !== undefined) rows.set(`${portOf(local)} ${portOf(remote)}`, states[state] ?? "other")
  }
  return { stateOf: (localPort, remotePort) => rows.get(`${localPort} ${remotePort}`) ?? "gone" }
}

const portOf = (address: string | undefined) => Number.parseInt(address?.split(":")[1] ?? "", 16)

/** How many files this process may have open; `undefined` where there is no /proc. Node has already raised the limit. */
export const fileLimit = (): number | undefined => {
  try {
    const limit = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1]
    return limit === "unlimited" ? Number.POSITIVE_INFINITY : limit === undefined ? undefined : Number(limit)
  } catch {
    return undefined
  }
}
