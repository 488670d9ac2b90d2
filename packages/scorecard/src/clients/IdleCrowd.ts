/** The crowd of idle connections, seen from the process that plays the scenario. */
import type { ChildProcess } from "node:child_process"
import { createInterface } from "node:readline"
import { spawnNode } from "../ServerProcess.ts"
import { Latch, settles, within } from "@finwait/cli/Waiting"
import { type ClientRecord, endingOf } from "@finwait/cli/clients/ClientRecord"
import type { IdleEnding } from "./idle-process.ts"
import { fileLimit } from "@finwait/cli/clients/kernel"
import type { WireName } from "./wires.ts"

const connectMillis = 60_000
const endMillis = 5_000

/** Files that a process needs besides its connections, generously. */
const spareFiles = 200

/** As many as wished for, or as the limit of open files allows: the server and the crowd each hold one file for each. */
export const crowdSize = (wished: number): number => Math.max(0, Math.min(wished, (fileLimit() ?? 1024) - spareFiles))

export interface Crowd {
  /** Waits, with a bound, until all have ended. */
  readonly records: (signalledAt: number | undefined) => Promise<ReadonlyArray<ClientRecord>>
}

/** Connects so many, which are past their handshakes then. */
export const crowd = async (port: number, wire: WireName, size: number): Promise<Crowd> => {
  const child = spawnNode(new URL("idle-process.ts", import.meta.url), [String(port), wire, String(size)], {})
  const connected = new Latch()
  const ended = new Latch()
  let endings: ReadonlyArray<IdleEnding> = []
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const said = JSON.parse(line) as { connected?: number; endings?: ReadonlyArray<IdleEnding> }
    if (said.connected !== undefined) connected.open()
    if (said.endings !== undefined) {
      endings = said.endings
      ended.open()
    }
  })
  await within(connectMillis, Promise.race([connected.opened, diedEarly(child)]), `${size} idle connections`)
  return {
    records: async (signalledAt) => {
      if (!(await settles(endMillis, ended.opened))) {
        child.kill("SIGTERM")
        await settles(endMillis, ended.opened)
      }
      child.kill("SIGKILL")
      return endings.map((ending) => record(wire, ending, signalledAt))
    }
  }
}

const record = (wire: WireName, { at, seen, trouble }: IdleEnding, signalledAt: number | undefined): ClientRecord => ({
  group: "idle",
  wire,
  expectedBytes: 0,
  receivedBytes: 0,
  whole: true,
  instead: [],
  ending: endingOf(seen),
  seen,
  millis: at === null || signalledAt === undefined ? null : Math.round(at - performance.timeOrigin - signalledAt),
  trouble
})

const diedEarly = (child: ChildProcess) =>
  new Promise<never>((_, fail) =>
    child.once("exit", (code) => fail(new Error(`the crowd's process ended with ${code} before all were connected`)))
  )
