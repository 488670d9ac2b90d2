/**
 * The shutdown scorecard over every wire: the job server on Finwait's drop-ins for Effect's `NodeSocketServer` and
 * `RpcServer`, over TCP, TLS and WebSocket, a process for every row. The same program on Effect's own is played beside it
 * for the tables at the end; nothing is asserted of that one.
 */
import { afterAll, describe, it } from "vitest"
import {
  Gate,
  type Outcome,
  pairs,
  type RunOptions,
  type Scenario,
  scenarios,
  sideBySide,
  table,
  wireNames,
  wireOf
} from "../packages/scorecard/src/index.ts"

const gate = new Gate()

// Ten thousand are for the servers that are looked at one by one.
const connections = 2_000

// Some of Effect's never end.
const givenUp: RunOptions = { connections, capSeconds: 6 }

// Waiting for its turn counts as well, so that this bounds all rows together.
const timeout = 400_000

// What the version may change: how the goodbye is said, and what is unread when it is. The tickets are 1.3's.
const changedByVersion = new Set(["S1", "S2a", "S2b", "S3", "S3b", "S4", "S4late", "S5", "S11"])
const byVersion12 = `${pairs["socket-tls"].finwait} by TLS 1.2`

/** What was played, under the name that its table has. */
const played = new Map<string, Array<Outcome>>()

const play = async (scenario: Scenario, subject: string, options: RunOptions, name = subject): Promise<Outcome> => {
  const outcome = await gate.play(scenario, subject, options)
  played.set(name, [...(played.get(name) ?? []), outcome])
  return outcome
}

const playGood = async (...what: Parameters<typeof play>): Promise<void> => {
  const { result, verdict } = await play(...what)
  if (!verdict.ok) throw new Error([...verdict.problems, ...result.notes, result.stderr].join("\n"))
}

const apply = (subject: string) => scenarios.filter(({ doesNotApply }) => doesNotApply?.(wireOf(subject)) === undefined)

/** Who plays alone waits for all others to end, and some of those never do. */
const aloneFirst = (rows: ReadonlyArray<Scenario>) =>
  rows.toSorted((a, b) => Number(b.runs === "alone") - Number(a.runs === "alone"))

const named = ({ good, id, title }: Scenario) => `${id} ${title}: ${good}`

describe.each(wireNames)("a server that is told to stop, over %s", { timeout }, (wire) => {
  const { effect, finwait } = pairs[wire]

  for (const scenario of apply(finwait)) {
    it.concurrent(named(scenario), () => playGood(scenario, finwait, { connections }))
  }

  it.concurrent("is played on Effect's own as well", async () => {
    await Promise.allSettled(aloneFirst(apply(effect)).map((scenario) => play(scenario, effect, givenUp)))
  })
})

describe("a server that is told to stop, over TLS 1.2", { timeout }, () => {
  for (const scenario of scenarios.filter(({ id }) => changedByVersion.has(id))) {
    it.concurrent(named(scenario), () =>
      playGood(scenario, pairs["socket-tls"].finwait, { tls: "TLSv1.2" }, byVersion12)
    )
  }
})

/** In the order of the scorecard; those that do not apply say why. */
const rowsOf = async (name: string, subject: string): Promise<ReadonlyArray<Outcome>> => {
  const applied = new Set(apply(subject))
  const rows = scenarios.map(async (scenario) =>
    applied.has(scenario)
      ? played.get(name)?.find((outcome) => outcome.scenario === scenario)
      : gate.play(scenario, subject)
  )
  return (await Promise.all(rows)).filter((outcome) => outcome !== undefined)
}

const columnOf = async (subject: string) => ({ name: subject, outcomes: await rowsOf(subject, subject) })

afterAll(async () => {
  for (const wire of wireNames) {
    const { effect, finwait } = pairs[wire]
    console.log(`The scorecard over ${wire}\n\n${sideBySide(await columnOf(finwait), await columnOf(effect))}\n`)
  }
  const version12 = await rowsOf(byVersion12, pairs["socket-tls"].finwait)
  console.log(`The scorecard of ${byVersion12}\n\n${table(version12)}\n`)
})
