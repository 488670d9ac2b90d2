/**
 * The writing half of a connection: bytes on their way to the transport, those who wait for room, and the FIN behind
 * them.
 *
 * Writes of several fibers never mix: each write's bytes leave together, in the order in which the writes began. A
 * write that has begun is not taken back by an interruption; only its waiting is.
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import * as Address from "../Address.ts"
import { Closed, ConnectionError, Reset } from "../ConnectionError.ts"
import type { Goodbye, Transport } from "../Transport.ts"
import { byteLengthOf, bytesOf, type Data, type Gathered } from "./encoders.ts"

export type Written = Effect.Effect<void, ConnectionError>

/**
 * A long write is given to the transport in slices, because a transport says when a whole write has left and nothing
 * in between: the slice is how fine a stalled peer is told from a slow one. 256 KiB costs a handful of events per
 * megabyte.
 */
const sliceBytes = 256 * 1024

/** How much is gathered before it is written: what a socket takes at once. */
export const gatherBytes = 64 * 1024

/** What a side says at its end when nobody has told it anything else. */
const allDone: Goodbye = { code: 1000, reason: "" }

/** What it says while its server drains. */
export const goingAway: Goodbye = { code: 1001, reason: "going away" }

export class Output {
  readonly transport: Transport
  goodbye = allDone
  /** `ended`: no more writes, FIN follows. `flushed`: everything and the FIN were given to the system. */
  state: "open" | "ended" | "flushed" | "broken" = "open"
  /** A close does its own waiting: a farewell does not wait for room. */
  waitForRoom = true
  /** Something was written in this turn, at whose end what is gathered is handed over. */
  wroteInTurn = false
  bytesTaken = 0
  /** Messages that others of the same turn are still to join. */
  private gathered: Gathered<never> | undefined
  private queue: Array<Data> | undefined
  private queueBytes = 0
  private accepting = true
  private waiters: Array<(effect: Written) => void> | undefined
  private brokenCode = ""
  private unsentAtEnd = -1
  /** What is written arrives as it was written: nothing is cut, or joined, or made bytes of. */
  private readonly ofMessages: boolean

  constructor(transport: Transport) {
    this.transport = transport
    this.ofMessages = transport.capabilities.messages === true
  }

  /** Bytes that the program wrote and the system has not got. */
  get bytesUnsent(): number {
    if (this.state === "flushed") return 0
    return this.unsentAtEnd >= 0 ? this.unsentAtEnd : this.queueBytes + this.transport.unsentBytes
  }

  /** Somebody waits for the peer to take something. */
  get waiting(): boolean {
    return this.waiters !== undefined && this.waiters.length > 0
  }

  /** Others are to join what was written last. */
  get isGathering(): boolean {
    return this.gathered !== undefined
  }

  /**
   * Writes a message together with those that come behind it, until `release`, and waits for room where there is none.
   * Throws what cannot be a message. Whatever else is written meanwhile comes behind it.
   */
  gather<Out>(message: Out, into: Gathered<Out>): Written {
    if (this.state !== "open") return this.failure("write")
    if (this.gathered !== into) this.handOver()
    into.add(message)
    this.gathered = into
    return into.size < gatherBytes && this.accepting && !this.ofMessages ? Exit.void : this.release()
  }

  /** Writes what was gathered. */
  release(): Written {
    if (this.gathered === undefined) return Exit.void
    this.handOver()
    return this.room()
  }

  endTurn(): void {
    this.wroteInTurn = false
    this.handOver()
  }

  /** The same, for who does not wait for room. */
  handOver(): void {
    const { gathered } = this
    if (gathered === undefined) return
    this.gathered = undefined
    this.put(gathered.take())
  }

  write(data: Data): Written {
    this.handOver()
    if (this.state !== "open") return this.failure("write")
    if (data.length === 0 && !this.ofMessages) return Exit.void
    this.put(data)
    return this.room()
  }

  private put(data: Data): void {
    if (this.ofMessages) this.putMessage(data)
    else if (typeof data !== "string" || !this.putText(data)) this.putBytes(bytesOf(data))
  }

  /** Whether the transport takes text as it is. */
  private putText(text: string): boolean {
    const { transport } = this
    if (!this.accepting || text.length > sliceBytes) return false
    const accepting = transport.writeText?.(text)
    if (accepting === undefined) return false
    this.bytesTaken += text.length
    this.accepting = accepting
    return true
  }

