/** What the command line asks for. */
import { parseArgs } from "node:util"
import { rows } from "./rows.ts"
import { isReference, subjects } from "./subjects.ts"

export const usage = `bench [options]

  --only TEXT     rows whose name contains it, or is it; several, with commas between
  --subjects TEXT the same for subjects; whom ratios are to is always among them, twice
  --list          the names of these rows and subjects, or of all
  --rounds N      each subject is measured so many times (11)
  --seconds S     so long, after a third of it to warm up (0.5)
  --quick         3 rounds of 0.2 s: whether it works, not how fast it is
  --json FILE     keeps the run's figures, from its first row on
  --compare FILE  beside the ratios of a run that was kept
  --check         fails when a ratio is below its floor by more than this run's own noise
  --record        makes this run's ratios the floors
  --from FILES    runs that were kept, instead of measuring; a later file's rows replace an earlier one's
  --profile       where each row's time goes, by whose code it is, in place of how fast it is
  --flags TEXT    each server a second time with these flags of Node's, as --flags=--single-threaded-gc
  --docs          writes the figures and the charts of docs/performance.md, and of docs/performance-http.md
  --help          this`

export class WrongArguments extends Error {}

const positive = (name: string, text: string): number => {
  const value = Number(text)
  if (!(value > 0) || !Number.isFinite(value)) throw new WrongArguments(`--${name} ${text}: not a number above 0`)
  return value
}

/** Those whose names contain one of the texts; a text that is a whole name means that one alone. */
const named = (
  option: string,
  what: string,
  all: ReadonlyArray<{ readonly id: string }>,
  text: string
): ReadonlySet<string> => {
  const ids = all.map(({ id }) => id)
  const found = text.split(",").map((part) => {
    const these = ids.includes(part) ? [part] : ids.filter((id) => id.includes(part))
    if (these.length === 0)
      throw new WrongArguments(`--${option} ${part}: no ${what} is called so; --list has the names`)
    return these
  })
  return new Set(found.flat())
}

/** @throws WrongArguments */
export const readOptions = () => {
  const parsed = () => {
    try {
      return parseArgs({
        // pnpm hands its own `--` on.
        args: process.argv.slice(2).filter((argument) => argument !== "--"),
        options: {
          only: { type: "string" },
          subjects: { type: "string" },
          list: { type: "boolean", default: false },
          rounds: { type: "string" },
          seconds: { type: "string" },
          quick: { type: "boolean", default: false },
          json: { type: "string" },
          compare: { type: "string" },
          check: { type: "boolean", default: false },
          record: { type: "boolean", default: false },
          from: { type: "string" },
          docs: { type: "boolean", default: false },
          profile: { type: "boolean", default: false },
          flags: { type: "string", default: "" },
          help: { type: "boolean", default: false }
        }
      }).values
    } catch (error) {
      throw new WrongArguments(error instanceof Error ? error.message : String(error))
    }
  }
  const values = parsed()
  const rounds = positive("rounds", values.rounds ?? (values.quick ? "3" : "11"))
  if (!Number.isInteger(rounds)) throw new WrongArguments(`--rounds ${rounds}: not a whole number`)
  const wanted = values.only === undefined ? undefined : named("only", "row", rows, values.only)
  const asked = values.subjects === undefined ? undefined : named("subjects", "subject", subjects, values.subjects)
  const only = asked && subjects.map(({ id }) => id).filter((id) => isReference(id) || asked.has(id))
  const isPart = wanted !== undefined || only !== undefined
  if (values.docs && isPart && values.from === undefined)
    throw new WrongArguments("--docs writes everything: --only and --subjects would leave it with some")
  const flags = values.flags.split(" ").filter((flag) => flag !== "")
  if (flags.length > 0 && (values.docs || values.record || values.check))
    throw new WrongArguments("--flags is for a look: --docs, --record and --check are about servers without them")
  return {
    ...values,
    flags,
    only,
    rounds,
    seconds: positive("seconds", values.seconds ?? (values.quick ? "0.2" : "0.5")),
    chosen: rows.filter(({ id }) => wanted === undefined || wanted.has(id))
  }
}

export type Options = ReturnType<typeof readOptions>
