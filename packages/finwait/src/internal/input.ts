/**
 * The reading half of a connection: bytes that arrived and were not taken yet, the one who waits for more, and where
 * the input ends.
 *
 * An input ends for one of four reasons: the peer's FIN, a broken pipe, our own close, or a drain. The first three are
 * facts of the transport. The fourth is a promise to the application: once a drain is announced, what the system had
 * already received is still delivered (the sweep), and then the input ends at the next message boundary, as if the peer
 * had said goodbye. Who reads whole messages says when it is inside one (`boundary: false`); for who reads plain chunks
 * every chunk is a message.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Address from "../Address.ts"
import { Busy, Closed, ConnectionError, Reset } from "../ConnectionError.ts"
import type { PeerEnd, Transport } from "../Transport.ts"

/** What is read, and what can come instead: `E` is what the bytes themselves can be wrong in. */
export type Pulled<A = Uint8Array, E = never> = Effect.Effect<A, E | ConnectionError | Cause.Done>

/** End of input, shared: no error object and no stack for what is not an error. */
export const done: Pulled<never> = Cause.done()

/**
 * How much a sweep buffers before it waits for the reader: enough for thousands of pipelined requests, and small
 * against what a kernel's receive buffer can hold (6 MiB). What is beyond it is swept when the reader has caught up.
 */
export const sweepBytesMax = 1024 * 1024

/**
 * How much a drain sweeps in all, over however many parts. No kernel holds more for one connection (Linux: 6 MiB unless
 * somebody raised `tcp_rmem`); who has sent so much since the announcement never stops sending.
 */
export const sweepTotalBytesMax = 32 * 1024 * 1024

/** Takes chunks inside the transport's own event; see `reading.ts`. */
export interface Sink {
  /** A chunk is being worked on: keep the next one. */
  readonly busy: boolean
  /** The reader is inside a message. */
  readonly unfinished: boolean
  take(chunk: Uint8Array): void
  /** The input has ended. */
  end(exit: Pulled<never>): void
}

/** What a chunk is to the one who reads. */
export interface Taker<A, E = never> {
  taken(chunk: Uint8Array): Pulled<A, E>
  /** What the end of the input is. */
  ended(): Pulled<A, E>
  /** While it waits there is work to be done: it does not wait for the peer alone. */
  readonly isWorking?: boolean
  /** What a failure is, to who does not take it as it is. */
  failed?(error: ConnectionError): Pulled<A, E>
}

/** A read, as an effect that can be run again and again; cheaper than a suspended closure. */
export interface Read<A, E = never> extends Effect.Effect<A, E | ConnectionError | Cause.Done> {
  readonly input: Input
  /** Whether a drain may end it. */
  readonly boundary: boolean
  readonly taker: Taker<A, E>
}

export const Read = function (
  this: { input: Input; boundary: boolean; taker: Taker<unknown, unknown> },
  input: Input,
  boundary: boolean,
  taker: Taker<unknown, unknown>
) {
  this.input = input
  this.boundary = boundary
  this.taker = taker
} as unknown as new <A, E = never>(input: Input, boundary: boolean, taker: Taker<A, E>) => Read<A, E>

Read.prototype = Effectable.Prototype<Read<unknown, unknown>>({
  label: "Connection.pull",
  evaluate() {
    return this.input.take(this)
  }
})

const asItIs: Taker<Uint8Array> = { taken: (chunk) => Exit.succeed(chunk), ended: () => done }
const asArray: Taker<readonly [Uint8Array]> = { taken: (chunk) => Exit.succeed([chunk]), ended: () => done }

/** How a drain gathers what had arrived before it. */
interface Sweep {
  state: "sweeping" | "capped" | "swept"
  /** Counts the parts: one that was cut off may still call back. */
  part: number
  /** How many bytes will have been read when it has swept enough. */
  readonly until: number
}

/** Hears that bytes were thrown away. */
export interface Discarder {
  discarded(): void
}

export class Input {
  readonly transport: Transport
  bytesRead = 0
  bytesDiscarded = 0
  /** The peer's FIN has arrived. */
  peerEnded = false
  /** What more is known of it. */
  peerEnd: PeerEnd | undefined
  /** What waits to be taken: as a rule nothing, or one; the others are behind it. */
  private chunk: Uint8Array | undefined
  private chunks: Array<Uint8Array> | undefined
  private chunksBytes = 0
  private flowing = false
  /** Why no more bytes will come; the error itself is made for who asks. */
  private ended: "end" | Closed["_tag"] | Reset | undefined
  private waiter: ((effect: Pulled<never, never>) => void) | undefined
  /** Whose wait it is. */
  private waiterFiber: Fiber.Fiber<unknown, unknown> | undefined
  private waiterRead: Read<unknown, unknown> | undefined
  private sink: Sink | undefined
  private discarder: Discarder | undefined
  private sweep: Sweep | undefined
  // One of each per connection, and only where somebody reads so.
  private pulling: Read<Uint8Array> | undefined
  private pullingRest: Read<Uint8Array> | undefined

