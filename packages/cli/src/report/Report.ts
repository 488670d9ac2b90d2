/**
 * What a check found, as data: what `--json` writes, `--compare` reads, and the page shows. Times are in milliseconds from
 * the stop signal, negative before it; of scenarios that send none, from their first connection.
 */
import * as Schema from "effect/Schema"

/** The version of this format. It grows with changes that old readers cannot read. */
export const version = 1

/** Something that happened to a connection. */
export const Event = Schema.Struct({
  /** Milliseconds from the signal. */
  at: Schema.Finite,
  /**
   * `connected`, `ready` (past its handshakes), `asked`, `heard` (bytes that came together), `half` (of a request), `said`
   * (other bytes), `stopped reading`, `answered` (our own goodbye), or what the server said: `FIN`, `RST`, `refused`,
   * `close_notify`, `GOAWAY`, `close 1001`.
   */
  what: Schema.String,
  /** How many, of `asked`, `said` and `heard`. */
  bytes: Schema.optionalKey(Schema.Finite)
})

/** One client. */
export const Connection = Schema.Struct({
  /** What it stands for, such as `in flight`. */
  group: Schema.String,
  /** Bytes of answers that were due, where that is known, and that came. */
  expectedBytes: Schema.Finite,
  receivedBytes: Schema.Finite,
  /** Every answer that was asked for came, whole. */
  whole: Schema.Boolean,
  /** What came in place of answers: statuses, such as `503`. */
  instead: Schema.Array(Schema.String),
  /** The last that TCP said: `open` is a connection that nobody had ended when the server was killed, or gone. */
  ending: Schema.Literals(["FIN", "RST", "refused", "open"]),
  /** All that the server said of an end, in order. */
  seen: Schema.Array(Schema.String),
  /** When the client first saw an end. */
  toldMillis: Schema.NullOr(Schema.Finite),
  /** An error that is none of these. */
  trouble: Schema.NullOr(Schema.String),
  events: Schema.Array(Event)
})
export type Connection = typeof Connection.Type

/**
 * The worst first: `fail`, `warn` (works, and somebody should know), `not run` (it could not be, which is no pass), `pass`,
 * and `n/a`: it has no meaning for what is checked.
 */
export const verdicts = ["fail", "warn", "not run", "pass", "n/a"] as const
export const VerdictName = Schema.Literals(verdicts)
export type VerdictName = typeof VerdictName.Type

/** The less, the worse. */
export const rankOf = (verdict: VerdictName): number => verdicts.indexOf(verdict)

/** Of all plays, or of all rows, together. */
export const worstOf = (all: ReadonlyArray<{ readonly verdict: VerdictName }>): VerdictName | undefined =>
  all.map(({ verdict }) => verdict).toSorted((one, other) => rankOf(one) - rankOf(other))[0]

/** Something that is not as it should be. */
export const Finding = Schema.Struct({
  level: Schema.Literals(["warn", "fail"]),
  /** A sentence. */
  text: Schema.String,
  /** The same in a word or two, for tables. */
  short: Schema.String
})
export type Finding = typeof Finding.Type

/** A scenario, played once. */
export const Play = Schema.Struct({
  verdict: VerdictName,
  findings: Schema.Array(Finding),
  /** Why it was not run, and what else a reader should know. */
  notes: Schema.Array(Schema.String),
  /** From the signal to the end of the process. */
  exitSeconds: Schema.NullOr(Schema.Finite),
  exitCode: Schema.NullOr(Schema.Int),
  exitSignal: Schema.NullOr(Schema.String),
  /** It was still running when its time was up. */
  killed: Schema.Boolean,
  /** What the scenario counted besides its clients. */
  facts: Schema.Record(Schema.String, Schema.Finite),
  /** What the kernel counted meanwhile, on the whole machine, where it tells: resets sent, overflows of backlogs. */
  kernel: Schema.Record(Schema.String, Schema.Finite),
  connections: Schema.Array(Connection),
  /** The end of what the server wrote, to its standard error and its standard output as they came. */
  stderr: Schema.String
})
export type Play = typeof Play.Type

export const Row = Schema.Struct({
  id: Schema.String,
  title: Schema.String,
  /** What it means in production, what good looks like, and how to mend it. */
  meaning: Schema.String,
  good: Schema.String,
  fix: Schema.String,
  /** The worst of its plays. */
  verdict: VerdictName,
  /** What is measured, in words, and its unit: `time to exit`, `answers lost`. */
  measure: Schema.String,
  unit: Schema.Literals(["s", ""]),
  /** Of the plays: the least, the median and the most; `null` where nothing was measured. */
  measured: Schema.NullOr(Schema.Struct({ least: Schema.Finite, median: Schema.Finite, most: Schema.Finite })),
  /** Up to where that is a pass, in words. */
  bound: Schema.String,
  plays: Schema.Array(Play)
})
export type Row = typeof Row.Type

export const Report = Schema.Struct({
  /** `finwait check`, and the version of this format. */
  tool: Schema.String,
  format: Schema.Literal(version),
  /** What it is called in tables. */
  name: Schema.String,
  command: Schema.Array(Schema.String),
  profile: Schema.String,
  address: Schema.String,
  signal: Schema.String,
  /** When it began, ISO 8601. */
  startedAt: Schema.String,
  seconds: Schema.Finite,
  machine: Schema.Struct({ platform: Schema.String, cpus: Schema.Int, node: Schema.String }),
  /** Against which it was judged. */
  bounds: Schema.Record(Schema.String, Schema.Finite),
  /** What was asked for, as found out or given. */
  requests: Schema.Record(Schema.String, Schema.String),
  rows: Schema.Array(Row)
})
export type Report = typeof Report.Type

/** From a file's text; fails with what is wrong with it. */
export const decode = Schema.decodeEffect(Schema.fromJsonString(Report))
export const encode = Schema.encodeEffect(Schema.fromJsonString(Report))

/** What a check fails by, each with all that is worse: `not run` is everything that is no pass. */
export const failOn = ["not-run", "warn", "fail"] as const
export type FailOn = (typeof failOn)[number]

/** Whether the command's exit code, and JUnit's file, say that this is not as it should be. */
export const failsBy = (on: FailOn, verdict: VerdictName): boolean =>
  rankOf(verdict) <= rankOf(on === "not-run" ? "not run" : on)

/** How many rows have which verdict. */
export const tally = (rows: ReadonlyArray<Row>): Readonly<Record<VerdictName, number>> => {
  const counts = { pass: 0, warn: 0, fail: 0, "not run": 0, "n/a": 0 }
  for (const { verdict } of rows) counts[verdict]++
  return counts
}
