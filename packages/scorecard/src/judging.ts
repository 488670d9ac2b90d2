/** The sentences that scenarios judge with: each gives the problems it found, none when there are none. */
import type { ClientRecord } from "@finwait/cli/clients/ClientRecord"
import { type WireName, wires } from "./clients/wires.ts"
import type { Result, Scenario } from "./Scenario.ts"

type Problems = ReadonlyArray<string>

export const judgeWith =
  (...rules: ReadonlyArray<(result: Result) => Problems>): Scenario["judge"] =>
  (result) => {
    const problems = rules.flatMap((rule) => rule(result))
    return { ok: problems.length === 0, problems }
  }

/**
 * The clients of one group, or all of them: there are so many, with a whole answer, and this end. A FIN has to come
 * behind the goodbye that belongs to what the client spoke.
 */
export const clients =
  (expected: {
    readonly group?: string
    readonly count?: number
    readonly whole?: boolean
    readonly ending?: ClientRecord["ending"]
    /** Whether it must have heard the goodbye, where the last word may vary. */
    readonly told?: true
  }) =>
  (result: Result): Problems => {
    const { count, ending, group, told, whole } = expected
    const all = result.clients.filter((client) => group === undefined || client.group === group)
    const name = group ?? "clients"
    const share = (found: ReadonlyArray<ClientRecord>, what: string) =>
      found.length === 0 ? [] : [`${found.length} of ${all.length} ${name}: ${what}`]
    const cut = whole === true ? all.filter((client) => !client.whole) : []
    const otherwise = ending === undefined ? [] : all.filter((client) => client.ending !== ending)
    const asExpected = all.filter((client) => !otherwise.includes(client))
    const toBeTold = told === true ? all : ending === "FIN" ? asExpected : []
    const abrupt = toBeTold.filter((client) => !heardGoodbye(client))
    const troubled = asExpected.filter((client) => client.trouble !== null)
    return [
      ...(count === undefined || count === all.length ? [] : [`${all.length} ${name}, not ${count}`]),
      ...share(cut, `answer not whole (${bytesOf(cut)})`),
      ...share(abrupt, `heard no goodbye (${endingsOf(abrupt)})`),
      ...share(otherwise, `ended by ${endingsOf(otherwise)}, not ${ending}`),
      ...share(troubled, `had trouble: ${endingsOf(troubled)}`)
    ]
  }

const heardGoodbye = ({ seen, wire }: ClientRecord) =>
  wires[wire as WireName].goodbyes.some((goodbye) => seen.includes(goodbye))

/** The process ends by itself, in time, with such an exit code. */
export const process =
  (expected: { readonly within: number; readonly code: 0 | "not 0" | "any" }) =>
  (result: Result): Problems => {
    const { code, within } = expected
    const { exitCode, secondsToExit, signal } = result
    if (result.killed) return [`still running ${secondsToExit?.toFixed(1)} s after the signal, killed`]
    const late = secondsToExit !== null && secondsToExit > within
    const wrongCode = code === "not 0" ? exitCode === 0 : code !== "any" && exitCode !== code
    return [
      ...(signal === null ? [] : [`died of ${signal}`]),
      ...(late ? [`ended after ${secondsToExit.toFixed(1)} s, not within ${within} s`] : []),
      ...(wrongCode && signal === null
        ? [`exit code ${exitCode}, not ${code === "not 0" ? "another than 0" : code}`]
        : [])
    ]
  }

/** What a scenario counted. */
export const fact =
  (name: string, good: (value: number) => boolean, what: string) =>
  (result: Result): Problems => {
    const value = result.facts[name]
    // What cannot be counted on this platform is not held against anybody.
    return value === undefined || good(value) ? [] : [`${what}: ${value}`]
  }

/** A problem in a word or two, for where there is no room for the sentence. */
export const inAWord = (problem: string): string => {
  for (const [sentence, word] of words) {
    const match = sentence.exec(problem)
    if (match !== null) return word(match[1] ?? "")
  }
  return "see below"
}

const words: ReadonlyArray<readonly [sentence: RegExp, word: (found: string) => string]> = [
  [/^still running/, () => "hangs"],
  [/^(\d+) of \d+ [^:]+: answer not whole/, (count) => `lost ${count}`],
  [/^(\d+) of \d+ [^:]+: heard no goodbye/, (count) => `${count} untold`],
  [/^\d+ of \d+ [^:]+: ended by ([^,]+)/, (ending) => ending],
  [/^exit code (\S+), /, (code) => `exit ${code}`],
  [/^ended after (\S+ s)/, (time) => time],
  [/^died of (\S+)/, (signal) => signal],
  [/^it was (?:told|answered) (.+), not/, (what) => what],
  [/^clients that were not told which/, () => "unsaid"],
  [/^requests answered [^:]+: (\d+)/, (count) => `${count} more`],
  [/^connections open after/, () => "leaks"],
  [/^socket descriptors left/, () => "leaks"],
  [/^with a stalled peer it had to be killed/, () => "hangs"],
  [/^exit code after a forced drain: (\d+)/, (code) => `forced ${code}`]
]

const bytesOf = (cut: ReadonlyArray<ClientRecord>) => {
  const sum = (of: (client: ClientRecord) => number) => cut.reduce((total, client) => total + of(client), 0)
  const instead = [...new Set(cut.flatMap((client) => client.instead))]
  const bytes = `${sum((client) => client.receivedBytes)} of ${sum((client) => client.expectedBytes)} bytes`
  return instead.length === 0 ? bytes : `${bytes}; in its place: ${instead.join(", ")}`
}

const endingsOf = (records: ReadonlyArray<ClientRecord>) =>
  [
    ...new Set(
      records.map((client) => client.trouble ?? (client.seen.length > 1 ? client.seen.join(" then ") : client.ending))
    )
  ].join(", ")
