/**
 * The drain as it happens: a line per group with a mark per client, redrawn in place on a terminal. Where there is no
 * terminal, a line is added when something has changed and when nothing has for a while, and the marks come at the end.
 */
import type { ClientRecord } from "../clients/ClientRecord.ts"
import type { Stage } from "../Stage.ts"
import { clientCount, groups, treatedWell } from "./groups.ts"
import { bad, dim, good } from "./text.ts"

const redrawMillis = 100
const appendMillis = 500
const quietTicks = 5

const nameWidth = Math.max(...groups.map((group) => group.name.length)) + 2

export class Live {
  private readonly terminal = process.stdout.isTTY
  private timer: NodeJS.Timeout | undefined
  private drawnLines = 0
  private appended = -1
  private quiet = 0

  /** Begins with the signal. */
  watch(stage: Stage): void {
    if (this.terminal) process.stdout.write(hideCursor)
    const show = () => (this.terminal ? this.redraw(recordsOf(stage), since(stage)) : this.append(stage))
    show()
    this.timer = setInterval(show, this.terminal ? redrawMillis : appendMillis)
  }

  /** Ends with what was found out when the process was gone. */
  end(records: ReadonlyArray<ClientRecord>, last: string): void {
    clearInterval(this.timer)
    this.redraw(records, last)
    if (this.terminal) process.stdout.write(showCursor)
  }

  private redraw(records: ReadonlyArray<ClientRecord>, last: string): void {
    const lines = [...marks(records), last]
    const up = this.drawnLines > 0 ? `\x1b[${this.drawnLines}A` : ""
    const erase = this.terminal ? "\x1b[K" : ""
    process.stdout.write(`${up}${lines.map((line) => `${erase}  ${line}\n`).join("")}`)
    this.drawnLines = lines.length
  }

  private append(stage: Stage): void {
    const records = recordsOf(stage)
    const over = records.filter((client) => client.seen.length > 0).length
    this.quiet = over === this.appended ? this.quiet + 1 : 0
    this.appended = over
    if (this.quiet % quietTicks !== 0) return
    process.stdout.write(`  ${since(stage)}, ${over} of ${clientCount} clients have seen an end\n`)
  }
}

const recordsOf = ({ clients, server }: Stage) => clients.map((client) => client.record(server.signalledAt))

const since = ({ server }: Stage) => {
  const seconds = (performance.now() - (server.signalledAt ?? performance.now())) / 1000
  return `${seconds.toFixed(1)} s after SIGTERM`
}

const marks = (records: ReadonlyArray<ClientRecord>) =>
  groups.map((group) => {
    const own = records.filter((client) => client.group === group.name)
    const mark = (client: ClientRecord) =>
      client.ending === "open" ? dim("○") : treatedWell(group, client) ? good("●") : bad("✗")
    return `${group.name.padEnd(nameWidth)}${own.map(mark).join(" ")}`
  })

const hideCursor = "\x1b[?25l"
const showCursor = "\x1b[?25h"

// However the demo is left, the terminal has its cursor.
process.on("exit", () => {
  if (process.stdout.isTTY) process.stdout.write(showCursor)
})
