/**
 * How many connections fit under the process's file limit.
 *
 * When the limit is reached Node accepts and closes at once, without an event and without an error: clients see a
 * reset and nobody knows. Kept below the limit, the listener says `drop` for each that it turns away, and that is
 * counted.
 */
import { readFileSync } from "node:fs"

/** Descriptors left for everything else: files, the databases' connections, the loop's own. */
const reserved = 64

const read = (): number => {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]
    return soft === undefined ? Infinity : Number(soft)
  } catch {
    // Not Linux: the limit cannot be read through Node's public API, and the system's own behaviour stays.
    return Infinity
  }
}

export const connectionsMax = (limit = read()): number =>
  Math.max(1, limit - Math.max(reserved, Math.round(limit / 64)))
