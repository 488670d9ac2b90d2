/** One connection of the client: asks, reads the answer, asks again; and says what became of each request. */
import { Buffer } from "node:buffer"
import * as net from "node:net"
import * as tls from "node:tls"
import type { Event, Fate } from "./Counts.ts"
import { isBodyOf } from "./filler.ts"

export interface Ask {
  readonly id: number
  readonly bytes: number
  readonly words: string
  /** Before the next request on this connection. */
  readonly pauseMillis: number
}

export interface Owner {
  readonly port: number
  readonly ca: string | undefined
  /** The next request, or nothing if there is to be none. */
  next(): Ask | undefined
  tell(what: Fate | Event, about: string): void
  /** It asks no more: somebody else has to. Told once. */
  leave(wasRefused: boolean): void
  /** It is gone altogether. */
  gone(link: Link): void
}

interface Answer {
  readonly status: string
  readonly body: Buffer
  readonly closes: boolean
  readonly length: number
}

/** On loopback, who connects from the very port that nobody listens on is connected with himself: not from there. */
const from = process.platform === "linux" ? { localAddress: "127.0.0.2" } : {}

/** An answer, if all of it is there. */
const parse = (bytes: Buffer): Answer | undefined => {
  const end = bytes.indexOf("\r\n\r\n")
  if (end < 0) return undefined
  const head = bytes.toString("latin1", 0, end).toLowerCase()
  const status = head.split(" ", 2)[1]!
  const closes = /^connection: close\r?$/m.test(head)
  const begin = end + 4
  if (!head.includes("\r\ntransfer-encoding: chunked")) {
    const length = begin + Number(/^content-length: (\d+)\r?$/m.exec(head)?.[1] ?? 0)
    if (bytes.length < length) return undefined
    return { status, body: bytes.subarray(begin, length), closes, length }
  }
  const chunks: Array<Buffer> = []
  for (let at = begin; ;) {
    const line = bytes.indexOf("\r\n", at)
    if (line < 0) return undefined
    const size = Number.parseInt(bytes.toString("latin1", at, line), 16)
    const next = line + 2 + size + 2
    if (bytes.length < next) return undefined
    if (size === 0) return { status, body: Buffer.concat(chunks), closes, length: next }
    chunks.push(bytes.subarray(line + 2, line + 2 + size))
    at = next
  }
}

export class Link {
  private readonly owner: Owner
  private readonly socket: net.Socket
  private isConnected = false
  /** Answers that it has had. */
  private answers = 0
  private asked: Ask | undefined
  private heard: Buffer = Buffer.alloc(0)
  private isTold = false
  private isOver = false
  private pause: NodeJS.Timeout | undefined

  constructor(owner: Owner) {
    this.owner = owner
    const where = { host: "127.0.0.1", port: owner.port, ...from }
    const { ca } = owner
    this.socket = ca === undefined ? net.connect(where) : tls.connect({ ...where, ca, servername: "localhost" })
    this.socket.setNoDelay(true)
    this.socket.on(ca === undefined ? "connect" : "secureConnect", () => {
      this.isConnected = true
      this.ask()
    })
    this.socket.on("data", (chunk: Buffer) => this.hear(chunk))
    this.socket.on("end", () => this.over("FIN"))
    this.socket.on("error", (error: NodeJS.ErrnoException) => this.over(error.code ?? error.message))
    this.socket.on("close", () => {
      // Nobody said how it ended: it was us.
      this.over("no end")
      owner.gone(this)
    })
  }

  /** Ends it, if nothing is asked. */
  finish(): void {
    if (this.asked === undefined && this.isConnected && !this.isOver) this.end()
  }

  private end(): void {
    clearTimeout(this.pause)
    this.isOver = true
    this.socket.end()
    if (!this.isTold) this.owner.leave(false)
  }

  private ask(): void {
    const asked = this.owner.next()
    if (asked === undefined) return this.end()
    this.asked = asked
    this.socket.write(asked.words)
  }

  private hear(chunk: Buffer): void {
    this.heard = this.heard.length === 0 ? chunk : Buffer.concat([this.heard, chunk])
    const { asked } = this
    const answer = parse(this.heard)
    if (answer === undefined || this.isOver) return
    if (asked === undefined || answer.length < this.heard.length) {
      this.owner.tell("wrong", `unasked: ${this.heard.toString("latin1", 0, 100)}`)
      this.end()
      return void this.socket.destroy()
    }
    this.asked = undefined
    this.heard = Buffer.alloc(0)
    this.answers++
    const isRight = answer.status === "200" && isBodyOf(answer.body, asked.id, asked.bytes)
    this.owner.tell(isRight ? "whole" : "wrong", `${asked.id}: ${answer.status}, ${answer.body.length} bytes`)
    if (answer.closes) {
      this.isTold = true
      this.owner.tell("told", "")
      this.owner.leave(false)
    } else if (asked.pauseMillis === 0) this.ask()
    else this.pause = setTimeout(() => this.ask(), asked.pauseMillis)
  }

  /** The first that says how it ended. */
  private over(how: string): void {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.pause)
    const { asked, heard, owner } = this
    this.asked = undefined
    const isFin = how === "FIN"
    const about = `${asked?.id}, the ${this.answers + 1}. on port ${this.socket.localPort}: ${how}`
    const wasRefused = how === "ECONNREFUSED"
    if (!this.isConnected) owner.tell(wasRefused ? "refused" : isFin ? "turnedAway" : "unasked", about)
    else if (asked === undefined) {
      if (!isFin) owner.tell("idleReset", about)
      else if (!this.isTold) owner.tell("idleFin", about)
    } else if (heard.length > 0) owner.tell(isFin ? "cut" : "resetAnswering", about)
    else if (!isFin) owner.tell("reset", about)
    else owner.tell(this.answers === 0 ? "lost" : "crossed", about)
    if (!this.isTold) owner.leave(wasRefused)
  }
}