  private putBytes(bytes: Uint8Array): void {
    this.bytesTaken += bytes.length
    if (this.accepting && bytes.length <= sliceBytes) {
      this.accepting = this.transport.write(bytes)
    } else {
      ;(this.queue ??= []).push(bytes)
      this.queueBytes += bytes.length
      this.pump()
    }
  }

  private putMessage(message: Data): void {
    const bytes = byteLengthOf(message)
    this.bytesTaken += bytes
    if (this.accepting) {
      this.accepting = this.hand(message)
      return
    }
    ;(this.queue ??= []).push(message)
    this.queueBytes += bytes
  }

  private hand(data: Data): boolean {
    const { transport } = this
    const taken = typeof data === "string" ? transport.writeText?.(data) : undefined
    return taken ?? transport.write(bytesOf(data))
  }

  private room(): Written {
    return this.accepting || !this.waitForRoom ? Exit.void : this.awaitRoom()
  }

  private awaitRoom(): Written {
    return Effect.callback((resume) => {
      // Between the write and the wait the scheduler may have let others go first: what they told nobody would be lost.
      if (this.state === "broken") return resume(this.failure("write"))
      if (this.accepting || this.state === "flushed") return resume(Exit.void)
      const waiters = (this.waiters ??= [])
      waiters.push(resume)
      return Effect.sync(() => {
        const index = waiters.indexOf(resume)
        if (index >= 0) waiters.splice(index, 1)
      })
    })
  }

  private pump(): void {
    const { queue } = this
    if (queue === undefined) return
    while (this.accepting && queue.length > 0) {
      const head = queue[0]!
      let slice = head
      if (typeof head === "string" || head.length <= sliceBytes || this.ofMessages) queue.shift()
      else {
        slice = head.subarray(0, sliceBytes)
        queue[0] = head.subarray(sliceBytes)
      }
      this.queueBytes -= byteLengthOf(slice)
      this.accepting = this.hand(slice)
    }
  }

  private settle(effect: Written): void {
    const { waiters } = this
    if (waiters === undefined) return
    this.waiters = undefined
    for (const resume of waiters) resume(effect)
  }

  /** No more writes: sends FIN behind everything that was written. `isLast`: the pipe is released next. */
  end(isLast = false): void {
    if (this.state !== "open") return
    this.handOver()
    this.state = "ended"
    if (this.queueBytes === 0) this.transport.closeWrite(this.goodbye, isLast)
  }

  /** The half-close as the application asks for it. */
  get closeWrite(): Written {
    return Effect.suspend(() => {
      if (this.state === "broken") return this.failure("closeWrite")
      this.end()
      return Exit.void
    })
  }

  // What the transport tells ------------------------------------------------------------------------------------------

  onWritable(): void {
    this.accepting = true
    this.pump()
    if (!this.accepting) return
    if (this.state === "ended") this.transport.closeWrite(this.goodbye)
    this.settle(Exit.void)
  }

  onFlushed(): void {
    if (this.state !== "ended") return
    this.state = "flushed"
    // Somebody else may have ended the output while a write waited for room: a pipe tells no more of room then, and what
    // was written has left.
    this.settle(Exit.void)
  }

  onBroken(code: string): void {
    if (this.state === "flushed" || this.state === "broken") return
    this.freeze()
    this.state = "broken"
    this.brokenCode = code
    this.settle(this.failure("write"))
  }

  /** The close gives up on what was not sent: keeps the count, lets go of the bytes. */
  abandon(): void {
    if (this.state === "flushed" || this.state === "broken") return
    this.freeze()
    this.state = "ended"
    this.settle(this.failure("write"))
  }

  private freeze(): void {
    // Counted like everything that was written and never left.
    this.accepting = false
    this.handOver()
    this.unsentAtEnd = this.bytesUnsent
    this.queue = undefined
    this.queueBytes = 0
  }

  private failure(operation: "write" | "closeWrite"): Written {
    const reason = this.state === "broken" ? new Reset({ code: this.brokenCode }) : new Closed()
    const address = Address.describe(this.transport.remoteAddress)
    return Exit.fail(new ConnectionError({ operation, address, reason }))
  }
}

/** One write, not begun yet. A class of its own, so that `each` can tell it and do it without a fiber. */
export interface Write extends Effect.Effect<void, ConnectionError> {
  readonly output: Output
  readonly data: Data
}

export const Write = function (this: { output: Output; data: Data }, output: Output, data: Data) {
  this.output = output
  this.data = data
} as unknown as new (output: Output, data: Data) => Write

Write.prototype = Effectable.Prototype<Write>({
  label: "Connection.write",
  evaluate() {
    return this.output.write(this.data)
  }
})
