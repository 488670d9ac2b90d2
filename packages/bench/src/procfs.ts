/** What Linux tells of another process; nothing elsewhere. */
import { readdirSync, readFileSync } from "node:fs"

const read = <A>(from: () => A, nothing: A): A => {
  try {
    return from()
  } catch {
    return nothing
  }
}

/** What its threads have run, in seconds. */
export const cpuSeconds = (pid: number): number =>
  read(() => readdirSync(`/proc/${pid}/task`), [])
    .map((task) => read(() => readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8"), ""))
    .reduce((sum, stat) => sum + (Number.parseInt(stat, 10) || 0) / 1e9, 0)

/** Its resident memory, in KiB. */
export const rssKib = (pid: number): number => {
  const status = read(() => readFileSync(`/proc/${pid}/status`, "utf8"), "")
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0)
}
