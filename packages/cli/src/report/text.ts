/** Text in a terminal: what may be written to one, how wide it is there, and how it is laid out. */
import { stripVTControlCharacters } from "node:util"

/** As wide as anything for a terminal is written. */
export const widthMax = 100

/** What servers and users wrote must not move the cursor: one line, without control characters. */
export const plain = (text: string): string =>
  stripVTControlCharacters(text)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .trim()

/** In columns of a terminal. */
export const widthOf = (text: string): number => {
  let width = 0
  for (const character of text) width += zero.test(character) ? 0 : double.test(character) ? 2 : 1
  return width
}

const zero = /[\p{M}\p{Cf}]/u
const double = /\p{Emoji_Presentation}|[ᄀ-ᅟ⺀-꓏가-힣豈-﫿︰-﹏＀-｠￠-￦𠀀-𿿽]/u

/** At spaces, and within words that are longer than a line. */
export const wrap = (text: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const word of plain(text)
    .split(/ +/)
    .flatMap((word) => pieces(word, width))) {
    const longer = line === "" ? word : `${line} ${word}`
    if (widthOf(longer) > width) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line]
}

/** A paragraph whose first words stand out. */
export const hanging = (text: string): ReadonlyArray<string> =>
  wrap(text, widthMax - indent.length).map((line, index) => (index === 0 ? line : indent + line))

const indent = "    "

export interface Layout {
  /** Colours a cell, whose text keeps its width. */
  readonly paint?: (text: string, row: number, column: number) => string
}

/** The first row is the head. The widest columns give way where there is no room for all of them. */
export const columns = (rows: ReadonlyArray<ReadonlyArray<string>>, { paint }: Layout = {}): ReadonlyArray<string> => {
  const texts = rows.map((cells) => cells.map(plain))
  const widths = fit(
    (texts[0] ?? []).map((_, column) => Math.max(1, ...texts.map((cells) => widthOf(cells[column] ?? ""))))
  )
  const written = texts.flatMap((cells, row) => {
    const wrapped = widths.map((width, column) => wrap(cells[column] ?? "", width))
    const height = Math.max(...wrapped.map(({ length }) => length))
    return Array.from({ length: height }, (_, line) =>
      joined(
        wrapped.map((lines) => lines[line] ?? ""),
        widths,
        (text, column) => paint?.(text, row, column) ?? text
      )
    ).concat(row === 0 ? [widths.map((width) => "─".repeat(width)).join(gap)] : [])
  })
  return written
}

const gap = "  "

const joined = (
  cells: ReadonlyArray<string>,
  widths: ReadonlyArray<number>,
  paint: (text: string, column: number) => string
): string =>
  cells
    .map((cell, column) => {
      const blank = " ".repeat((widths[column] ?? 0) - widthOf(cell))
      return cell === "" ? blank : paint(cell, column) + blank
    })
    .join(gap)
    .trimEnd()

const fit = (natural: ReadonlyArray<number>): ReadonlyArray<number> => {
  const widths = [...natural]
  const room = widthMax - gap.length * (widths.length - 1)
  for (let over = widths.reduce((sum, width) => sum + width, -room); over > 0; over--) {
    const widest = widths.indexOf(Math.max(...widths))
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return widths
}

/** A word that is wider than a line, cut into what fits. */
const pieces = (word: string, width: number): ReadonlyArray<string> => {
  if (widthOf(word) <= width) return word === "" ? [] : [word]
  const cut = [""]
  for (const character of word) {
    const last = cut.length - 1
    const longer = cut[last] + character
    if (widthOf(longer) > width && cut[last] !== "") cut.push(character)
    else cut[last] = longer
  }
  return cut
}
