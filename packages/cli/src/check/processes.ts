/** Groups of processes, and those that have left theirs. */
import { readdirSync, readFileSync } from "node:fs"

/** In the environment of everything that a check starts, and so of whatever that starts. */
export const markName = "FINWAIT_CHECK"

/** `false`: there is none any more. To the system group 0 is our own, and 1 is everybody: neither is anybody's server. */
export const killGroup = (group: number, signal: NodeJS.Signals | 0): boolean => {
  if (!(group > 1)) return false
  try {
    process.kill(-group, signal)
    return true
  } catch {
    return false
  }
}

/**
 * The processes with this mark, or one that begins so: a daemon leaves its group, and its parent, and keeps its
 * environment. Linux tells; elsewhere nothing is known. Who has ended and waits for its parent to notice is not one: the first
 * process of a container often never does.
 */
export const marked = (mark: string): ReadonlyArray<number> | undefined => {
  let entries: ReadonlyArray<string>
  try {
    entries = readdirSync("/proc")
  } catch {
    return undefined
  }
  const entry = `${markName}=${mark}.`
  return entries.flatMap((name) => {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) return []
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0")
      return environment.some((one) => `${one}.`.startsWith(entry)) && !isGone(pid) ? [pid] : []
    } catch {
      return []
    }
  })
}

const isGone = (pid: number): boolean => {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "latin1"))
  } catch {
    return true
  }
}

/** Ends all of them, and those that they have started meanwhile. Returns how many there were. */
export const endMarked = (mark: string): number => {
  let ended = 0
  for (let round = 0; round < 5; round++) {
    const pids = marked(mark) ?? []
    if (pids.length === 0) break
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL")
        ended++
      } catch {
        // It has ended by itself.
      }
    }
  }
  return ended
}
