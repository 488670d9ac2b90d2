/** How the parts of a report are said, wherever it is shown. */
import type { styleText } from "node:util"
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

/** Never the only sign. */
export const colours: Readonly<Record<VerdictName, Parameters<typeof styleText>[0]>> = {
  pass: "green",
  warn: "yellow",
  fail: ["bold", "red"],
  "not run": "magenta",
  "n/a": "dim"
}

export const verdictOf = (verdict: VerdictName): string => `${marks[verdict]} ${verdictWords[verdict]}`

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

/**
 * `1.02 s`, `3 answers lost`; of several plays the median, and from where to where they went. Where there is nothing but the
 * time at which it was killed, that.
 */
export const measuredOf = ({ measure, measured, plays, unit }: Row): string => {
  if (measured === null) {
    const killed = unit === "s" ? plays.find(({ exitSeconds, killed }) => killed && exitSeconds !== null) : undefined
    return killed === undefined ? "" : `killed at ${seconds(killed.exitSeconds!)}`
  }
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
  const counts = new Map<string, { readonly remark: Remark; count: number; differ: boolean }>()
  const add = (remark: Remark) => {
    // The same sentence with other figures is the same remark.
    const key = remark.text.replaceAll(/\d+(?:\.\d+)?/g, "#")
    const known = counts.get(key)
    if (known === undefined) return void counts.set(key, { remark, count: 1, differ: false })
    known.count++
    known.differ ||= known.remark.text !== remark.text
  }
  for (const level of ["fail", "warn"] as const) {
    for (const { findings } of plays) findings.filter((finding) => finding.level === level).forEach(add)
  }
  for (const { notes } of plays) for (const text of notes) add({ level: undefined, text })
  return [...counts.values()].map(({ count, differ, remark: { level, text } }) => {
    const said = [
      ...(count < plays.length ? [`${count} of ${plays.length} plays`] : []),
      ...(differ ? ["figures differ"] : [])
    ]
    return { level, text: said.length === 0 ? text : `${text} (${said.join(", ")})` }
  })
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
