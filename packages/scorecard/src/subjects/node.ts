/**
 * The job server on `node:net` alone, doing the best simple thing at a signal: close the listener, end the connections
 * that are idle, end the others when their request is answered. It knows no deadline and does not linger.
 */
import * as net from "node:net"
import * as Protocol from "../Protocol.ts"

const open = new Set<Conversation>()
let draining = false

/** One connection: requests one at a time, in order. */
class Conversation {
  busy = false
  private text = ""
  private finalizerMillis = 0
  private readonly socket: net.Socket

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.setEncoding("latin1")
    socket.on("data", (text: string) => {
      this.text += text
      void this.work()
    })
    socket.once("end", () => this.end())
    socket.on("error", () => {})
    socket.on("close", () => open.delete(this))
  }

  end(): void {
    setTimeout(() => this.socket.end(), this.finalizerMillis)
    this.finalizerMillis = 0
  }

  private async work(): Promise<void> {
    if (this.busy) return
    this.busy = true
    let end: number
    while ((end = this.text.indexOf("\n")) >= 0) {
      const request = Protocol.parse(this.text.slice(0, end))
      this.text = this.text.slice(end + 1)
      if (request === undefined) break
      const more = await this.answer(request)
      if (!more || draining) return this.end()
    }
    this.busy = false
  }

  private async answer({ amount, verb }: Protocol.Request): Promise<boolean> {
    switch (verb) {
      case "WORK":
        await new Promise((resolve) => setTimeout(resolve, amount))
        this.socket.write(`DONE ${amount}\n`)
        return true
      case "GET":
        this.sized(amount)
        return true
      case "REJECT":
        this.socket.pause()
        this.sized(amount)
        return false
      case "DROP":
        this.socket.write(Protocol.body(amount))
        return false
      case "FINALIZER":
        this.finalizerMillis = amount
        this.socket.write("OK\n")
        return true
      case "BLOCK":
        Protocol.blockLoop(amount)
        this.socket.write("OK\n")
        return true
      case "STAT":
        this.socket.write(`OPEN ${open.size}\n`)
        return true
    }
  }

  private sized(bytes: number): void {
    this.socket.cork()
    this.socket.write(`SIZE ${bytes}\n`)
    this.socket.write(Protocol.body(bytes))
    this.socket.uncork()
  }
}

const server = net.createServer({ allowHalfOpen: true }, (socket) => open.add(new Conversation(socket)))

server.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1", () => {
  const { port } = server.address() as net.AddressInfo
  process.stdout.write(`${JSON.stringify({ listening: `tcp://127.0.0.1:${port}` })}\n`)
})

process.on("SIGTERM", () => {
  draining = true
  server.close()
  for (const conversation of open) if (!conversation.busy) conversation.end()
})
