/** A play: how its process ended, a timeline for every connection, and what its server wrote. */
import type { Play, Report, Row } from "../Report.ts"
import { exitMillisOf, exitOf, exitStoryOf, isSignalled } from "../story.ts"
import { seconds } from "../words.ts"
import { backdrop, drawing, x } from "./lane.ts"
import { type Lanes, lanesOf, storyOf } from "./lanes.ts"
import { type Markup, markup } from "./Markup.ts"
import * as Scale from "./Scale.ts"
import { badge } from "./verdict.ts"

/** Of a row with several plays, the worst is open. */
export const playOf = (report: Report, row: Row, index: number): Markup => {
  const play = row.plays[index]!
  const several = row.plays.length > 1
  const body = markup`${timelines(report, play)}
${stderrOf(play)}`
  const title = several ? `Play ${index + 1} of ${row.plays.length}` : "What its clients saw"
  const head = markup`<h4>${title}<span class="muted">; process: ${exitStoryOf(play)}</span></h4>`
  if (!several) return isEmpty(play) ? markup`` : markup`<section class="play">${head}${body}</section>`
  const isWorst = row.plays.findIndex(({ verdict }) => verdict === row.verdict) === index
  return markup`<details class="play"${isWorst ? markup` open` : undefined}>
<summary>${head}${badge(play.verdict)}</summary>
${body}
</details>`
}

const isEmpty = ({ connections, exitSeconds, stderr }: Play) =>
  connections.length === 0 && exitSeconds === null && stderr.trim() === ""

const timelines = (report: Report, play: Play): Markup | undefined => {
  if (play.connections.length === 0) return undefined
  const lanes = lanesOf(play)
  const scale = Scale.make(play)
  return markup`<div class="timeline">
${axis(report, play, scale)}
<ul>
${lanes.drawn.map(
  (lane) => markup`<li>
<span class="who">${lane.who}</span>
${drawing(lane, play, scale)}
<span class="had"><b${lane.drawn.whole ? undefined : markup` class="lost"`}>${lane.outcome}</b> <span class="muted">${lane.ending}</span></span>
</li>`
)}
</ul>
</div>
${scale.isBent ? [markup`<p class="muted small">Before ${report.signal} the scale is another one.</p>`] : []}
${undrawn(lanes)}
${counts(play)}
<details class="words"><summary>The same in words</summary><ul>
${lanes.drawn.map((lane) => markup`<li>${storyOf(lane)}</li>`)}
</ul></details>`
}

const undrawn = ({ rest, restCount }: Lanes): Markup | undefined =>
  restCount === 0
    ? undefined
    : markup`<p class="muted small">${restCount} more ${restCount === 1 ? "is" : "are"} not drawn: ${rest.slice(0, 12).join("; ")}${rest.length > 12 ? "; …" : ""}.</p>`

/** What the vertical lines are, and the seconds between them. */
const axis = (report: Report, play: Play, scale: Scale.Scale): Markup => {
  const name = isSignalled(play) ? report.signal : "start"
  const exit = exitMillisOf(play)
  const isLate = exit !== undefined && scale.percent(exit) > 60
  const label = exit === undefined ? undefined : `${exitOf(play) ?? "end"}, ${seconds(exit / 1000)}`
  return markup`<div class="axis" aria-hidden="true">
<span class="who"></span>
<span class="plot"><svg>
${backdrop(play, scale)}
<text class="at-signal" x="${x(0, scale)}" y="14" dx="-5" text-anchor="end">${name}</text>
${label === undefined ? [] : [markup`<text class="at-exit" x="${x(exit ?? 0, scale)}" y="14" dx="${isLate ? -5 : 5}" text-anchor="${isLate ? "end" : "start"}">${label}</text>`]}
${scale.ticks.map(({ at, label }) => markup`<text class="at-tick" x="${x(at, scale)}" y="31" text-anchor="${scale.percent(at) < 8 ? "start" : "middle"}">${label}</text>`)}
</svg></span>
<span class="had"></span>
</div>`
}

/** Of the kernel's there are always all, and most of them are nothing. */
const counts = ({ facts, kernel }: Play): ReadonlyArray<Markup> => {
  const of = (title: string, entries: ReadonlyArray<readonly [string, number]>) => {
    const said = entries.map(([name, value]) => `${name} ${Math.round(value * 1000) / 1000}`).join(", ")
    return said === "" ? [] : [markup`<p class="small muted">${title}: ${said}</p>`]
  }
  return [
    ...of("Counted", Object.entries(facts)),
    ...of(
      "Counted by the kernel, on the whole machine",
      Object.entries(kernel).filter(([, value]) => value !== 0)
    )
  ]
}

const stderrOf = ({ stderr }: Play): Markup | undefined => {
  const text = stderr.trimEnd()
  if (text.trim() === "") return undefined
  const lines = text.split("\n").length
  return markup`<details class="words"><summary>What it wrote, the last ${lines === 1 ? "line" : `${lines} lines`}</summary><pre tabindex="0">${text}</pre></details>`
}