  constructor(transport: Transport) {
    this.transport = transport
  }

  /** The next chunk; ends at a message boundary when the connection is told to drain. */
  get pull(): Pulled {
    return (this.pulling ??= new Read(this, true, asItIs))
  }

  /** The same as an array, which is how a stream takes it. */
  get pullArray(): Pulled<readonly [Uint8Array]> {
    return new Read(this, true, asArray)
  }

  /** The next chunk of a message that has begun: a drain does not end it. */
  get pullRest(): Pulled {
    return (this.pullingRest ??= new Read(this, false, asItIs))
  }

  /** Nothing is in hand, and nobody works: the reader waits for the peer. */
  get waiting(): boolean {
    const waits = this.waiterFiber !== undefined && this.waiterFiber.pollUnsafe() === undefined
    if (waits && this.waiterRead?.taker.isWorking === true) return false
    return waits || (this.sink !== undefined && !this.sink.busy)
  }

  /** It has ended for good: nothing more will come. */
  get isOver(): boolean {
    return this.ended !== undefined
  }

  /** A drain has ended the input, but for the message in hand. */
  get swept(): boolean {
    return this.sweep?.state === "swept"
  }

  take<A, E>(read: Read<A, E>): Pulled<A, E> {
    return this.takeNow(read) ?? this.park(read)
  }

  /** What there is now: bytes, an end, or somebody else who reads. */
  private takeNow<A, E>({ boundary, taker }: Read<A, E>): Pulled<A, E> | undefined {
    if (this.isRead) return this.failure(new Busy(), taker)
    const chunk = this.shift()
    if (chunk !== undefined) return taker.taken(chunk)
    const ended = this.endAt(boundary, taker)
    return ended === done ? taker.ended() : ended
  }

  /** Has nothing to take back: who was interrupted has left without a word, which `isRead` finds out. */
  private park<A, E>(read: Read<A, E>): Pulled<A, E> {
    return Effect.callback((resume) => {
      // Between the look and the wait the scheduler may have let others go first: what they told nobody would be lost.
      const meanwhile = this.takeNow(read)
      if (meanwhile !== undefined) return resume(meanwhile)
      this.waiter = resume
      this.waiterFiber = Fiber.getCurrent()
      this.waiterRead = read
      this.flow()
    })
  }

  /** Somebody reads: a sink, or one who waits. Woken for nothing, who still waits takes the place again. */
  private get isRead(): boolean {
    if (this.waiter === undefined) return this.sink !== undefined
    this.wake()
    return this.waiter !== undefined || this.sink !== undefined
  }

  /** Wakes the waiting reader, which then takes for itself: an interruption in between loses no byte. */
  private wake(): void {
    const { waiter, waiterRead } = this
    if (waiter === undefined) return
    this.waiter = this.waiterFiber = undefined
    waiter(waiterRead as Read<never, never>)
  }

  /** Something has arrived that was not taken. */
  get hasMore(): boolean {
    return this.chunk !== undefined
  }

  /** All that has arrived and was not taken, for who reads in another way from here on. */
  takeAll(): ReadonlyArray<Uint8Array> {
    const all: Array<Uint8Array> = []
    for (let chunk; (chunk = this.shift()) !== undefined;) all.push(chunk)
    return all
  }

  /** Fails who waits by this taker, whose right to read has ended, and leaves the input as it is. */
  dismiss(taker: Taker<unknown, unknown>): void {
    const { waiter } = this
    if (waiter === undefined || this.waiterRead?.taker !== taker) return
    this.waiter = this.waiterFiber = undefined
    waiter(this.failure(new Closed(), taker) as Pulled<never>)
  }

  shift(): Uint8Array | undefined {
    const { chunk } = this
    if (chunk === undefined) return undefined
    this.chunk = this.chunks?.shift()
    this.chunksBytes -= chunk.length
    return chunk
  }

  /** Where the input ends for a reader that has taken everything there is. */
  endAt(boundary: boolean, taker?: Taker<unknown, unknown>): Pulled<never> | undefined {
    if (this.ended === undefined) return boundary && this.swept ? done : undefined
    if (this.ended === "end") return done
    return this.failure(this.ended === "Closed" ? new Closed() : this.ended, taker) as Pulled<never>
  }

  attachSink(sink: Sink): ConnectionError | undefined {
    if (this.isRead) return this.error(new Busy())
    this.sink = sink
    return undefined
  }

  detachSink(sink: Sink): void {
    if (this.sink === sink) this.sink = undefined
  }

  /** Gives the sink what is there; then lets the transport deliver, or tells the sink that the input has ended. */
  feed(sink: Sink): void {
    while (this.sink === sink && !sink.busy) {
      const chunk = this.shift()
      if (chunk === undefined) break
      sink.take(chunk)
    }
    if (this.sink !== sink || sink.busy) return
    const ended = this.endAt(!sink.unfinished)
    if (ended !== undefined) sink.end(ended)
    else this.flow()
  }

