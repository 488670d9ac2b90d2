/** The page, from the reports. */
import type { Report } from "@finwait/cli"
import { markdown } from "@finwait/cli/report/table"
import { dateOf, machineOf } from "@finwait/cli/report/words"
import { limits, type Subject } from "./subjects.ts"

/** A subject and what is known of it; without a report it is not installed. */
export interface Checked {
  readonly subject: Subject
  readonly report: Report | undefined
}

export interface Page {
  readonly checked: ReadonlyArray<Checked>
  /** Names, and what they say of themselves. */
  readonly versions: ReadonlyArray<readonly [name: string, version: string]>
  /** Of each check. */
  readonly options: ReadonlyArray<string>
  /** What somebody has written who has looked at the reports. */
  readonly notes: string
}

const command = "node packages/scorecard/src/results.ts"

export const page = ({ checked, notes, options, versions }: Page): string => {
  const reports = checked.flatMap(({ report }) => (report === undefined ? [] : [report]))
  const [first] = reports
  if (first === undefined) throw new Error("nothing was checked")
  const columns = checked.map(({ report, subject }) => report ?? absent(first, subject))
  return `# How servers say goodbye

What \`finwait check\` says of ${columns.length} servers, in one run on one machine, written by
\`${command}\`. A cell is what was measured where that is a pass, and otherwise the verdict
and why, in a word; what each row is about is told in [what the scorecard means](scorecard.md), and how it is played in
[\`finwait check\`](check.md). A figure is worth what one play on a machine with other things to do is worth, and other
versions have others.

## The table

${markdown(columns)}

\`pass\` stands where nothing is measured. \`n/a\`: the scenario has no meaning for what is spoken, such as S2d, which is about
WebSockets, or has no request, such as S10 and S11 over HTTP. \`not run\`: it could not be played; why is told
[below](#beside-the-first-scorecard).

## What was checked

| column | server | started by |
| --- | --- | --- |
${checked.map(({ report, subject }) => `| ${subject.name} | ${subject.about} | ${startedBy(report)} |`).join("\n")}

The servers on Node are those of \`packages/scorecard/src/subjects\`, all with the same jobs and, as far as they have such
notions, the same limits in milliseconds; libraries get \`DRAIN_MS\` as their only one:

\`\`\`sh
${environment}
\`\`\`

That is shorter than Finwait's own defaults where a peer is waited for. Each check was run with \`${options.join(" ")}\`: 2,000
idle connections in S8, and whoever is still there 30 s after the signal is killed.

## Versions

| | |
| --- | --- |
${versions.map(([name, version]) => `| ${name} | ${version} |`).join("\n")}
| machine | ${machineOf(first)}, over loopback |
| played | ${dateOf(first)}, in ${minutes(reports)} minutes |

All of it again, where nginx, HAProxy and Python are what the system has installed:

\`\`\`sh
${command}
\`\`\`

${notes.trim()}
`
}

const environment = Object.entries(limits)
  .map(([name, value]) => `${name}=${value}`)
  .join(" ")

const minutes = (reports: ReadonlyArray<Report>): string =>
  (reports.reduce((sum, { seconds }) => sum + seconds, 0) / 60).toFixed(0)

/** As somebody would type it: paths of this machine are nobody's business. */
const startedBy = (report: Report | undefined): string => {
  if (report === undefined) return "not installed"
  const words = report.command.map((word, index) =>
    word === process.execPath
      ? "node"
      : report.command[index - 1] === "-p"
        ? "folder"
        : word.includes(" ")
          ? `'${word}'`
          : word
  )
  return `\`${words.join(" ")}\``
}

/** A column all the same, which nobody overlooks. */
const absent = (other: Report, { name }: Subject): Report => ({
  ...other,
  name,
  rows: other.rows.map((row) => {
    const findings = [{ level: "warn" as const, text: `${name} is not installed`, short: "not installed" }]
    const plays = row.plays
      .slice(0, 1)
      .map((play) => Object.assign({}, play, { verdict: "not run" as const, findings }))
    return Object.assign({}, row, { verdict: "not run" as const, measured: null, plays })
  })
})
