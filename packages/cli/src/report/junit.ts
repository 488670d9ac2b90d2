/** A report as JUnit's XML, which continuous integration shows beside the tests: GitLab, Jenkins, and actions of GitHub. */
import { stripVTControlCharacters } from "node:util"
import { type FailOn, failsBy, type Play, type Report, type Row } from "./Report.ts"
import { clockOf, exitStoryOf } from "./story.ts"
import { commandOf, machineOf, measuredOf, remarksOf } from "./words.ts"

export interface JUnitOptions {
  /** What is a failure, as for the exit code; what else there is to say stands beside a pass. Default: all but passes. */
  readonly failOn?: FailOn
}

/** One suite, with a case for each scenario. */
export const junit = (report: Report, { failOn = "not-run" }: JUnitOptions = {}): string => {
  const { name, rows } = report
  const count = (found: (row: Row) => boolean) => String(rows.filter(found).length)
  const sums = {
    tests: String(rows.length),
    failures: count(({ verdict }) => failsBy(failOn, verdict)),
    errors: "0",
    skipped: count((row) => isSkipped(row, failOn)),
    time: report.seconds.toFixed(3)
  }
  const suite = element("testsuite", { name: `finwait check ${name}`, ...timestamp(report), ...sums }, [
    element("properties", {}, properties(report)),
    ...rows.map((row) => testcase(report, row, failOn))
  ])
  const lines = element("testsuites", { name: "finwait check", ...sums }, [suite])
  return `<?xml version="1.0" encoding="UTF-8"?>\n${lines}\n`
}

const isSkipped = ({ verdict }: Row, failOn: FailOn) =>
  (verdict === "not run" || verdict === "n/a") && !failsBy(failOn, verdict)

/** The schema has neither fractions of seconds nor zones. */
const timestamp = ({ startedAt }: Report): { readonly timestamp?: string } => {
  const date = new Date(startedAt)
  return Number.isNaN(date.getTime()) ? {} : { timestamp: date.toISOString().slice(0, 19) }
}

const properties = (report: Report): ReadonlyArray<string> =>
  Object.entries({
    command: commandOf(report),
    profile: report.profile,
    address: report.address,
    signal: report.signal,
    machine: machineOf(report)
  }).map(([name, value]) => element("property", { name, value }))

const testcase = (report: Report, row: Row, failOn: FailOn): string => {
  const { id, plays, title, verdict } = row
  const attributes = {
    // Readers take what is behind the last dot for the class, and what is before it for its package.
    classname: `finwait.check.${report.name.replaceAll(".", "_")}`,
    name: `${id} ${title}`,
    time: plays.reduce((sum, play) => sum + lengthOf(play), 0).toFixed(3)
  }
  const remarks = remarksOf(row)
  const message = (wanted: (level: string | undefined) => boolean, otherwise: string) =>
    remarks.flatMap(({ level, text }) => (wanted(level) ? [text] : [])).join("; ") || otherwise
  if (isSkipped(row, failOn)) {
    const otherwise = verdict === "n/a" ? "does not apply" : "not run"
    return element("testcase", attributes, [element("skipped", { message: message(() => true, otherwise) })])
  }
  const isFound = (level: string | undefined) => level !== undefined || verdict === "not run"
  if (failsBy(failOn, verdict)) {
    const failure = { message: message(isFound, "failed"), type: verdict }
    return element("testcase", attributes, [element("failure", failure, [text(storyOf(row))])])
  }
  return element("testcase", attributes, verdict === "warn" ? [element("system-out", {}, [text(storyOf(row))])] : [])
}

/** From its first connection to its end. */
const lengthOf = (play: Play): number => {
  const { from, to } = clockOf(play)
  return (to - from) / 1000
}

/** All that somebody needs who sees nothing but this. */
const storyOf = (row: Row): string => {
  const measured = measuredOf(row)
  const said = remarksOf(row).map(({ level, text }) => `${level ?? "note"}: ${text}`)
  const about = [
    ...(measured === "" ? [] : [`measured: ${measured}`]),
    ...(row.bound === "" ? [] : [`bound: ${row.bound}`]),
    `good: ${row.good}`,
    `how to fix it: ${row.fix}`
  ]
  return [...said, "", ...about, ...row.plays.flatMap((play, index) => ending(play, index, row.plays.length))].join(
    "\n"
  )
}

const ending = (play: Play, index: number, count: number): ReadonlyArray<string> => {
  const which = count === 1 ? "process" : `process of play ${index + 1} of ${count}`
  return [
    "",
    `${which}: ${exitStoryOf(play)}`,
    ...(play.stderr.trim() === "" ? [] : [`the last that the ${which} wrote:`, play.stderr.trimEnd()])
  ]
}

const element = (
  name: string,
  attributes: Readonly<Record<string, string>>,
  children: ReadonlyArray<string> = []
): string => {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${attribute(value)}"`)
  const open = `<${name}${written.join("")}`
  if (children.length === 0) return `${open}/>`
  const [only] = children
  // White space around text would belong to it.
  return children.length === 1 && only !== undefined && !only.startsWith("<")
    ? `${open}>${only}</${name}>`
    : [`${open}>`, ...children.map((child) => child.replace(/^ *</gm, "  $&")), `</${name}>`].join("\n")
}

const text = (value: string): string =>
  allowed(value).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\r", "&#13;")

/** A reader makes spaces of what is not written as a number here. */
const attribute = (value: string): string =>
  text(value).replaceAll('"', "&quot;").replaceAll("\n", "&#10;").replaceAll("\t", "&#9;")

/** XML 1.0 has no way to write the rest, be it escaped. */
const allowed = (value: string): string =>
  stripVTControlCharacters(value).replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "")
