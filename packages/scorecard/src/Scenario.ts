/** One row of the scorecard: what is done to a server, and what a good one does. */
import type { ClientRecord } from "@finwait/cli/clients/ClientRecord"
import type { Wire, WireOptions } from "./clients/wires.ts"
import type { Limits } from "./Limits.ts"

export interface Scenario {
  readonly id: string
  /** One line, for the table. */
  readonly title: string
  /** What a good server does. */
  readonly good: string
  /** The scorecard's own bound with the limits of this scenario: what the measured time is read beside. */
  readonly bound: string
  readonly limits: Partial<Limits>
  /** How long after the signal the process is killed. */
  readonly capSeconds: number
  /** `alone` keeps both cores busy, so that nothing that takes time is measured beside it. */
  readonly runs: "beside others" | "alone"
  /** Why it has no meaning on a wire, where it has none. */
  readonly doesNotApply?: (wire: Wire) => string | undefined
  readonly run: (subject: string, options?: RunOptions) => Promise<Result>
  /**
   * Whether it was good. Its own bounds are wide, since it must tell a server that ends from one that does not on any
   * machine; the narrow ones are the reader's.
   */
  readonly judge: (result: Result) => Verdict
}

export interface RunOptions extends WireOptions {
  readonly capSeconds?: number
  /** How many, where a scenario is about a great number of them. */
  readonly connections?: number
  /** Laid over those of the scenario. */
  readonly limits?: Partial<Limits>
}

export interface Result {
  readonly scenario: string
  readonly subject: string
  readonly clients: ReadonlyArray<ClientRecord>
  readonly exitCode: number | null
  readonly signal: string | null
  /** From the signal to the end of the process. */
  readonly secondsToExit: number | null
  /** It was still running at the cap. */
  readonly killed: boolean
  /** What the scenario is about, in seconds: mostly the time to exit. `null` where no time is. */
  readonly measuredSeconds: number | null
  /** What a scenario observes besides its clients. */
  readonly facts: Readonly<Record<string, number>>
  /** Anything a reader of the row should know. */
  readonly notes: ReadonlyArray<string>
  /** The server's own account of its drain, when it gave one. */
  readonly drained: unknown
  /** The end of the server's log. */
  readonly stderr: string
}

export interface Verdict {
  readonly ok: boolean
  readonly problems: ReadonlyArray<string>
}
