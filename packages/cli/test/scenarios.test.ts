/**
 * For each scenario a small server that is known to fail it, and one that is known to pass it: the check tells them apart
 * twenty times out of twenty. The two differ in one thing.
 */
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { freePort } from "../src/check/freePort.ts"
import { playOnce } from "../src/check/play.ts"
import type { Setting } from "../src/check/Stage.ts"
import type { Profile } from "../src/profiles/Profile.ts"
import * as profiles from "../src/profiles/profiles.ts"
import * as Script from "../src/profiles/Script.ts"
import type { Play } from "../src/report/Report.ts"
import { scenarios } from "../src/scenarios/index.ts"

const times = 20
/** At a time: most of a play is waiting. */
const places = 8

const folder = new URL("servers/", import.meta.url)
const script = (name: string) => Effect.runPromise(Script.decode(readFileSync(new URL(name, folder), "utf8")))

const servers = {
  lines: { profile: "line", script: await script("lines.json") },
  http: { profile: "http", script: undefined },
  webSocket: { profile: "websocket", script: await script("webSocket.json") }
} as const
type ServerName = keyof typeof servers

const profileOf = (server: ServerName, to: number): Profile => {
  const { profile, script } = servers[server]
  const options = { to, paths: { quick: "/" }, script }
  if (profile === "http") return profiles.http(options)
  return profile === "websocket" ? profiles.webSocket(options) : profiles.scriptProfile(profile, options)
}

/** Wide enough for a machine that plays eight at once: it is not the small delays that are told apart here. */
const bounds = { promptMillis: 2000, lateMillis: 3000, deadlineMillis: 4500, graceMillis: 5500, closeMillis: 4000 }

/** A scenario, the server that it is played on, the mistake, and how that is told. */
const rows: ReadonlyArray<readonly [id: string, server: ServerName, flaw: string, told: RegExp]> = [
  ["S1", "lines", "cut-work", /answer did not come whole/],
  ["S2a", "lines", "idle-kept", /still running/],
  ["S2b", "lines", "silent-kept", /still running/],
  ["S2c", "lines", "half-kept", /still running/],
  ["S2d", "webSocket", "untold", /it was told nothing/],
  ["S2e", "http", "silent", /not told which answer is the last|answer did not come whole/],
  ["S3", "lines", "stalled-kept", /still running/],
  ["S3b", "lines", "flush-cut", /answer did not come whole/],
  ["S4", "lines", "no-linger", /answer did not come whole/],
  ["S4late", "lines", "short-linger", /answer did not come whole/],
  ["S5", "lines", "waits-for-fin", /still running/],
  ["S6", "lines", "deaf", /second signal was ignored/],
  ["S7", "lines", "backlog-cut", /answer did not come whole/],
  ["S7b", "lines", "keeps-listening", /still served/],
  ["S8", "lines", "one-by-one", /ended .* after the signal/],
  ["S9", "lines", "exit-1", /exit code 1/],
  ["S9f", "lines", "exit-0", /exit code 0/],
  ["S10", "lines", "one-by-one-end", /ended .* after the signal/],
  ["S11", "lines", "drop-kept", /still there/]
]

const settingOf = (profile: Profile): Setting => ({
  profile,
  survey: {
    requests:
      profile.name === "http" ? { quick: { method: "GET", path: "/", status: 200, bytes: 5 } } : profile.requests,
    described: {},
    slowMillis: 1000,
    largeBytes: 24 * 1024 * 1024
  },
  bounds,
  connections: 300,
  restMillis: 0
})

const waiting: Array<() => void> = []
let free = places

const inTurn = async <A>(work: () => Promise<A>): Promise<A> => {
  if (free === 0) await new Promise<void>((enter) => waiting.push(enter))
  else free--
  try {
    return await work()
  } finally {
    const next = waiting.shift()
    if (next === undefined) free++
    else next()
  }
}

const play = (id: string, server: ServerName, flaw: string | undefined): Promise<Play> =>
  inTurn(async () => {
    const to = await freePort("127.0.0.1")
    const scenario = scenarios.find((scenario) => scenario.id === id)!
    const words = [
      "env",
      ...(flaw === undefined ? [] : [`FLAW=${flaw}`]),
      process.execPath,
      new URL(`${server}.ts`, folder).pathname
    ]
    const command = { words, to, signal: "SIGTERM" as const, startMillis: 15_000 }
    return (await playOnce(scenario, command, settingOf(profileOf(server, to)))).play
  })

const said = ({ findings, notes, verdict }: Play): string =>
  [verdict, ...findings.map(({ text }) => text), ...notes].join("; ")

describe.concurrent("a scenario tells a good server from one with a mistake, twenty times", () => {
  it.each(rows)("%s: %s, %s", { timeout: 900_000 }, async (id, server, flaw, told) => {
    const [good, bad] = await Promise.all([
      Promise.all(Array.from({ length: times }, () => play(id, server, undefined))),
      Promise.all(Array.from({ length: times }, () => play(id, server, flaw)))
    ])
    assert.deepStrictEqual(
      good.map(said),
      good.map(() => "pass")
    )
    for (const play of bad) {
      assert.include(["fail", "warn"], play.verdict, said(play))
      assert.match(said(play), told)
    }
  })

  it("knows a row for each", () => {
    assert.deepStrictEqual(
      rows.map(([id]) => id),
      scenarios.map(({ id }) => id)
    )
  })
})
