/** What a client keeps book of. Each request that was sent is in exactly one of the first seven, once it is over. */

/** A request's fate. */
export const fates = [
  /** Answered, to the last byte. */
  "whole",
  /** Answered with something else: another status, other bytes. */
  "wrong",
  /** Sent as the first on its connection, which ended with FIN and no answer. */
  "lost",
  /** The same on a connection that had answered before: it crossed the FIN of a connection that the server held for idle. */
  "crossed",
  /** FIN in the middle of its answer. */
  "cut",
  /** RST before the first byte of its answer. */
  "reset",
  /** RST in the middle of its answer. */
  "resetAnswering"
] as const

/** What happened to connections, with no request in flight. */
export const events = [
  /** An answer said `Connection: close`. */
  "told",
  /** FIN while nothing was asked, and nothing had said that it would come. */
  "idleFin",
  /** RST while nothing was asked: behind the last answer, or between two. */
  "idleReset",
  /** Nobody listened: tried again. */
  "refused",
  /** FIN before TLS was spoken, by a server that stops and has not heard a word (decision 18). */
  "turnedAway",
  /** A connection that ended in another way before anything could be asked on it. */
  "unasked"
] as const

export type Fate = (typeof fates)[number]
export type Event = (typeof events)[number]

export type Counts = Record<Fate | Event | "sent", number>

const names = ["sent", ...fates, ...events] as const

export const noCounts = (): Counts => Object.fromEntries(names.map((name) => [name, 0])) as Counts

export const difference = (after: Counts, before: Counts): Counts =>
  Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as Counts

/** None of these may ever happen, in a drain or out of it. */
export const broken = [
  "wrong",
  "lost",
  "crossed",
  "cut",
  "reset",
  "resetAnswering",
  "idleReset",
  "unasked"
] as const satisfies ReadonlyArray<Fate | Event>

/** Only those, of all counts. */
export const brokenOf = (counts: Counts): Partial<Counts> =>
  Object.fromEntries(broken.filter((name) => counts[name] !== 0).map((name) => [name, counts[name]]))
