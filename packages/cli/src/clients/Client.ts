/**
 * A client that does nothing by itself: when it reads, how fast, what it leaves unread and whether it answers a goodbye
 * are the scenario's decisions. It shares no code with any subject.
 */
import { Latch, settles, until, within } from "../Waiting.ts"
import type { Channel, Kind } from "./channels/Channel.ts"
import { type ClientRecord, endingOf, type Happening, type Seen } from "./ClientRecord.ts"
import type { Dialect, Transcript } from "./Dialect.ts"
import type { Table } from "./kernel.ts"
import { portOf, type To } from "./To.ts"
import type { Wire } from "./Wire.ts"

export interface ClientOptions {
  /** What it stands for, in reports. */
  readonly group: string
  /** `now`: all the time. `later`: nothing until told. `once`: what comes first, then nothing until told. */
  readonly reads?: "now" | "later" | "once"
  /** Reads no faster than this. */
  readonly bytesPerSecond?: number
  /** Whether it answers the server's goodbye and FIN with its own, as a peer should. */
  readonly answers?: boolean
}

/** What is heard within so long of one another is told as one. */
const togetherMillis = 25
/** A long transfer has no more to tell. */
const happeningsMax = 400

const connectMillis = 10_000
const answerMillis = 15_000
// The server is gone by then, so whatever is still to be seen is already in this machine's kernel.
const settleMillis = 3_000

export class Client<E, O = undefined> {
  readonly group: string
  readonly wire: string
  readonly transcript: Transcript<E>
  readonly seen: Array<Seen> = []
  readonly happenings: Array<Happening> = []
  /** It has seen something of an end. */
  readonly told = new Latch()
  /** The connection is over for it: a FIN, an RST or a refusal. */
  readonly ended = new Latch()
  private readonly isConnected = new Latch()
  private readonly isReady = new Latch()
  private readonly closed = new Latch()
  private readonly channel: Channel
  private readonly dialect: Dialect<E>
  private readonly port: number | undefined
  private answers: boolean
  private readonly bytesPerSecond: number | undefined
  private readingSince: number | undefined
  private once: boolean
  private toldAt: number | undefined
  private stillOpen = false
  private trouble: string | null = null

  constructor(to: To, wire: Wire<E, O>, options: ClientOptions, wireOptions?: O) {
    this.group = options.group
    this.wire = wire.name
    this.port = portOf(to)
    this.answers = options.answers ?? true
    this.bytesPerSecond = options.bytesPerSecond
    this.dialect = wire.dialect
    this.transcript = wire.dialect.transcript()
    this.channel = wire.open(
      to,
      {
        connected: () => this.onConnected(),
        ready: () => this.isReady.open(),
        heard: (chunk, kind) => this.onHeard(chunk, kind),
        saw: (what) => this.onSaw(what),
        failed: (trouble) => this.onFailed(trouble),
        closed: () => this.closed.open()
      },
      wireOptions
    )
    if (options.reads !== "later") this.read()
    this.once = options.reads === "once"
  }

  /** The peer's kernel has taken the connection; or it is refused, or reset: `seen` says which. */
  async connected(): Promise<this> {
    await within(connectMillis, Promise.race([this.isConnected.opened, this.ended.opened]), `${this.group}: connect`)
    return this
  }

  /** The handshakes are over as well; or it has ended. */
  async ready(): Promise<this> {
    await within(connectMillis, Promise.race([this.isReady.opened, this.ended.opened]), `${this.group}: handshake`)
    return this
  }

  ask(exchange: E): void {
    const request = this.transcript.ask(exchange)
    this.happened("asked", request.length)
    this.channel.send(request)
  }

  /** Half of a request, and never the rest; nothing is expected for it. */
  askHalf(exchange: E): void {
    this.happened("half of a request")
    this.channel.sendHalf(this.dialect.transcript().ask(exchange))
  }

  send(message: string | Uint8Array): void {
    this.happened("said", message.length)
    this.channel.send(message)
  }

  /** Begins, or goes on, to read. */
  read(): void {
    if (this.readingSince === undefined || this.once) this.happened("reads")
    this.once = false
    this.readingSince ??= performance.now()
    this.channel.read()
  }

