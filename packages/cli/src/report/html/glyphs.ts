/** The marks on a timeline. Each has a shape of its own; colours only help. */
import { type Markup, markup } from "./Markup.ts"

export const glyphs = {
  connected: markup`<path class="g-line" d="M0-6V6"/>`,
  ready: markup`<path class="g-line" d="M0-3V3"/>`,
  asked: markup`<path class="g-out" d="M0 4L5 12H-5Z"/>`,
  half: markup`<path class="g-out hollow" d="M0 4L5 12H-5Z"/>`,
  said: markup`<path class="g-out" d="M-1 5h2v7h-2Z"/>`,
  answered: markup`<path class="g-out hollow" d="M0 5l3.5 3.5L0 12-3.5 8.5Z"/>`,
  "stopped reading": markup`<path class="g-stop" d="M-4-6h3V6h-3ZM1-6h3V6H1Z"/>`,
  reads: markup`<path class="g-stop" d="M-3-5L5 0-3 5Z"/>`,
  told: markup`<path class="g-told" d="M0-6L6 0 0 6-6 0Z"/>`,
  FIN: markup`<path class="g-fin" d="M-5-5H5V5H-5Z"/>`,
  RST: markup`<path class="g-rst" d="M-5-5L5 5M5-5L-5 5"/>`,
  refused: markup`<path class="g-rst" d="M-3.6 3.6L3.6-3.6M5 0A5 5 0 1 1-5 0 5 5 0 1 1 5 0Z"/>`,
  open: markup`<circle class="g-open" r="4"/>`,
  other: markup`<path class="g-rst" d="M0-6V1M0 4V6"/>`
} as const satisfies Readonly<Record<string, Markup>>

export type Glyph = keyof typeof glyphs

/** Of an event, by its name in a report; bytes that were heard are drawn in another way. */
export const glyphOf = (what: string): Glyph => {
  if (what === "half of a request") return "half"
  if (Object.hasOwn(glyphs, what)) return what as Glyph
  return isGoodbye(what) ? "told" : "other"
}

/** What a server says of an end before TCP does. */
const isGoodbye = (what: string): boolean => /^(close_notify|GOAWAY|close \d+|connection: close)$/i.test(what)

/** More bytes are thicker, from a dot that can be seen to what a lane has room for. */
export const thicknessOf = (bytes: number): number => Math.min(12, 3 + Math.log10(Math.max(1, bytes)))

/** What the marks mean, once for all timelines of a page. */
export const legend = (): Markup => markup`<ul class="legend" aria-label="Marks on the timelines">
${entries.map(([glyph, words]) => markup`<li><svg aria-hidden="true" width="16" height="16" viewBox="-8 -8 16 16"><g${lowered(glyph)}>${glyph === "heard" ? dot : glyphs[glyph]}</g></svg> ${words}</li>`)}
</ul>`

const dot = markup`<circle class="g-heard" r="4"/>`

/** Marks of what goes out hang below their line. */
const lowered = (glyph: Glyph | "heard"): Markup | undefined =>
  ["asked", "half", "said", "answered"].includes(glyph) ? markup` transform="translate(0 -8)"` : undefined

const entries: ReadonlyArray<readonly [Glyph | "heard", string]> = [
  ["connected", "connected"],
  ["asked", "asked"],
  ["half", "half of a request"],
  ["heard", "heard, thicker with more bytes"],
  ["stopped reading", "stopped reading"],
  ["told", "told of the end by the protocol"],
  ["answered", "answered that"],
  ["FIN", "FIN"],
  ["RST", "RST"],
  ["refused", "refused"],
  ["open", "never ended"]
]
