/**
 * A connection of our own on which the server is asked how many it has. Connections are accepted in the order in which
 * they were made, so an answer here also says that every connection made before has been accepted.
 */
import { Latch, settles, until, within } from "@finwait/cli/Waiting"
import type { Channel } from "@finwait/cli/clients/channels/Channel"
import type { Dialect } from "./dialects/Dialect.ts"
import type { Wire } from "./wires.ts"

const answerMillis = 15_000
const leaveMillis = 2_000

export class Observer {
  private readonly channel: Channel
  private readonly dialect: Dialect
  private readonly lines: Array<string> = []
  private text = ""
  private spoke = new Latch()
  private readonly closed = new Latch()

  constructor(port: number, wire: Wire) {
    this.dialect = wire.dialect
    this.channel = wire.open(port, {
      connected: () => {},
      ready: () => {},
      heard: (chunk) => this.hear(chunk.toString("latin1")),
      // What befalls this connection is not under test; a missing answer is reported as one.
      saw: (what) => what !== "RST" && what !== "refused" && this.channel.answer(what),
      failed: () => {},
      closed: () => this.closed.open()
    })
    this.channel.read()
  }

  /** The number of open connections, this one among them. */
  async count(): Promise<number> {
    this.channel.send(this.dialect.stat)
    return within(answerMillis, this.nextCount(), "answer to STAT")
  }

  /** Waits until there are so many, this one among them, for so long. */
  counts(open: number, millis: number): Promise<boolean> {
    return until(millis, async () => (await this.count()) === open)
  }

  /** Says goodbye and waits for the end, with a bound: a server that is busy may take its time. */
  async leave(): Promise<void> {
    this.channel.leave()
    if (!(await settles(leaveMillis, this.closed.opened))) this.channel.destroy()
  }

  private hear(text: string): void {
    const lines = (this.text + text).split("\n")
    this.text = lines.pop() ?? ""
    this.lines.push(...lines)
    this.spoke.open()
  }

  /** What is no such answer is passed over: the head of one, for instance. */
  private async nextCount(): Promise<number> {
    while (true) {
      const open = this.dialect.openOf(await this.next())
      if (open !== undefined) return open
    }
  }

  private async next(): Promise<string> {
    while (this.lines.length === 0) {
      this.spoke = new Latch()
      await this.spoke.opened
    }
    return this.lines.shift() ?? ""
  }
}
