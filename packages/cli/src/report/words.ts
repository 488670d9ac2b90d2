/** How the parts of a report are said, wherever it is shown. */
import { type Finding, type Report, type Row, tally, type VerdictName } from "./Report.ts"

/** A shape and a word, so that nobody has to tell colours apart. */
export const marks: Readonly<Record<VerdictName, string>> = {
  pass: "✓",
  warn: "!",
  fail: "✗",
  "not run": "?",
  "n/a": "–"
}

export const verdictWords: Readonly<Record<VerdictName, string>> = {
  pass: "pass",
  warn: "warn",
  fail: "FAIL",
  "not run": "not run",
  "n/a": "n/a"
}

export const verdictOf = (verdict: VerdictName): string => `${marks[verdict]} ${verdictWords[verdict]}`

const worstFirst: ReadonlyArray<VerdictName> = ["fail", "warn", "not run", "n/a", "pass"]

/** The less, the worse. */
export const rankOf = (verdict: VerdictName): number => worstFirst.indexOf(verdict)

/** Of all rows together. */
export const worstOf = (rows: ReadonlyArray<Row>): VerdictName | undefined =>
  worstFirst.find((verdict) => rows.some((row) => row.verdict === verdict && verdict !== "n/a")) ?? rows[0]?.verdict

/** As precise as it is worth: `0.02 s`, `12.3 s`, `120 s`. */
export const seconds = (value: number): string => `${digits(value)} s`

const digits = (value: number): string => {
  const size = Math.abs(value)
  // What rounds to nothing has no sign.
  return value.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0).replace(/^-(?=[0.]+$)/, "")
}

/** `0.02 s`, or `0.02 to 0.08 s`. */
export const range = (least: number, most: number): string =>
  digits(least) === digits(most) ? seconds(most) : `${digits(least)} to ${seconds(most)}`

/** How long all of it took. */
export const duration = (value: number): string => {
  if (value < 9.95) return `${value.toFixed(1)} s`
  const whole = Math.round(value)
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** `1.02 s`, `3 answers lost`; of several plays the median, and from where to where they went. */
export const measuredOf = ({ measure, measured, plays, unit }: Row): string => {
  if (measured === null) return ""
  const number = (value: number) => (unit === "s" ? digits(value) : String(Math.round(value * 100) / 100))
  const { least, median, most } = measured
  const middle = `${number(median)} ${unit === "" ? measure : unit}`.trim()
  return plays.length < 2 ? middle : `${middle} (${number(least)} to ${number(most)})`
}

/** What is wrong with a row in a word or two each, every word once. */
export const shortsOf = ({ plays }: Row): ReadonlyArray<string> => [
  ...new Set(plays.flatMap(({ findings }) => findings.map(({ short }) => short)))
]

/** A finding or a note, and in how many plays it was made. */
export interface Remark {
  /** A note has none. */
  readonly level: Finding["level"] | undefined
  readonly text: string
}

/** All that there is to say about a row, the worst first; what several plays say is said once. */
export const remarksOf = ({ plays }: Row): ReadonlyArray<Remark> => {
  const counts = new Map<string, { readonly remark: Remark; count: number }>()
  const add = (remark: Remark) => {
    const known = counts.get(remark.text)
    if (known === undefined) counts.set(remark.text, { remark, count: 1 })
    else known.count++
  }
  for (const level of ["fail", "warn"] as const) {
    for (const { findings } of plays) findings.filter((finding) => finding.level === level).forEach(add)
  }
  for (const { notes } of plays) for (const text of notes) add({ level: undefined, text })
  return [...counts.values()].map(({ count, remark: { level, text } }) => ({
    level,
    text: count < plays.length ? `${text} (${count} of ${plays.length} plays)` : text
  }))
}

/** `3 passed, 1 warning, 2 failed, 1 not run, 2 do not apply`, without what there is none of. */
export const countsOf = (rows: ReadonlyArray<Row>): string => {
  const counts = tally(rows)
  const said: ReadonlyArray<readonly [VerdictName, string, string]> = [
    ["pass", "passed", "passed"],
    ["warn", "warning", "warnings"],
    ["fail", "failed", "failed"],
    ["not run", "not run", "not run"],
    ["n/a", "does not apply", "do not apply"]
  ]
  const parts = said.flatMap(([verdict, one, many]) => {
    const count = counts[verdict]
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`]
  })
  return parts.length === 0 ? "nothing was checked" : parts.join(", ")
}

export const summaryOf = ({ rows, seconds }: Report): string => `${countsOf(rows)}; ${duration(seconds)}`

export const machineOf = ({ machine: { cpus, node, platform } }: Report): string =>
  `${platform}, ${cpus} ${cpus === 1 ? "CPU" : "CPUs"}, Node ${node.replace(/^v/, "")}`

/** `2026-11-25 23:10:39 UTC`; what is no date is said as it is. */
export const dateOf = ({ startedAt }: Report): string => {
  const date = new Date(startedAt)
  return Number.isNaN(date.getTime()) ? startedAt : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`
}

/** As a shell would take it. */
export const commandOf = ({ command }: Report): string =>
  command.map((part) => (/^[\w@%+=:,./-]+$/.test(part) ? part : `'${part.replaceAll("'", `'\\''`)}'`)).join(" ")
