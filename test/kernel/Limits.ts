/** The limits of a server under test, in milliseconds. */
export interface Limits {
  /** How long handlers may go on after the announcement. */
  readonly drain: number
  /** How long closing may take after that; what is open then is reset. */
  readonly close: number
  /** How long a closing connection waits for the peer without any progress. */
  readonly lingerIdle: number
}

/** When the last connection has to be gone. */
export const hardDeadline = (limits: Limits): number => limits.drain + limits.close

/**
 * For drains in which everybody is to end well. A lost segment is sent again after 0.2, 0.6, 1.4, 3, 6.2 and 12.6
 * seconds: only one that is lost six times in a row, on a link that loses one in a hundred, comes too late.
 */
export const patient: Limits = { drain: 25_000, close: 25_000, lingerIdle: 20_000 }

/**
 * For drains in which somebody has to be reset, which is when they end: long enough for five losses in a row, and for
 * the others to be read out by machines that have other things to do.
 */
export const strict: Limits = { drain: 3_000, close: 9_000, lingerIdle: 8_000 }
