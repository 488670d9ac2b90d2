/** Verdicts: a shape, a word, and a colour for those who see it. */
import type { VerdictName } from "../Report.ts"
import { marks, verdictWords } from "../words.ts"
import { type Markup, markup } from "./Markup.ts"

export const classOf = (verdict: VerdictName): string => verdict.replaceAll(/\W/g, "-")

export const badge = (verdict: VerdictName): Markup =>
  markup`<span class="badge ${classOf(verdict)}"><span aria-hidden="true">${marks[verdict]}</span> ${verdictWords[verdict]}</span>`

export const mark = (verdict: VerdictName): Markup =>
  markup`<span class="mark ${classOf(verdict)}" aria-hidden="true">${marks[verdict]}</span>`
