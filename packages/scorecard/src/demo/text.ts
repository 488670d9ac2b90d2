/** Text for a terminal of 80 columns. Colour only helps: every line says the same without it. */
import { styleText } from "node:util"

export const columns = 78

type Style = Parameters<typeof styleText>[0]

// Node itself leaves the colours out for pipes and for NO_COLOR.
const styled = (style: Style) => (text: string) => styleText(style, text, { stream: process.stdout })

export const bold = styled("bold")
export const dim = styled("dim")
export const good = styled("green")
export const bad = styled("red")

/** Breaks a paragraph into lines. */
export const wrap = (text: string, width = columns): string => {
  const lines = [""]
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) ?? ""
    if (line.length + word.length >= width) lines.push(word)
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`
  }
  return lines.join("\n")
}
