/** A check: a survey of the server, then scenario after scenario, each on a process of its own. */
import { availableParallelism } from "node:os"
import { describe, portOf } from "../clients/To.ts"
import type { Profile, Survey } from "../profiles/Profile.ts"
import { type Report, type Row, version, worstOf } from "../report/Report.ts"
import type { Bounds } from "./Bounds.ts"
import { Capture } from "./Capture.ts"
import { type PlayedOnce, playOnce, round, without } from "./play.ts"
import type { Scenario } from "./Scenario.ts"
import { CannotStart, type Command, Server } from "./Server.ts"
import type { Setting } from "./Stage.ts"
import { survey } from "./survey.ts"

export interface CheckOptions {
  readonly name: string
  readonly command: Command
  readonly profile: Profile
  readonly bounds: Bounds
  readonly connections: number
  readonly restMillis: number
  readonly repeat: number
  readonly scenarios: ReadonlyArray<Scenario>
  /** Whether FIN and RST are counted on the wire. */
  readonly captures: boolean
}

/** Who is told how it goes on. */
export interface Progress {
  surveyed(survey: Survey): void
  begins(scenario: Scenario, play: number): void
  done(row: Row): void
}

/** Fails with {@link CannotStart} when there is nothing to be checked. */
export const check = async (options: CheckOptions, progress: Progress, signal: AbortSignal): Promise<Report> => {
  const { bounds, command, connections, name, profile, restMillis } = options
  const startedAt = new Date()
  const surveyed = await surveyOf(options)
  progress.surveyed(surveyed)
  const setting: Setting = { profile, survey: surveyed, bounds, connections, restMillis }
  const port = portOf(command.to)
  if (options.captures && port === undefined) throw new CannotStart("--capture: a Unix socket has no wire", "")
  const capture = options.captures && port !== undefined ? await Capture.start(port) : undefined
  let rows: ReadonlyArray<Row>
  try {
    rows = await rowsOf(options, setting, progress, signal, capture)
  } finally {
    capture?.end()
  }
  return {
    tool: "finwait check",
    format: version,
    name,
    command: command.words,
    profile: profile.name,
    address: describe(command.to),
    signal: command.signal,
    startedAt: startedAt.toISOString(),
    seconds: round((Date.now() - startedAt.getTime()) / 1000),
    machine: { platform: `${process.platform} ${process.arch}`, cpus: availableParallelism(), node: process.version },
    bounds: { ...bounds, connections, restMillis },
    requests: surveyed.described,
    rows
  }
}

const rowsOf = async (
  { command, profile, repeat, scenarios }: CheckOptions,
  setting: Setting,
  progress: Progress,
  signal: AbortSignal,
  capture: Capture | undefined
): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = []
  let isDeaf = false
  for (const scenario of scenarios) {
    const plays: Array<Pick<PlayedOnce, "play" | "measured">> = []
    for (let time = 1; time <= repeat; time++) {
      signal.throwIfAborted()
      progress.begins(scenario, time)
      const because = scenario.doesNotApply?.(profile)
      const deaf = `the server does not react to ${command.signal} at all, see above`
      if (because !== undefined || isDeaf) {
        plays.push({ play: because === undefined ? without("not run", deaf) : without("n/a", because), measured: null })
        break
      }
      const played = await playOnce(scenario, command, setting, capture)
      plays.push(played)
      if (played.isDeaf) isDeaf = true
    }
    const row = rowOf(scenario, setting, plays)
    rows.push(row)
    progress.done(row)
  }
  return rows
}

const surveyOf = async ({ command, profile }: CheckOptions): Promise<Survey> => {
  const server = await Server.start(command)
  try {
    return await survey(server, profile)
  } finally {
    await server.end()
  }
}

const rowOf = (
  scenario: Scenario,
  setting: Setting,
  plays: ReadonlyArray<Pick<PlayedOnce, "play" | "measured">>
): Row => {
  const figures = plays.flatMap(({ measured }) => (measured === null ? [] : [measured])).toSorted((a, b) => a - b)
  const { bound, fix, good, id, meaning, measure, title, unit } = scenario
  return {
    id,
    title,
    meaning,
    good,
    fix,
    verdict: worstOf(plays.map(({ play }) => play)) ?? "n/a",
    measure,
    unit,
    measured:
      figures.length === 0
        ? null
        : {
            least: round(figures[0]!),
            median: round(figures[Math.floor(figures.length / 2)]!),
            most: round(figures.at(-1)!)
          },
    bound: bound(setting),
    plays: plays.map(({ play }) => play)
  }
}