  /** Answers the goodbye that was heard, and what is heard from here on. */
  answer(): void {
    this.answers = true
    this.happened("answered")
    for (const what of this.seen) this.channel.answer(what)
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
    const state = this.stateIn(table) ?? "established"
    this.stillOpen = endingOf(this.seen) === "open" && state === "established"
  }

  /** After the server is gone: reads what is left, looks for an RST behind a FIN, and leaves. */
  async settle(table: Table | undefined): Promise<void> {
    if (!this.stillOpen) {
      this.once = false
      this.read()
      await settles(settleMillis, this.ended.opened)
      if (this.seen.at(-1) === "FIN") await this.lookBehindFin(table)
    }
    this.channel.destroy()
  }

  /** It has seen something of an end. */
  get over(): boolean {
    return this.seen.length > 0 || this.trouble !== null
  }

  /** It was told that nothing more is answered: by an answer, or before the connection ended. */
  get wasAnnounced(): boolean {
    return this.transcript.saidLast || this.seen[0] === "GOAWAY"
  }

  /** Its connection is still there, whatever was said on it. */
  get kept(): boolean {
    return endingOf(this.seen) === "open" && this.trouble === null
  }

  /** Its connection was reset, says the kernel; `undefined` where it says nothing. Needs no reading. */
  isReset(table: Table | undefined): boolean | undefined {
    const state = this.stateIn(table)
    return state === undefined ? undefined : state === "gone"
  }

  leave(): void {
    this.channel.destroy()
  }

  record(signalledAt: number | undefined): ClientRecord {
    const { expectedBytes, instead, receivedBytes, whole } = this.transcript
    return {
      group: this.group,
      wire: this.wire,
      expectedBytes,
      receivedBytes,
      whole,
      instead,
      ending: this.stillOpen ? "open" : endingOf(this.seen),
      seen: this.seen,
      millis: this.toldAt === undefined || signalledAt === undefined ? null : Math.round(this.toldAt - signalledAt),
      trouble: this.trouble
    }
  }

  /** What the kernel says of it; of a Unix socket it says nothing. */
  private stateIn(table: Table | undefined) {
    return this.port === undefined ? undefined : table?.stateOf(this.channel.localPort, this.port)
  }

  private happened(what: string, bytes?: number): void {
    const at = performance.now()
    const last = this.happenings.at(-1)
    if (bytes !== undefined && last?.what === what && at - last.at < togetherMillis)
      last.bytes = (last.bytes ?? 0) + bytes
    else if (this.happenings.length < happeningsMax)
      this.happenings.push({ at, what, ...(bytes === undefined ? {} : { bytes }) })
  }

  private onConnected(): void {
    this.happened("connected")
    this.isConnected.open()
  }

  private async hears(what: string, enough: () => boolean): Promise<void> {
    const heard = await until(answerMillis, () => enough() || this.over)
    if (!heard) throw new Error(`${this.group}: no ${what} within ${answerMillis} ms`)
  }

  private async lookBehindFin(table: Table | undefined): Promise<void> {
    if (this.answers) await settles(settleMillis, this.closed.opened)
    else if (this.stateIn(table) === "gone") this.onSaw("RST")
  }

  private onHeard(chunk: Buffer, kind: Kind): void {
    this.happened("heard", chunk.length)
    this.transcript.hear(chunk, kind)
    if (this.once) {
      this.happened("stopped reading")
      this.channel.hold()
    } else if (this.bytesPerSecond !== undefined) this.keepPace(this.bytesPerSecond)
  }

  // Stops until the clock has caught up with what was read.
  private keepPace(bytesPerSecond: number): void {
    const due = (this.readingSince ?? 0) + (this.transcript.receivedBytes / bytesPerSecond) * 1000
    const early = due - performance.now()
    if (early < 5) return
    this.channel.hold()
    setTimeout(() => this.channel.read(), early)
  }

  private onSaw(what: Seen): void {
    // What comes now is because the server was killed.
    if (this.stillOpen) return
    this.toldAt ??= performance.now()
    this.happened(what)
    this.seen.push(what)
    if (what === "FIN") this.transcript.end?.()
    this.told.open()
    if (endingOf(this.seen) !== "open") this.ended.open()
    if (this.answers && what !== "RST" && what !== "refused") this.channel.answer(what)
  }

  private onFailed(trouble: string): void {
    this.happened(trouble)
    this.trouble ??= trouble
    this.told.open()
    this.ended.open()
  }
}
