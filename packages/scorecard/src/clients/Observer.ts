/**
 * A connection of our own on which the server is asked how many it has. Connections are accepted in the order in which
 * they were made, so an answer here also says that every connection made before has been accepted.
 */
import * as net from "node:net"
import { createInterface } from "node:readline"
import { until, within } from "../Waiting.ts"

const answerMillis = 15_000

export class Observer {
  private readonly socket: net.Socket
  private readonly lines: AsyncIterator<string>

  constructor(port: number) {
    this.socket = net.connect({ host: "127.0.0.1", port, noDelay: true })
    // What befalls this connection is not under test; a missing answer is reported as one.
    this.socket.on("error", () => {})
    this.lines = createInterface({ input: this.socket })[Symbol.asyncIterator]()
  }

  /** The number of open connections, this one among them. */
  async count(): Promise<number> {
    this.socket.write("STAT\n")
    const line = await within(answerMillis, this.lines.next(), "answer to STAT")
    const open = /^OPEN (\d+)$/.exec(String(line.value))?.[1]
    if (open === undefined) throw new Error(`STAT was answered with ${JSON.stringify(line.value)}`)
    return Number(open)
  }

  /** Waits until there are so many, this one among them, for so long. */
  counts(open: number, millis: number): Promise<boolean> {
    return until(millis, async () => (await this.count()) === open)
  }

  leave(): void {
    this.socket.end()
  }
}
