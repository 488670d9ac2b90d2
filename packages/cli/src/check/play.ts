/** One scenario, played once: a server, its clients, a signal, and what became of them. */
import type { Connection, Finding, Play } from "../report/Report.ts"
import type { Capture } from "./Capture.ts"
import { crashed, leftOthers } from "./judging.ts"
import * as kernel from "./kernel.ts"
import type { Scenario } from "./Scenario.ts"
import { CannotStart, type Command, Server } from "./Server.ts"
import { NotRun, type Played, type Setting, Stage } from "./Stage.ts"

export const without = (verdict: "n/a" | "not run", because: string): Play => ({
  verdict,
  findings: [],
  notes: [because],
  exitSeconds: null,
  exitCode: null,
  exitSignal: null,
  killed: false,
  facts: {},
  kernel: {},
  connections: [],
  stderr: ""
})

/** How it went, and what is measured. */
export interface PlayedOnce {
  readonly play: Play
  readonly measured: number | null
  /** The server went on as if it had not been told anything. */
  readonly isDeaf: boolean
}

/** Plays a scenario on a server of its own. What cannot be played is told in the play. */
export const playOnce = async (
  scenario: Scenario,
  command: Command,
  setting: Setting,
  capture?: Capture
): Promise<PlayedOnce> => {
  const before = kernel.counters()
  let stage: Stage | undefined
  let server: Server | undefined
  try {
    server = await Server.start(command)
    stage = new Stage(server, setting)
    await capture?.take()
    await scenario.play(stage)
    const played = await stage.finish(setting.bounds.graceMillis)
    const findings = scenario.judge(played, setting)
    return {
      play: playOf(played, findings, { ...kernel.since(before), ...(await capture?.take()) }),
      measured: scenario.measured === undefined ? measuredOf(played) : scenario.measured(played),
      isDeaf: played.isDeaf && played.killed
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    // What a scenario waits for in vain before the signal says nothing of the end, and is no pass.
    const output = error instanceof CannotStart ? error.output : (server?.output ?? "")
    const because = error instanceof NotRun ? error.message : `it could not be played: ${error.message}`
    return { play: { ...without("not run", because), stderr: output }, measured: null, isDeaf: false }
  } finally {
    stage?.leave()
    await server?.end()
  }
}

const measuredOf = ({ exitSeconds, killed, measured }: Played): number | null =>
  measured === undefined ? (killed ? null : exitSeconds) : measured

export const round = (value: number): number => Math.round(value * 1000) / 1000

const playOf = (played: Played, findings: ReadonlyArray<Finding>, counted: Record<string, number>): Play => {
  const { clients, exitCode, exitSeconds, exitSignal, facts, killed, notes, output, signalledAt } = played
  const all = [...leftOthers(played), ...crashed(played), ...findings]
  const verdict = all.some(({ level }) => level === "fail") ? "fail" : all.length > 0 ? "warn" : "pass"
  // Where no signal was sent, from the first thing that happened.
  const zero = signalledAt ?? Math.min(...clients.flatMap(({ happenings }) => happenings.map(({ at }) => at)))
  return {
    verdict,
    findings: all,
    notes,
    exitSeconds: exitSeconds === null ? null : round(exitSeconds),
    exitCode,
    exitSignal,
    killed,
    facts,
    kernel: counted,
    connections: clients.map(
      ({
        ending,
        expectedBytes,
        group,
        happenings,
        instead,
        millis,
        receivedBytes,
        seen,
        trouble,
        whole
      }): Connection => ({
        group,
        expectedBytes,
        receivedBytes,
        whole,
        instead,
        ending,
        seen,
        toldMillis: millis,
        trouble,
        events: happenings.map(({ at, bytes, what }) => ({
          at: round(at - zero),
          what,
          ...(bytes === undefined ? {} : { bytes })
        }))
      })
    ),
    stderr: output
  }
}
