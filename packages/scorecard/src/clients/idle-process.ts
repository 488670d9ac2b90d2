/**
 * Thousands of connections that never say anything once their handshakes are over, in a process of their own: the one
 * that plays the scenario has other files to open. Started with a port, a wire and a number; says `connected` when all
 * are, and the endings when all have ended (or when it gets a SIGTERM), each as a line of JSON.
 */
import type { Seen } from "@finwait/cli/clients/ClientRecord"
import { type WireName, wires } from "./wires.ts"

/** One connection's end; `at` in milliseconds of the epoch, since the times of two processes are compared. */
export interface IdleEnding {
  readonly seen: Array<Seen>
  at: number | null
  trouble: string | null
}

// Less than the shortest backlog in use, so that opening them is not what is being tested.
const wave = 250

const [port, wireName, count] = process.argv.slice(2) as [string, WireName, string]
const size = Number(count)
const endings: Array<IdleEnding> = []
let closed = 0

const idle = () =>
  new Promise<void>((ready) => {
    const ending: IdleEnding = { seen: [], at: null, trouble: null }
    endings.push(ending)
    const channel = wires[wireName].open(Number(port), {
      connected: () => {},
      ready,
      heard: () => (ending.trouble ??= "it was told something"),
      saw: (what) => {
        ending.at ??= Date.now()
        ending.seen.push(what)
        if (what !== "RST" && what !== "refused") channel.answer(what)
      },
      failed: (trouble) => (ending.trouble ??= trouble),
      closed: () => {
        ready()
        closed += 1
        if (closed === size) report()
      }
    })
    channel.read()
  })

const say = (what: unknown, then?: () => void) => process.stdout.write(`${JSON.stringify(what)}\n`, then)

// Leaves only when the pipe has taken all of it.
const report = () => say({ endings }, () => process.exit(0))

process.once("SIGTERM", report)

for (let opened = 0; opened < size; opened += wave) {
  await Promise.all(Array.from({ length: Math.min(wave, size - opened) }, idle))
}
say({ connected: size })
