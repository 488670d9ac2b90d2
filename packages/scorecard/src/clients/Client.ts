/**
 * A TCP client that does nothing by itself: when it reads, how fast, what it leaves unread and whether it sends its FIN
 * are the scenario's decisions. On `node:net` alone, so that it shares no code with any subject.
 */
import * as net from "node:net"
import type { Exchange } from "../Protocol.ts"
import { Latch, settles, until, within } from "../Waiting.ts"
import type { ClientRecord, Seen } from "./ClientRecord.ts"
import type { Table } from "./kernel.ts"
import { Transcript } from "./Transcript.ts"

export interface ClientOptions {
  /** What it stands for, in reports. */
  readonly group: string
  /** `now`: all the time. `later`: nothing until told. `once`: what comes first, then nothing until told. */
  readonly reads?: "now" | "later" | "once"
  /** Reads no faster than this. */
  readonly bytesPerSecond?: number
  /** Whether it answers the server's FIN with its own, as a peer should. */
  readonly answersFin?: boolean
}

const connectMillis = 10_000
const answerMillis = 15_000
// The server is gone by then, so whatever is still to be seen is already in this machine's kernel.
const settleMillis = 3_000

export class Client {
  readonly group: string
  readonly transcript = new Transcript()
  readonly seen: Array<Seen> = []
  /** The first FIN, RST or refusal. */
  readonly ended = new Latch()
  private readonly closed = new Latch()
  private readonly socket: net.Socket
  private readonly port: number
  private readonly answersFin: boolean
  private readonly bytesPerSecond: number | undefined
  private readingSince: number | undefined
  private once = false
  private localPort = 0
  private endedAt: number | undefined
  private stillOpen = false
  private trouble: string | null = null

  constructor(port: number, options: ClientOptions) {
    this.group = options.group
    this.port = port
    this.bytesPerSecond = options.bytesPerSecond
    this.answersFin = options.answersFin ?? true
    this.socket = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true })
    // Paused before it is connected: Node would otherwise begin to read on its own.
    this.socket.pause()
    this.socket.on("connect", () => (this.localPort = this.socket.localPort ?? 0))
    this.socket.on("data", (chunk: Buffer) => this.onData(chunk))
    this.socket.on("end", () => this.onEnd())
    this.socket.on("error", (error: NodeJS.ErrnoException) => this.onError(error))
    this.socket.on("close", () => this.closed.open())
    if (options.reads !== "later") this.read()
    this.once = options.reads === "once"
  }

  /** Connected, or refused, or reset: `seen` says which. */
  async connected(): Promise<this> {
    if (!this.socket.connecting) return this
    const connected = new Promise((resolve) => this.socket.once("connect", resolve))
    await within(connectMillis, Promise.race([connected, this.ended.opened]), `${this.group}: connect`)
    return this
  }

  ask(exchange: Exchange): void {
    this.transcript.expect(exchange)
    this.send(exchange.request)
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Begins, or goes on, to read. */
  read(): void {
    this.once = false
    this.readingSince ??= performance.now()
    this.socket.resume()
  }

  /** The first bytes of an answer, so that the server has our request in hand; or the end of the connection. */
  async firstBytes(): Promise<void> {
    await this.hears("first bytes", () => this.transcript.receivedBytes > 0)
  }

  /** All that was asked for so far, or the end of the connection. */
  async answered(): Promise<void> {
    await this.hears("whole answer", () => this.transcript.whole)
  }

  /** Before the server is killed: a client that has not been told anything by now never would have been. */
  noteWhetherOpen(table: Table | undefined): void {
    const state = table?.stateOf(this.localPort, this.port) ?? "established"
    this.stillOpen = this.seen.length === 0 && state === "established"
  }

  /** After the server is gone: reads what is left, looks for an RST behind a FIN, and leaves. */
  async settle(table: Table | undefined): Promise<void> {
    if (!this.stillOpen) {
      this.once = false
      this.read()
      await settles(settleMillis, this.ended.opened)
      if (this.seen.at(-1) === "FIN") await this.lookBehindFin(table)
    }
    this.socket.destroy()
  }

  /** It has seen an end. */
  get over(): boolean {
    return this.seen.length > 0 || this.trouble !== null
  }

  leave(): void {
    this.socket.destroy()
  }

  record(signalledAt: number | undefined): ClientRecord {
    const { expectedBytes, receivedBytes, whole } = this.transcript
    return {
      group: this.group,
      expectedBytes,
      receivedBytes,
      whole,
      ending: this.stillOpen ? "open" : (this.seen.at(-1) ?? "open"),
      seen: this.seen,
      millis: this.endedAt === undefined || signalledAt === undefined ? null : Math.round(this.endedAt - signalledAt),
      trouble: this.trouble
    }
  }

  private async hears(what: string, enough: () => boolean): Promise<void> {
    const heard = await until(answerMillis, () => enough() || this.over)
    if (!heard) throw new Error(`${this.group}: no ${what} within ${answerMillis} ms`)
  }

  private async lookBehindFin(table: Table | undefined): Promise<void> {
    if (this.answersFin) await settles(settleMillis, this.closed.opened)
    else if (table?.stateOf(this.localPort, this.port) === "gone") this.see("RST")
  }

  private onData(chunk: Buffer): void {
    this.transcript.hear(chunk)
    if (this.once) this.socket.pause()
    else if (this.bytesPerSecond !== undefined) this.keepPace(this.bytesPerSecond)
  }

  // Stops until the clock has caught up with what was read.
  private keepPace(bytesPerSecond: number): void {
    const due = (this.readingSince ?? 0) + (this.transcript.receivedBytes / bytesPerSecond) * 1000
    const early = due - performance.now()
    if (early < 5) return
    this.socket.pause()
    setTimeout(() => this.socket.resume(), early)
  }

  private onEnd(): void {
    this.see("FIN")
    if (this.answersFin) this.socket.end()
  }

  private onError(error: NodeJS.ErrnoException): void {
    if (error.code === "ECONNREFUSED") this.see("refused")
    else if (error.code === "ECONNRESET" || error.code === "EPIPE") this.see("RST")
    else {
      this.trouble = `${error.code ?? error.name}: ${error.message}`
      this.ended.open()
    }
  }

  private see(what: Seen): void {
    this.endedAt ??= performance.now()
    this.seen.push(what)
    this.ended.open()
  }
}
