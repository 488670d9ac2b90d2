/** What was checked, where, and what came of it. */
import { type Report, tally, type VerdictName } from "../Report.ts"
import { commandOf, dateOf, duration, machineOf, marks } from "../words.ts"
import { type Markup, markup } from "./Markup.ts"
import { classOf } from "./verdict.ts"

export const header = (report: Report): Markup => markup`<header>
<p class="kicker">${report.tool}</p>
<h1>${report.name}</h1>
<p class="command"><code>${commandOf(report)}</code></p>
<ul class="tally" aria-label="Summary">
${counts(report)}
</ul>
<dl class="facts">
${fact("Signal", report.signal)}
${fact("Profile", report.profile)}
${fact("Address", report.address)}
<div><dt>Began</dt><dd><time datetime="${report.startedAt}">${dateOf(report)}</time></dd></div>
${fact("Took", duration(report.seconds))}
${fact("Machine", machineOf(report))}
</dl>
${settings(report)}
</header>`

const fact = (name: string, value: string): Markup => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`

const words: Readonly<Record<VerdictName, string>> = {
  fail: "failed",
  warn: "warned",
  "not run": "not run",
  pass: "passed",
  "n/a": "not applicable"
}

const order: ReadonlyArray<VerdictName> = ["fail", "warn", "not run", "pass", "n/a"]

const counts = ({ rows }: Report): ReadonlyArray<Markup> => {
  const all = tally(rows)
  return order
    .filter((verdict) => all[verdict] > 0)
    .map(
      (verdict) =>
        markup`<li class="${classOf(verdict)}"><span aria-hidden="true">${marks[verdict]}</span> <b>${all[verdict]}</b> ${words[verdict]}</li>`
    )
}

const settings = ({ bounds, requests }: Report): Markup | undefined => {
  const entries = [
    ...Object.entries(requests),
    ...Object.entries(bounds).map(([name, value]) => [name, String(value)] as const)
  ]
  return entries.length === 0
    ? undefined
    : markup`<details class="words"><summary>What was asked for, and the bounds</summary><dl class="facts">
${entries.map(([name, value]) => fact(name, value))}
</dl></details>`
}
