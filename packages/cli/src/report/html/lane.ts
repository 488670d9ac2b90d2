/** The timeline of one connection. */
import { at, bytesOf, exitMillisOf, type Run, runsOf, withoutStart } from "../story.ts"
import type { Connection, Play } from "../Report.ts"
import { glyphOf, glyphs, thicknessOf } from "./glyphs.ts"
import { type Lane, storyOf } from "./lanes.ts"
import { type Markup, markup } from "./Markup.ts"
import type { Scale } from "./Scale.ts"

/** Bytes closer to one another than that, in percent of the width, are one stroke. */
const strokeGap = 1.2

export const drawing = (lane: Lane, play: Play, scale: Scale): Markup => {
  const { drawn: connection } = lane
  const runs = runsOf(eventsOf(connection), (from, to) => scale.percent(to) - scale.percent(from) <= strokeGap)
  const end = endOf(connection, runs, play, scale)
  return markup`<span class="plot"><svg role="img"><title>${storyOf(lane)}</title>
${backdrop(play, scale)}
${life(runs, end, scale)}
${runs.map((run) => drawn(run, scale))}
${connection.ending === "open" ? [placed(end, scale, glyphs.open, "nobody ended it")] : []}
${names(runs, connection.ending === "open" ? end : undefined, scale)}
</svg></span>`
}

/** Of a client that tells only when it was told, at least that. */
const eventsOf = ({ ending, events, toldMillis }: Connection): Connection["events"] =>
  events.length > 0 || toldMillis === null ? withoutStart(events) : [{ at: toldMillis, what: ending }]

/** What all lanes have in common, so that it runs through all of them. */
export const backdrop = (play: Play, scale: Scale): ReadonlyArray<Markup> => {
  const exit = exitMillisOf(play)
  const line = (millis: number, name: string) =>
    markup`<line class="${name}" x1="${x(millis, scale)}" x2="${x(millis, scale)}" y1="0" y2="100%"/>`
  return [
    markup`<rect class="before" width="${x(0, scale)}" height="100%"/>`,
    ...scale.ticks.filter(({ at }) => at !== 0).map(({ at }) => line(at, "tick")),
    line(0, "signal"),
    ...(exit === undefined ? [] : [line(exit, "exit")])
  ]
}

export const x = (millis: number, scale: Scale): string => `${scale.percent(millis).toFixed(2)}%`

const endOf = ({ ending }: Connection, runs: ReadonlyArray<Run>, play: Play, scale: Scale): number =>
  ending === "open" ? (exitMillisOf(play) ?? scale.to) : (runs.at(-1)?.last ?? 0)

/** From its first event to its last, broken while the client does not read. */
const life = (runs: ReadonlyArray<Run>, end: number, scale: Scale): ReadonlyArray<Markup> => {
  const lines: Array<Markup> = []
  // Of a client that begins to read later, nothing says so before it does.
  const first = runs.find(({ what }) => what === "reads" || what === "heard" || what === "stopped reading")
  let [from, reads] = [runs[0]?.first ?? end, first?.what !== "reads"]
  const upTo = (millis: number) => {
    const name = reads ? "life" : "life deaf"
    lines.push(markup`<line class="${name}" x1="${x(from, scale)}" x2="${x(millis, scale)}" y1="50%" y2="50%"/>`)
    from = millis
  }
  for (const { first, what } of runs) {
    const readsNow = what === "stopped reading" ? false : what === "reads" || what === "heard" ? true : reads
    if (readsNow === reads) continue
    upTo(first)
    reads = readsNow
  }
  upTo(end)
  return lines
}

const drawn = (run: Run, scale: Scale): Markup =>
  run.what === "heard"
    ? heard(run, scale)
    : run.what === "said" && run.first < run.last
      ? said(run, scale)
      : mark(run, scale)

const timesOf = ({ first, last }: Run): string =>
  first === last ? `at ${at(last)}` : `from ${at(first)} to ${at(last)}`

const heard = (run: Run, scale: Scale): Markup => {
  const { bytes = 0, first, last } = run
  const width = thicknessOf(bytes).toFixed(1)
  // A line of no length with round ends is a dot.
  return markup`<line class="heard" x1="${x(first, scale)}" x2="${x(last, scale)}" y1="50%" y2="50%" stroke-width="${width}"><title>heard ${bytesOf(bytes)} ${timesOf(run)}</title></line>`
}

/** As long as it was said, below the line. */
const said = (run: Run, scale: Scale): Markup => {
  const { bytes = 0, first, last } = run
  return markup`<svg y="50%" overflow="visible"><line class="said" x1="${x(first, scale)}" x2="${x(last, scale)}" y1="8" y2="8"><title>said ${bytesOf(bytes)} ${timesOf(run)}</title></line></svg>`
}

const mark = ({ bytes, last, what }: Run, scale: Scale): Markup =>
  placed(last, scale, glyphs[glyphOf(what)], `${what}${bytes === undefined ? "" : ` ${bytesOf(bytes)}`} at ${at(last)}`)

const placed = (millis: number, scale: Scale, glyph: Markup, title: string): Markup =>
  markup`<svg x="${x(millis, scale)}" y="50%" overflow="visible"><title>${title}</title>${glyph}</svg>`

interface Name {
  readonly text: string
  readonly at: number
}

/** Ends are named behind their marks, and what was said before them above the line. */
const names = (runs: ReadonlyArray<Run>, openTo: number | undefined, scale: Scale): ReadonlyArray<Markup> => {
  const of = (...wanted: ReadonlyArray<string>) =>
    runs.filter(({ what }) => wanted.includes(glyphOf(what))).map(({ last, what }) => ({ text: what, at: last }))
  const ends = [...of("FIN", "RST", "refused"), ...(openTo === undefined ? [] : [{ text: "open", at: openTo }])]
  const left = ({ at }: Name) => scale.percent(at)
  const leftWithin = (name: Name) => Math.max(0, Math.min(left(name), 100 - widthOf(name)))
  return [
    ...apart(ends, left, "last").map(
      (name) => markup`<text class="end" x="${left(name).toFixed(2)}%" y="50%" dx="9" dy="4">${name.text}</text>`
    ),
    ...apart(of("told"), leftWithin, "first").map(
      (name) =>
        markup`<text class="word" x="${leftWithin(name).toFixed(2)}%" y="50%" dx="-5" dy="-9">${name.text}</text>`
    )
  ]
}

/** In percent of a timeline on a phone: elsewhere there is more room than that. */
const widthOf = ({ text }: Name): number => 2 * text.length + 2

/** What would overlap is said together, where the first or the last of it is. */
const apart = (
  all: ReadonlyArray<Name>,
  leftOf: (name: Name) => number,
  where: "first" | "last"
): ReadonlyArray<Name> => {
  const names: Array<Name> = []
  for (const name of all) {
    const before = names.at(-1)
    if (before === undefined || leftOf(name) >= leftOf(before) + widthOf(before)) names.push(name)
    else {
      const text = before.text.endsWith(name.text) ? before.text : `${before.text}, ${name.text}`
      names[names.length - 1] = { text, at: where === "first" ? before.at : name.at }
    }
  }
  return names
}
