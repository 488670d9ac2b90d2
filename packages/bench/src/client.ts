/** One connection of the load generator's in Node. */
import * as net from "node:net"
import * as tls from "node:tls"
import { closeFrame, type Exchange } from "./exchange.ts"

export interface To {
  /** A port, or a path. */
  readonly address: string
  /** Where it is one that only this generator speaks. */
  readonly transport: string
  readonly exchange: Exchange
  /** Of one request. */
  readonly requestBytes: number
}

/** What all clients together have had. */
export const total = { ops: 0, in: 0, out: 0, errors: 0 }

export const fail = (what: string): never => {
  process.stderr.write(`generator: ${what}\n`)
  process.exit(1)
}

const dial = ({ address, transport }: To, onConnect: () => void): net.Socket => {
  if (address.includes("/")) return net.connect({ path: address, allowHalfOpen: true }, onConnect)
  const there = { host: "127.0.0.1", port: Number(address), allowHalfOpen: true }
  if (transport !== "tls") return net.connect({ ...there, noDelay: true }, onConnect)
  return tls.connect({ ...there, rejectUnauthorized: false, minVersion: "TLSv1.3" }, onConnect).setNoDelay(true)
}

const upgraded = "HTTP/1.1 101"

/** Whoever asks, on one connection. */
export interface Asking {
  /** Whether what was asked has its answer. */
  readonly isAnswered: boolean
  /** Both sides have said goodbye, where one is said at all. */
  readonly isParted: boolean
  /** It may be told to end, so that an answer of another length is a refusal. */
  isEnding: boolean
  onAnswer: (client: Asking, messages: number) => void
  onEnd: (client: Asking, error: Error | undefined) => void
  ask(messages: number): void
  part(): void
}

export class Client implements Asking {
  readonly socket: net.Socket
  /** Bytes of answers that have not come. */
  private missing = 0
  isEnding = false
  onAnswer: Asking["onAnswer"] = () => {}
  onEnd: Asking["onEnd"] = () => fail("the server ended a connection")
  get isAnswered(): boolean {
    const { answer, lastAnswer } = this.to.exchange
    if (this.isRefused) return false
    return this.missing === 0 || (lastAnswer.length > 0 && this.missing === answer.length - lastAnswer.length)
  }
  get isParted(): boolean {
    return this.hasParted && (this.to.exchange.goodbye.length === 0 || this.hasHeard)
  }
  private readonly to: To
  private readonly onReady: (client: Client) => void
  private at = 0
  private greeting: string | undefined
  private hasParted = false
  private isRefused = false
  /** The server's close frame. */
  private hasHeard = false

  /** `onReady` when it may ask. */
  constructor(to: To, onReady: (client: Client) => void) {
    this.to = to
    this.onReady = onReady
    let problem: Error | undefined
    this.socket = dial(to, () => this.connected())
    this.socket.on("data", (chunk: Buffer) => this.take(chunk))
    this.socket.on("error", (error) => (problem = error))
    this.socket.on("end", () => this.socket.end())
    this.socket.on("close", () => this.onEnd(this, problem))
  }

  ask(messages: number): void {
    if (this.isRefused) return
    const { exchange, requestBytes } = this.to
    this.missing += messages * exchange.answer.length
    for (let i = 0; i < messages; i++) {
      this.socket.write(exchange.requests.subarray(this.at, this.at + requestBytes))
      this.at = (this.at + requestBytes) % exchange.requests.length
    }
  }

  part(): void {
    if (this.hasParted) return
    this.hasParted = true
    const { goodbye } = this.to.exchange
    if (goodbye.length > 0) this.socket.write(goodbye)
    else this.socket.end()
  }

  private connected(): void {
    const { hello } = this.to.exchange
    if (hello.length === 0) return this.onReady(this)
    this.greeting = ""
    this.socket.write(hello)
  }

  private take(chunk: Buffer): void {
    if (this.greeting !== undefined) return this.greeted(chunk)
    total.in += chunk.length
    const answers = this.count(chunk)
    total.ops += answers
    if (this.hasHeard) this.part()
    else if (answers > 0) this.onAnswer(this, answers)
  }

  private greeted(chunk: Buffer): void {
    this.greeting += chunk.toString("latin1")
    if (!this.greeting!.startsWith(upgraded.slice(0, this.greeting!.length))) fail("the hello is refused")
    if (!this.greeting!.endsWith("\r\n\r\n")) return
    this.greeting = undefined
    this.onReady(this)
  }

  /** The answers that end in it. */
  private count(chunk: Buffer): number {
    const { answer, goodbye } = this.to.exchange
    const { length } = answer
    const isFramed = goodbye.length > 0
    let answers = 0
    let from = 0
    while (from < chunk.length && !this.isRefused) {
      const left = this.missing === 0 ? length : ((this.missing - 1) % length) + 1
      if (left === length && isFramed && chunk[from] === closeFrame) {
        this.hasHeard = true
        break
      }
      if (this.missing === 0) break
      if (left === length && chunk[from] !== answer[0]) fail("what comes is no answer")
      const part = Math.min(left, chunk.length - from)
      from += part
      this.missing -= part
      if (part < left) break
      if (chunk[from - 1] !== answer[length - 1]) {
        if (!this.isEnding) fail("an answer has another length")
        this.isRefused = true
        break
      }
      answers++
    }
    return answers
  }
}
