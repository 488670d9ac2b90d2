/**
 * The benchmark, from the command line: `npx -y pnpm@12 bench --help`.
 *
 * Exit code 0 when it ran (and, with `--check`, no floor was missed), 1 when a floor was missed or a subject failed, 2
 * when the arguments are wrong.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { writeDocs } from "./docs.ts"
import { missed, readFloors, writeFloors } from "./floors.ts"
import { compile } from "./compile.ts"
import { compared } from "./compare.ts"
import { native } from "./native.ts"
import { canProfile, profiles } from "./profile.ts"
import { machine, type Run } from "./report.ts"
import { measure, roundsOfProcess } from "./rounds.ts"
import { rows } from "./rows.ts"
import { again, reference, subjects, subjectsOf, withFlags } from "./subjects.ts"
import { head, profilesText, rowOf, rowText } from "./text.ts"

const usage = `bench [options]

  --only TEXT     rows whose name contains it; several, with commas between
  --subjects TEXT subjects whose name contains it; node:net is always among them, twice
  --list          the names of the rows and of the subjects
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
  --docs          writes the figures and the charts of docs/performance.md
  --help          this`

const warmSeconds = 1

class WrongArguments extends Error {}

const positive = (name: string, text: string): number => {
  const value = Number(text)
  if (!(value > 0) || !Number.isFinite(value)) throw new WrongArguments(`--${name} ${text}: not a number above 0`)
  return value
}

const read = () => {
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
  const wanted = values.only?.split(",")
  const chosen = wanted === undefined ? rows : rows.filter(({ id }) => wanted.some((text) => id.includes(text)))
  const none = wanted?.find((text) => !rows.some(({ id }) => id.includes(text)))
  if (none !== undefined) throw new WrongArguments(`--only ${none}: no row is called so; --list has the names`)
  const asked = values.subjects?.split(",")
  const nobody = asked?.find((text) => !subjects.some(({ id }) => id.includes(text)))
  if (nobody !== undefined)
    throw new WrongArguments(`--subjects ${nobody}: no subject is called so; --list has the names`)
  const only =
    asked &&
    subjects
      .map(({ id }) => id)
      .filter((id) => id === reference || id === again || asked.some((text) => id.includes(text)))
  const isPart = values.only !== undefined || only !== undefined
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
    chosen
  }
}

type Options = ReturnType<typeof read>

/** Guessed from the samples to come; said, so that nobody wonders. */
const estimateMinutes = (hasCompiler: boolean, { chosen, flags, only, rounds, seconds }: Options): number =>
  chosen.reduce((sum, row) => {
    const isHeld = row.mode === "hold"
    const sampleSeconds = isHeld ? 3 : row.figure === "simulated" ? 4 : (seconds * (row.times ?? 1) * 4) / 3 + 0.3
    const warm = isHeld ? 0 : ((row.warmSeconds ?? warmSeconds) * 4) / 3 + 0.5
    const subjects = Math.max(1, withFlags(subjectsOf(row, hasCompiler, only), flags).length)
    return sum + (sampleSeconds * rounds + warm * Math.ceil(rounds / roundsOfProcess)) * subjects
  }, 0) / 60

const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

/** After every row: a run takes most of an hour, and what was measured stays, whatever comes then. */
const keep = ({ json }: Options, run: Run): void => {
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(run)}\n`)
}

const measureAll = async (options: Options): Promise<Run> => {
  compile()
  const { chosen, flags, only, rounds, seconds } = options
  const programs = native()
  const about = { machine: machine(programs === undefined ? "Node" : "C"), rounds, seconds }
  console.log(head(about))
  if (programs === undefined) console.log("no C compiler here: the load generator is Node's, and there is no C server")
  const minutes = Math.ceil(estimateMinutes(programs !== undefined, options))
  console.log(`${chosen.length} rows, about ${minutes} minutes\n`)
  const results: Array<Run["rows"][number]> = []
  const run = { date: new Date().toISOString().slice(0, 10), ...about }
  for (const row of chosen) {
    const result = await measure(row, { rounds, seconds, warmSeconds, only, native: programs, flags, progress })
    progress("")
    console.log(`${rowText(result)}\n`)
    results.push(result)
    keep(options, { ...run, rows: results })
  }
  return { ...run, rows: results }
}

const kept = (file: string): Run => JSON.parse(readFileSync(file, "utf8")) as Run

/** Runs that were kept, as one. */
const together = (files: ReadonlyArray<string>): Run => {
  const runs = files.map(kept)
  const last = runs.at(-1)!
  const measured = new Map(runs.flatMap(({ rows }) => rows.map((row) => [row.row, row] as const)))
  return { ...last, rows: rows.flatMap(({ id }) => measured.get(id) ?? []) }
}

const profileAll = async ({ chosen, only }: Options): Promise<void> => {
  compile()
  for (const row of chosen.filter(canProfile)) {
    const found = await profiles(row, only, native(), progress)
    progress("")
    console.log(`${profilesText(row, found)}\n`)
  }
}

/** For the rows whose goals are the hardest to reach. */
const inTheWay = async (): Promise<NonNullable<Run["profiles"]>> => {
  compile()
  const found: Array<NonNullable<Run["profiles"]>[number]> = []
  for (const id of ["ping-64-100", "churn", "storm-server"]) {
    found.push(...(await profiles(rowOf(id), undefined, native(), progress)))
  }
  progress("")
  return found
}

const run = async (options: Options): Promise<boolean> => {
  const done = options.from === undefined ? await measureAll(options) : together(options.from.split(","))
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(done, null, 1)}\n`)
  if (options.compare !== undefined) console.log(compared(kept(options.compare), done))
  if (options.record) writeFloors(done)
  if (options.docs) writeDocs(done.profiles === undefined ? { ...done, profiles: await inTheWay() } : done)
  if (!options.check) return true
  const below = missed(done, readFloors())
  console.log(below.length === 0 ? "every floor holds" : below.join("\n"))
  return below.length === 0
}

const perform = async (options: Options): Promise<boolean> => {
  if (options.help) console.log(usage)
  else if (options.list) for (const { id, title } of [...rows, ...subjects]) console.log(`${id.padEnd(20)}${title}`)
  else if (options.profile) await profileAll(options)
  else return run(options)
  return true
}

try {
  process.exitCode = (await perform(read())) ? 0 : 1
} catch (error) {
  const wrong = error instanceof WrongArguments
  console.error(`${error instanceof Error ? error.message : String(error)}${wrong ? `\n\n${usage}` : ""}`)
  process.exitCode = wrong ? 2 : 1
}
