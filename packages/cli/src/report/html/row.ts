/** A row: what was found, why that matters and how to fix it, and its plays. */
import type { Report, Row } from "../Report.ts"
import { measuredOf, remarksOf } from "../words.ts"
import { type Markup, markup } from "./Markup.ts"
import { playOf } from "./play.ts"
import { badge, classOf, mark } from "./verdict.ts"

/** Where links lead to. */
export const anchorOf = ({ id }: Row): string => `row-${id.replaceAll(/[^\w-]/g, "-")}`

/** Open where there is something to see. The anchor is inside of it: whoever follows a link has it opened. */
export const rowOf = (report: Report, row: Row): Markup => {
  const isOpen = row.verdict === "fail" || row.verdict === "warn"
  return markup`<details class="row ${classOf(row.verdict)}"${isOpen ? markup` open` : undefined}>
<summary><h3><span class="id">${row.id}</span> ${row.title}</h3>${figures(row)}${badge(row.verdict)}</summary>
<div class="body" id="${anchorOf(row)}">
${remarks(row)}
${about(row)}
${row.plays.map((_, index) => playOf(report, row, index))}
</div>
</details>`
}

const figures = (row: Row): Markup => {
  const measured = measuredOf(row)
  const label = row.unit === "s" ? markup`<span class="muted">${row.measure}: </span>` : undefined
  return markup`<span class="figures">
${measured === "" ? undefined : markup`<span>${label}<b>${measured}</b></span>`}
${row.bound === "" ? undefined : markup`<span class="muted">bound: ${row.bound}</span>`}
</span>`
}

const remarks = (row: Row): Markup | undefined => {
  const all = remarksOf(row)
  if (all.length === 0) return undefined
  return markup`<ul class="remarks">
${all.map(({ level, text }) => markup`<li>${level === undefined ? markup`<span class="mark" aria-hidden="true">·</span>` : markup`${mark(level)}<span class="unseen">${level}: </span>`}<span>${text}</span></li>`)}
</ul>`
}

const about = ({ fix, good, meaning }: Row): Markup => markup`<dl class="about">
<div><dt>What it means</dt><dd>${meaning}</dd></div>
<div><dt>What good looks like</dt><dd>${good}</dd></div>
<div><dt>How to fix it</dt><dd>${fix}</dd></div>
</dl>`
