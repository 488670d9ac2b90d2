/**
 * The limits a scenario hands to its subject through the environment, all in milliseconds. A subject that has no such
 * notion ignores them.
 */
export interface Limits {
  /** How long handlers may go on after they were told that the server stops. */
  readonly DRAIN_MS: number
  /** How long the closing connections have after that; what is left then is reset. */
  readonly CLOSE_MS: number
  /** How long a closing connection waits for the peer's FIN without any progress. */
  readonly LINGER_IDLE_MS: number
  /** How long it waits for that FIN at most, progress or not. */
  readonly LINGER_MS: number
  /** How long the close of one connection may take over all its stages, drain or no drain. */
  readonly CLOSE_DEADLINE_MS: number
  /** For how long a connection of HTTP that is idle may ask once more, after its last answer. */
  readonly KEEP_ALIVE_GRACE_MS: number
}

/**
 * So generous that only the limit which a scenario sets itself can decide its outcome. Idle time is twice and more of
 * the latest reader's 1.5 s; the drain is longer than any job, and shorter than the time at which a scenario gives up
 * only where the scenario is about it. The grace is a server's own default: scenarios wait until it is over.
 */
export const generous: Limits = {
  DRAIN_MS: 15_000,
  CLOSE_MS: 5_000,
  LINGER_IDLE_MS: 5_000,
  LINGER_MS: 15_000,
  CLOSE_DEADLINE_MS: 20_000,
  KEEP_ALIVE_GRACE_MS: 1_000
}

const names = Object.keys(generous) as ReadonlyArray<keyof Limits>

/** For a subject: the limits in its environment. */
export const fromEnv = (env: NodeJS.ProcessEnv): Limits => {
  const limits = { ...generous }
  for (const name of names) {
    const value = Number(env[name])
    if (env[name] !== undefined && Number.isFinite(value)) limits[name] = value
  }
  return limits
}

/** For whoever starts a subject: the environment that says these limits, and any port. */
export const toEnv = (limits: Partial<Limits>): Record<string, string> =>
  Object.fromEntries([
    ["PORT", "0"],
    ...Object.entries({ ...generous, ...limits }).map(([name, value]) => [name, String(value)])
  ])
