/** What the kernel counts of TCP, on the whole machine: where Linux tells. */
import { readFileSync } from "node:fs"

const wanted: Readonly<Record<string, string>> = {
  OutRsts: "resets sent",
  EstabResets: "established connections reset",
  TCPAbortOnClose: "closed with unread input",
  ListenOverflows: "backlogs that were full",
  ListenDrops: "connections dropped by a listener"
}

export const counters = (): Readonly<Record<string, number>> => {
  const found: Record<string, number> = {}
  for (const file of ["/proc/net/snmp", "/proc/net/netstat"]) {
    let lines: ReadonlyArray<string>
    try {
      lines = readFileSync(file, "latin1").split("\n")
    } catch {
      continue
    }
    for (let at = 0; at + 1 < lines.length; at += 2) {
      const names = lines[at]!.split(" ")
      const values = lines[at + 1]!.split(" ")
      for (const [index, name] of names.entries()) {
        const title = wanted[name]
        if (title !== undefined && /^(?:Tcp|TcpExt):$/.test(names[0]!)) found[title] = Number(values[index])
      }
    }
  }
  return found
}

export const since = (before: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counters()).map(([name, value]) => [name, value - (before[name] ?? value)]))
