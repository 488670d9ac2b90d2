/**
 * The diagram and the table of the close in docs/close.md, made from the model: `node test/tools/closeModel.ts` writes
 * them, and a test says when they are not current.
 */
import * as CloseModel from "finwait/testing/CloseModel"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export const page = join(import.meta.dirname, "../../docs/close.md")

const begin = "<!-- close model: made by `node test/tools/closeModel.ts`, checked by the tests -->\n"
const end = "<!-- end of the close model -->"

/** The page as it should be. */
export const current = (text: string): string => {
  const from = text.indexOf(begin) + begin.length
  const to = text.indexOf(end)
  if (from < begin.length || to < from) throw new Error("docs/close.md: the marks of the close model are missing")
  const made = `\n\`\`\`mermaid\n${CloseModel.diagram()}\n\`\`\`\n\n${CloseModel.table()}\n\n`
  return text.slice(0, from) + made + text.slice(to)
}

if (import.meta.main) {
  writeFileSync(page, current(readFileSync(page, "utf8")))
}
