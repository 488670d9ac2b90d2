/** Against what a server is judged. */
export interface Bounds {
  /** What has nothing to wait for is over within this: pass. */
  readonly promptMillis: number
  /** Longer than this it is a failure; in between a warning. */
  readonly lateMillis: number
  /** Within this a drain has to be over with clients that do not cooperate: pass. */
  readonly deadlineMillis: number
  /** Then it is killed, as Kubernetes and systemd do: failure. */
  readonly graceMillis: number
  /** Within this a close that the client does not read is given up on, with no signal in sight: pass. */
  readonly closeMillis: number
}

export const defaults: Bounds = {
  /** Two turns of a slow loop: nobody waits for an idle connection. */
  promptMillis: 500,
  /** A rollout of ten replicas one by one takes a minute longer then. */
  lateMillis: 5_000,
  /** Below what Kubernetes gives, with room for what comes behind the drain. */
  deadlineMillis: 20_000,
  /** Kubernetes' `terminationGracePeriodSeconds`. Docker has 10 s, systemd 90 s. */
  graceMillis: 30_000,
  /** A client in a tunnel comes back within a minute, or does not: nginx' `send_timeout`, with some room. */
  closeMillis: 65_000
}