  /** Lets the transport deliver; goes on with a sweep that had to wait for the reader. */
  private flow(): void {
    if (this.sweep?.state === "capped") this.beginSweep(this.sweep)
    else this.startFlow()
  }

  private startFlow(): void {
    if (this.flowing) return
    this.flowing = true
    this.transport.resume()
  }

  private stop(): void {
    if (!this.flowing) return
    this.flowing = false
    this.transport.pause()
  }

  /** Lets the transport deliver until there is something: one that is not listened to does not tell of its end. */
  prefetch(): void {
    this.flow()
  }

  // What the transport tells ------------------------------------------------------------------------------------------

  onData(chunk: Uint8Array): void {
    this.bytesRead += chunk.length
    if (this.discarder !== undefined) {
      this.discard(chunk.length)
      return
    }
    this.deliver(chunk)
    if (this.sweep !== undefined && this.bytesRead >= this.sweep.until) this.finishSweep()
  }

  private deliver(chunk: Uint8Array): void {
    const sink = this.sink
    if (sink !== undefined && !sink.busy && this.chunk === undefined) {
      sink.take(chunk)
      if (this.sink !== sink) return
      if (sink.busy) this.hold()
      else if (this.ended !== undefined || this.swept) this.feed(sink)
      return
    }
    if (this.chunk === undefined) this.chunk = chunk
    else (this.chunks ??= []).push(chunk)
    this.chunksBytes += chunk.length
    this.wake()
    if (this.chunk !== undefined) this.hold()
  }

  onEnd(end: PeerEnd | undefined): void {
    this.peerEnded = true
    this.peerEnd = end
    this.finish("end")
  }

  onBroken(code: string): void {
    this.finish(new Reset({ code }))
  }

  /** The peer has been silent for too long: the input ends, wherever it is. */
  expire(): void {
    this.stop()
    this.finish("end")
  }

  private finish(ended: "end" | Reset): void {
    if (this.ended !== undefined) return
    this.ended = ended
    this.wake()
    const sink = this.sink
    if (sink !== undefined && !sink.busy) this.feed(sink)
  }

  /** Nobody takes what arrives: hold the peer back, unless a sweep still gathers. */
  private hold(): void {
    // A handler that closes its connection is done with the input, not in the way of it.
    if (this.discarder !== undefined) return
    if (this.sweep?.state !== "sweeping") return this.stop()
    if (this.chunksBytes < sweepBytesMax) return
    this.sweep.state = "capped"
    this.stop()
  }

  // The drain ---------------------------------------------------------------------------------------------------------

  announce(): void {
    if (this.sweep !== undefined || this.ended !== undefined || this.discarder !== undefined) return
    this.sweep = { state: "sweeping", part: 0, until: this.bytesRead + sweepTotalBytesMax }
    this.beginSweep(this.sweep)
  }

  private beginSweep(sweep: Sweep): void {
    sweep.state = "sweeping"
    const part = ++sweep.part
    // Delivery first: catching up means to deliver.
    this.startFlow()
    this.transport.catchUp(() => {
      if (part === sweep.part) this.finishSweep()
    })
  }

  private finishSweep(): void {
    if (this.sweep?.state !== "sweeping") return
    this.sweep.state = "swept"
    if (this.discarder !== undefined || this.ended !== undefined) return
    if (this.waiter !== undefined) {
      if (!this.waiterRead!.boundary) return
      // Who is woken goes on at once, and as a rule has the connection closed, which reads on; or waits for more of what
      // has begun.
      this.wake()
      if (this.discarder === undefined && this.waiter === undefined) this.stop()
      return
    }
    const sink = this.sink
    if (sink !== undefined && !sink.busy) this.feed(sink)
    else this.stop()
  }

  // The close ---------------------------------------------------------------------------------------------------------

  /** Our own close: who reads now, or later, is told so. */
  close(): void {
    this.ended = "Closed"
    this.wake()
    const sink = this.sink
    if (sink !== undefined && !sink.busy) this.feed(sink)
  }

  /** From now on everything is read and thrown away. */
  discardAll(discarder: Discarder): void {
    this.discarder = discarder
    for (let chunk; (chunk = this.shift()) !== undefined;) this.discard(chunk.length)
    if (!this.peerEnded) this.flow()
  }

  private discard(bytes: number): void {
    this.bytesDiscarded += bytes
    this.discarder!.discarded()
  }

  private error(reason: Busy | Closed | Reset): ConnectionError {
    return new ConnectionError({ operation: "read", address: Address.describe(this.transport.remoteAddress), reason })
  }

  private failure<A, E>(reason: Busy | Closed | Reset, taker?: Taker<A, E>): Pulled<A, E> {
    const error = this.error(reason)
    return taker?.failed === undefined ? Exit.fail(error) : taker.failed(error)
  }
}
