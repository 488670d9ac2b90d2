/**
 * The shutdown scorecard over HTTP/1.1, HTTP/2 and upgraded WebSockets: the job server on Finwait's drop-in for Effect's
 * `NodeHttpServer`, through `HttpRouter.serve` and through `HttpServer.serve`, a process for every row. Effect's own, and
 * what there is for servers of `node:http`, are played beside it for the tables at the end; nothing is asserted of those.
 */
import { afterAll, describe, it, vi } from "vitest"
import {
  type Column,
  Gate,
  httpSubjects,
  httpWireNames,
  type Outcome,
  overview,
  type RunOptions,
  type Scenario,
  scenarios,
  wireOf
} from "../packages/scorecard/src/index.ts"

/** More at a time than elsewhere: most of these only wait for something, and some of the others wait in vain. */
const gate = new Gate(7)

// It is the gate that decides who may play: whoever waits there holds nobody up.
vi.setConfig({ maxConcurrency: 20 })

// Ten thousand are for the servers that are looked at one by one.
const connections = 2_000

// Some of the others never end, or long after anybody waits for it.
const givenUp: RunOptions = { connections, capSeconds: 5 }

// Waiting for its turn counts as well, so that this bounds all rows together.
const timeout = 400_000

/** What was played, under the name that its column has. */
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

const ours = httpWireNames.flatMap((wire) => httpSubjects[wire].finwait)
const others = httpWireNames.flatMap((wire) => httpSubjects[wire].others)

describe.concurrent.each(aloneFirst(scenarios))("$id $title: $good", { timeout }, (scenario) => {
  for (const subject of ours.filter((subject) => apply(subject).includes(scenario))) {
    it(subject, () => playGood(scenario, subject, { connections }))
  }
})

// Idle connections have no time for one more request, however short they have been idle.
const graceless = "finwait-http, no grace"
const changedByGrace = new Set(["S2a", "S2b", "S5", "S8"])

describe.concurrent(graceless, { timeout }, () => {
  for (const scenario of scenarios.filter(({ id }) => changedByGrace.has(id))) {
    it(named(scenario), () =>
      playGood(scenario, "finwait-http", { connections, limits: { KEEP_ALIVE_GRACE_MS: 0 } }, graceless)
    )
  }
})

describe.concurrent("what else there is", { timeout }, () => {
  it.each(others)("%s is played as well", async (subject) => {
    await Promise.allSettled(aloneFirst(apply(subject)).map((scenario) => play(scenario, subject, givenUp)))
  })
})

/** In the order of the scorecard. */
const columnOf = (name: string): Column => {
  const outcomes = played.get(name) ?? []
  const rows = scenarios.flatMap((scenario) => outcomes.find((outcome) => outcome.scenario === scenario) ?? [])
  return { name, outcomes: rows }
}

afterAll(() => {
  for (const wire of httpWireNames) {
    const { finwait, others } = httpSubjects[wire]
    const names = [...finwait, ...(wire === "http1" ? [graceless] : []), ...others]
    console.log(`The scorecard over ${wire}\n\n${overview(names.map(columnOf))}\n`)
  }
})
