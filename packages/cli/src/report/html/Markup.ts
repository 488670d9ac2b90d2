/** HTML that is safe by its type: what is put into it as a string is text, and stays text. */
import { stripVTControlCharacters } from "node:util"

export class Markup {
  readonly source: string

  constructor(source: string) {
    this.source = source
  }
}

export type Content = Markup | string | number | ReadonlyArray<Markup> | undefined

/** The literal parts are markup; strings within it are escaped, in text and in quoted attributes. */
export const markup = (literals: TemplateStringsArray, ...contents: ReadonlyArray<Content>): Markup =>
  new Markup(literals.map((literal, index) => literal + sourceOf(contents[index])).join(""))

const sourceOf = (content: Content): string => {
  if (content === undefined) return ""
  if (content instanceof Markup) return content.source
  return typeof content === "object" ? content.map(({ source }) => source).join("\n") : escaped(String(content))
}

const escaped = (text: string): string =>
  stripVTControlCharacters(text)
    .replace(/[^\P{Cc}\t\n]|\p{Cs}/gu, "")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;")
