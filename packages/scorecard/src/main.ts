/**
 * The scorecard of one subject, from the command line:
 *
 *     node packages/scorecard/src/main.ts <subject> [scenario …] [--json]
 */
import { Gate, scenarios, subjectExists, table } from "./index.ts"

const words = process.argv.slice(2).filter((word) => !word.startsWith("--"))
const [subject = "finwait", ...ids] = words
const chosen = scenarios.filter((scenario) => ids.length === 0 || ids.includes(scenario.id))

if (!subjectExists(subject) || chosen.length === 0) {
  process.stderr.write(`no such subject or scenario: ${words.join(" ")}\n`)
  process.exit(2)
}

// Children are held on a leash and end with us.
process.on("SIGINT", () => process.exit(130))
process.on("SIGTERM", () => process.exit(143))

const from = performance.now()
const gate = new Gate()
const outcomes = await Promise.all(chosen.map((scenario) => gate.play(scenario, subject)))

if (process.argv.includes("--json")) {
  process.stdout.write(`${JSON.stringify(outcomes.map(({ result, verdict }) => ({ ...result, ...verdict })))}\n`)
} else {
  const played = outcomes.filter(({ doesNotApply }) => doesNotApply === undefined)
  const good = played.filter(({ verdict }) => verdict.ok).length
  const seconds = ((performance.now() - from) / 1000).toFixed(0)
  process.stdout.write(
    `${table(outcomes)}\n\n${subject}: ${good} of ${played.length} rows good, played in ${seconds} s\n`
  )
}
process.exitCode = outcomes.every(({ verdict }) => verdict.ok) ? 0 : 1
