/** What is wrong with a script, for the person who has written it: where, what stands there, and what may. */
import * as SchemaIssue from "effect/SchemaIssue"

type Names = Readonly<Record<"script" | "exchange" | "expect", ReadonlyArray<string>>>

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

export const whatIsWrong = (issue: SchemaIssue.Issue, script: unknown, names: Names): string => {
  const said = issuesOf(issue).issues.map(({ message, path = [] }) => {
    const keys = path.map((part) => String(typeof part === "object" ? part.key : part))
    return sentence(keys, message, script, names)
  })
  return [...new Set(said)].join("; ")
}

const sentence = (path: ReadonlyArray<string>, message: string, script: unknown, names: Names): string => {
  // Of what may be one thing or another, each of which would complain, the whole; of a list, the one.
  const keys = path[1] === "send" ? path.slice(0, /^\d+$/.test(path[2] ?? "") ? 3 : 2) : path
  const place = keys.join(".")
  if (place === "") return `an object is wanted, not ${inShort(script)}`
  const { has, value } = valueAt(script, keys)
  if (!has) return `${place} is missing`
  const name = keys.at(-1)!
  const may = mayStand(keys, names)
  if (may !== undefined && !may.includes(name)) return `${place} is not known, there are ${may.join(", ")}`
  const wanted = wantedAt(keys)
  return `${place}: ${wanted === undefined ? message : `${wanted} is wanted`}, not ${inShort(value)}`
}

/** The names that may stand beside the one at the end. */
const mayStand = (keys: ReadonlyArray<string>, names: Names): ReadonlyArray<string> | undefined => {
  if (keys.length === 1) return names.script
  if (keys.length === 2) return names.exchange
  return keys.length === 3 && keys[1] === "expect" ? names.expect : undefined
}

const wantedAt = (keys: ReadonlyArray<string>): string | undefined => {
  const [, field, last] = keys
  if (keys.length === 1) return 'an object with "send" and "expect"'
  if (field === "send") return 'text, { "base64": … }, { "repeat": "x", "bytes": 1024 }, or a list of these,'
  if (field !== "expect") return undefined
  if (last === undefined) return 'an object of "text", "lines" and "bytes"'
  return last === "text" ? "text" : "a whole number"
}

const valueAt = (script: unknown, keys: ReadonlyArray<string>): { readonly has: boolean; readonly value: unknown } => {
  let value = script
  for (const key of keys) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key))
      return { has: false, value: undefined }
    value = (value as Record<string, unknown>)[key]
  }
  return { has: true, value }
}

const shownMax = 40

const inShort = (value: unknown): string => {
  const text = JSON.stringify(value)
  return text.length > shownMax ? `${text.slice(0, shownMax - 1)}…` : text
}
