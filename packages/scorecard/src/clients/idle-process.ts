/**
 * Thousands of connections that never send a byte, in a process of their own: the one that plays the scenario has other
 * files to open. Started with a port and a number; says `connected` when all are, and the endings when all have ended
 * (or when it gets a SIGTERM), each as a line of JSON.
 */
import * as net from "node:net"
import type { Seen } from "./ClientRecord.ts"

/** One connection's end; `at` in milliseconds of the epoch, since the times of two processes are compared. */
export interface IdleEnding {
  readonly seen: Array<Seen>
  at: number | null
  trouble: string | null
}

// Less than the shortest backlog in use, so that opening them is not what is being tested.
const wave = 250

const [port, count] = process.argv.slice(2).map(Number) as [number, number]
const endings: Array<IdleEnding> = []
let closed = 0

const idle = () =>
  new Promise<void>((connected) => {
    const ending: IdleEnding = { seen: [], at: null, trouble: null }
    endings.push(ending)
    const see = (what: Seen) => {
      ending.at ??= Date.now()
      ending.seen.push(what)
    }
    const socket = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true })
    socket.on("connect", connected)
    socket.on("end", () => {
      see("FIN")
      socket.end()
    })
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") see("refused")
      else if (error.code === "ECONNRESET" || error.code === "EPIPE") see("RST")
      else ending.trouble = error.code ?? error.message
    })
    socket.on("close", () => {
      connected()
      closed += 1
      if (closed === count) report()
    })
    socket.resume()
  })

const say = (what: unknown, then?: () => void) => process.stdout.write(`${JSON.stringify(what)}\n`, then)

// Leaves only when the pipe has taken all of it.
const report = () => say({ endings }, () => process.exit(0))

process.once("SIGTERM", report)

for (let opened = 0; opened < count; opened += wave) {
  await Promise.all(Array.from({ length: Math.min(wave, count - opened) }, idle))
}
say({ connected: count })
