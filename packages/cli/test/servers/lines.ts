/**
 * A server of lines that stops as a server should, by hand, on nothing but `node:net`; or with one mistake in it, whose
 * name is in the environment as FLAW. Speaks the script of `lines.json`.
 */
import * as net from "node:net"

const flaw = process.env["FLAW"] ?? "none"
const has = (name: string) => flaw === name

const deadlineMillis = 1600
const lingerMillis = 600
const lingerMaxMillis = 2500
const workMillis = 1000
const largeBytes = 24 * 1024 * 1024
const answerBytes = 200 * 1024

let isDraining = false
let wasForced = false

const resetAll = () => {
  for (const { socket } of connections) {
    wasForced = true
    socket.resetAndDestroy()
  }
}

class Connection {
  readonly socket: net.Socket
  private text = ""
  private busy = 0
  private used = false
  private finalizer = 0
  private isClosing = false

  constructor(socket: net.Socket) {
    this.socket = socket
    connections.add(this)
    socket.on("data", (chunk) => this.hear(chunk))
    socket.on("error", () => {})
    socket.on("close", () => {
      connections.delete(this)
      look()
    })
    socket.on("end", () => {
      if (!this.isClosing && this.busy === 0) this.close()
    })
    accepted++
    // What has come with it is read first.
    if (isDraining && !has("keeps-listening")) setTimeout(() => afterPoll(() => this.drain()), 50)
  }

  private hear(chunk: Buffer): void {
    if (this.isClosing) return
    const lines = (this.text + chunk.toString("latin1")).split("\n")
    this.text = lines.pop() ?? ""
    for (const line of lines) this.answer(line)
  }

  private answer(line: string): void {
    this.used = true
    if (line === "PING") this.say("PONG\n")
    else if (line === "SLOW") {
      this.busy++
      setTimeout(() => {
        this.say("DONE\n")
        this.busy--
        if (isDraining) this.close()
      }, workMillis)
    } else if (line === "GET") {
      this.busy++
      this.socket.write(Buffer.alloc(largeBytes, "."), () => {
        this.busy--
        if (isDraining) this.close()
      })
    } else if (line === "REJECT") {
      this.socket.pause()
      this.say(".".repeat(answerBytes))
      this.close()
    } else if (line === "FINAL") {
      this.finalizer = 1000
      this.say("OK\n")
    } else if (line === "DROP") {
      this.socket.write(Buffer.alloc(largeBytes, "."))
      this.isClosing = true
      this.socket.end()
      if (!has("drop-kept")) setTimeout(() => this.socket.resetAndDestroy(), 300)
    }
  }

  private say(text: string): void {
    this.socket.write(text)
  }

  /** Waiting for nobody but itself. */
  drain(): void {
    if (has("cut-work")) return this.socket.end().destroySoon()
    if (has("flush-cut") && this.socket.writableLength > 0) return void this.socket.destroy()
    if (has("idle-kept") && this.used) return
    if (has("silent-kept") && !this.used) return
    if (this.busy > 0 || this.text !== "" || this.isClosing) return
    this.close()
  }

  /** The deadline. */
  force(): void {
    if (has("half-kept") && this.text !== "") return
    if (has("stalled-kept") && this.socket.writableLength > 0) return
    if (has("idle-kept") || has("silent-kept") || has("waits-for-fin")) return
    if (this.isClosing && this.socket.writableFinished) return
    // Who takes what he is sent is waited for.
    if (this.socket.writableLength > 0 && this.progresses()) return void setTimeout(() => this.force(), 200)
    wasForced = true
    this.socket.resetAndDestroy()
  }

  private unsentBefore = Number.POSITIVE_INFINITY
  private progresses(): boolean {
    // Of one write Node tells when all of it has left: what the kernel takes is not seen otherwise.
    const handle = (this.socket as unknown as { readonly _handle?: { readonly writeQueueSize: number } })._handle
    const unsent = handle?.writeQueueSize ?? 0
    const moves = unsent < this.unsentBefore
    this.unsentBefore = unsent
    return moves
  }

  private close(): void {
    if (this.isClosing) return
    this.isClosing = true
    const wait = this.finalizer
    this.finalizer = 0
    if (wait === 0) return this.linger()
    const from = has("one-by-one-end") ? (queue = queue.then(() => sleep(wait))) : sleep(wait)
    void from.then(() => this.linger())
  }

  private linger(): void {
    const { socket } = this
    socket.end(() => {
      if (has("no-linger")) return void socket.destroy()
      socket.resume()
      if (has("waits-for-fin")) return
      let seen = socket.bytesRead
      const from = performance.now()
      const look = () => {
        const isLate = performance.now() - from > (has("short-linger") ? 300 : lingerMaxMillis)
        if (!isLate && !has("short-linger") && socket.bytesRead > seen) {
          seen = socket.bytesRead
          return void setTimeout(look, lingerMillis)
        }
        socket.destroy()
      }
      setTimeout(look, has("short-linger") ? 300 : lingerMillis * 3)
    })
  }
}

const connections = new Set<Connection>()
let accepted = 0
/** A timer may be late, and then nothing has been looked at before it: behind this it has. */
const afterPoll = (then: () => void) => setImmediate(then)
const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))
let queue = Promise.resolve()

const server = net.createServer({ allowHalfOpen: true }, (socket) => void new Connection(socket))
server.listen(Number(process.env["PORT"]), "127.0.0.1")

const look = () => {
  if (!isDraining || connections.size > 0 || server.listening) return
  const forced = has("exit-0") ? 0 : 1
  process.exit(has("exit-1") ? 1 : wasForced ? forced : 0)
}

const drainAll = async () => {
  if (has("one-by-one")) {
    for (const connection of connections) {
      connection.drain()
      await sleep(10)
    }
  } else for (const connection of connections) connection.drain()
}

const stop = () => {
  if (isDraining) {
    if (has("deaf")) return
    wasForced = true
    resetAll()
    return process.exit(1)
  }
  isDraining = true
  const close = () => {
    if (has("keeps-listening")) setTimeout(() => server.close(look), 1200)
    else server.close(look)
    void drainAll()
    if (has("deaf")) return
    setTimeout(
      () => {
        for (const connection of connections) connection.force()
      },
      deadlineMillis + (flaw.startsWith("one-by-one") ? 20_000 : 200)
    )
  }
  if (has("backlog-cut")) return close()
  // What waits in the backlog is accepted first.
  const closeWhenCalm = () => {
    const before = accepted
    setTimeout(() => afterPoll(() => (accepted === before ? close() : closeWhenCalm())), 60)
  }
  closeWhenCalm()
}
process.on("SIGTERM", stop)
