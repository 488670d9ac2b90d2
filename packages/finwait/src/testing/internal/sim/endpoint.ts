/**
 * One end of a simulated connection: the socket as its program has it, and what its system does for it.
 */
import type { Address } from "../../../Address.ts"
import type { CloseOutcome, Stage } from "../../../CloseOutcome.ts"
import type { Capabilities, Receiver, Transport } from "../../../Transport.ts"
import type { Side } from "../../Fault.ts"
import type { Kind } from "../../History.ts"
import type { Timeline } from "./timeline.ts"
import type { Wire } from "./wire.ts"

/** What all sockets of a network have in common, and whom they tell. */
export interface Host {
  readonly timeline: Timeline
  readonly sendBufferBytes: number
  readonly receiveBufferBytes: number
  note(endpoint: Endpoint, kind: Kind, detail?: string | number, outcome?: CloseOutcome): void
  /** The program has given it back, or nothing is left of it. */
  changed(endpoint: Endpoint): void
  /** The close has come to this stage. */
  reached(endpoint: Endpoint, stage: Stage): void
}

/** How a program's slow reading is simulated: what it takes in so many milliseconds at once. */
const slowTickMillis = 10

export class Endpoint implements Transport {
  readonly capabilities: Capabilities
  readonly connection: number
  readonly side: Side
  readonly localAddress: Address
  readonly remoteAddress: Address
  readonly host: Host
  /** What this end sends. */
  readonly wire: Wire
  peer!: Endpoint
  receiver: Receiver | undefined
  /** `released`: the program is done with it, its system is not. `gone`: nothing is left of it. */
  state: "open" | "released" | "gone" = "open"
  /** It is one of those that programs hold open. */
  counted = true
  /** How far the close above it has come. */
  stage: Stage = "Open"
  // sending
  sendQueueBytes = 0
  finAsked = false
  /** Its FIN is with the system, behind what that still holds. */
  finSaid = false
  private finSent = false
  finArrived = false
  /** It was said before the peer's came. */
  finFirst = false
  full = false
  private sending: Array<Uint8Array> = []
  private sentBytes = 0
  private flushed = false
  // receiving
  receiveQueueBytes = 0
  arrivedBytes = 0
  finReceived = false
  flowing = false
  private received: Array<Uint8Array> = []
  /** Sent by the peer, and not here yet. */
  travellingBytes = 0
  private endTold = false
  private readonly catchUps: Array<() => void> = []
  /** A pipe without RST, that ended with input unread: the peer is told when it has read what there is. */
  private brokenBehind: string | undefined
  private endsBroken = false
  /** It broke in the backlog: who accepts it is told. */
  private brokenUnheard: string | undefined
  // troubles
  stalledUntil = 0
  pausedUntil = 0
  readBytesPerSecond = Infinity
  finLateMillis = 0
  finTwice = false
  /** The connection breaks when the byte of that number has been sent. */
  breakAtByte = Infinity
  /** The connection breaks when the close comes to that stage. */
  resetsAt: Stage | undefined
  private breaks = false
  private readsAt = 0
  private waking = false
  private untold: Array<() => void> = []

  constructor(
    host: Host,
    wire: Wire,
    who: {
      readonly connection: number
      readonly side: Side
      readonly localAddress: Address
      readonly remoteAddress: Address
      readonly reset: boolean
    }
  ) {
    this.host = host
    this.wire = wire
    this.connection = who.connection
    this.side = who.side
    this.localAddress = who.localAddress
    this.remoteAddress = who.remoteAddress
    this.capabilities = { reset: who.reset, halfClose: true }
    wire.onGivenUp = () => this.break("ETIMEDOUT")
  }

  // The program's acts ------------------------------------------------------------------------------------------------

  attach(receiver: Receiver): void {
    this.receiver = receiver
    const code = this.brokenUnheard
    if (code !== undefined) this.host.timeline.soon(() => this.tell(() => this.tellBroken(code)))
  }

  resume(): void {
    this.flowing = true
    this.host.timeline.soon(() => this.deliver())
  }

  pause(): void {
    this.flowing = false
    this.caughtUp()
  }

  catchUp(callback: () => void): void {
    this.catchUps.push(callback)
    this.host.timeline.soon(() => this.deliver())
  }

  /** Bytes that do not fit the system's send buffer are still the program's. */
  get unsentBytes(): number {
    return Math.max(0, this.sendQueueBytes - this.host.sendBufferBytes)
  }

  write(bytes: Uint8Array): boolean {
    this.host.note(this, "write", bytes.length)
    if (this.state !== "open" || this.finAsked) return true
    // A Unix socket knows at once that nobody is there any more.
    if (!this.capabilities.reset && this.peer.state !== "open") this.host.timeline.soon(() => this.break("EPIPE"))
    this.sending.push(bytes)
    this.sendQueueBytes += bytes.length
    this.send()
    this.full = this.sendQueueBytes > this.host.sendBufferBytes
    return !this.full
  }

  closeWrite(): void {
    this.host.note(this, "closeWrite")
    if (this.state !== "open" || this.finAsked) return
    this.finAsked = true
    this.send()
    this.host.timeline.soon(() => this.tell(() => this.tellFlushed()))
  }

  reset(): void {
    this.host.note(this, "reset")
    if (this.state !== "open") return
    this.disconnect()
    this.host.timeline.soon(() => this.tell(() => this.tellReleased()))
  }

  release(): void {
    this.host.note(this, "release")
    this.receiver = undefined
    if (this.state !== "open") return
    // A close with unread input is a reset: RFC 1122, 4.2.2.13.
    if (this.isUnread) this.disconnect()
    else this.depart()
  }

  observe(progress: Stage | CloseOutcome): void {
    if (typeof progress === "string") {
      this.stage = progress
      this.host.note(this, "stage", progress)
      this.host.reached(this, progress)
    } else {
      this.stage = "Closed"
      this.host.note(this, "outcome", progress._tag, progress)
    }
  }

  // The system's acts: sending ----------------------------------------------------------------------------------------

  /** What the peer's window still has room for. */
  private get window(): number {
    return this.host.receiveBufferBytes - this.peer.receiveQueueBytes - this.peer.travellingBytes
  }

  /** Gives the wire what the peer's window allows; FIN behind the last byte. */
  private send(): void {
    if (this.state === "gone") return
    while (this.sending.length > 0 && !this.wire.isFull) {
      const head = this.sending[0]!
      const length = Math.min(head.length, this.window, this.wire.pieceBytes, this.breakAtByte - this.sentBytes)
      if (length <= 0) break
      const piece = length === head.length ? head : head.subarray(0, length)
      if (piece === head) this.sending.shift()
      else this.sending[0] = head.subarray(length)
      this.sendQueueBytes -= length
      this.sentBytes += length
      this.peer.travellingBytes += length
      this.wire.carry(length, () => this.peer.arrive(piece))
    }
    if (this.sentBytes >= this.breakAtByte) return this.breakBehind()
    if (this.finAsked && !this.finSaid && this.unsentBytes === 0) {
      this.finSaid = true
      this.finFirst = !this.finReceived
    }
    if (this.finAsked && !this.finSent && this.sending.length === 0) this.sendFin()
    this.probe()
  }

  /** Asks a closed window whether it has opened, as TCP does: where nobody answers any more, that is noticed too. */
  probe(): void {
    if (this.state !== "gone" && this.sending.length > 0 && this.wire.isSilent) this.wire.carry(0, () => this.send())
  }

  private sendFin(): void {
    this.finSent = true
    if (this.finLateMillis === 0) this.carryFin()
    // It waits here, not on its way: a reset must not wait behind it.
    else this.host.timeline.at(this.wire.clearAt + this.finLateMillis, () => this.carryFin())
  }

  private carryFin(): void {
    if (this.state === "gone") return
    this.wire.carry(0, this.endsBroken ? () => this.peer.arriveBroken() : () => this.peer.arriveFin())
    if (this.finTwice) this.wire.carry(0, () => this.peer.arriveFin())
  }

  /** The byte of the fault's number has left, and nothing follows it but the reset. */
  private breakBehind(): void {
    if (this.breaks) return
    this.breaks = true
    this.wire.carry(0, () => this.breakBoth())
  }

  private acknowledged(): void {
    this.send()
    if (this.state !== "open") return
    if (this.full && this.sendQueueBytes <= this.host.sendBufferBytes) {
      this.full = false
      this.host.timeline.soon(() => this.tell(() => this.tellWritable()))
    }
    this.tell(() => this.tellFlushed())
  }

  private tellWritable(): void {
    // Nobody asks for room behind a FIN, and Node says nothing of it.
    if (this.state !== "open" || this.full || this.finAsked) return
    this.host.note(this, "writable")
    this.receiver?.onWritable()
  }

  private tellFlushed(): void {
    if (this.state !== "open" || !this.finAsked || this.flushed || this.unsentBytes > 0) return
    this.flushed = true
    this.host.note(this, "flushed")
    this.receiver?.onFlushed()
  }

  // The system's acts: receiving --------------------------------------------------------------------------------------

  private arrive(bytes: Uint8Array): void {
    this.travellingBytes -= bytes.length
    if (this.state !== "open") return this.refuse()
    this.received.push(bytes)
    this.receiveQueueBytes += bytes.length
    this.arrivedBytes += bytes.length
    this.deliver()
    // The wire has room again.
    this.peer.acknowledged()
  }

  /** Bytes for a program that has gone are answered with a reset. Who writes to a Unix socket knows already. */
  private refuse(): void {
    if (!this.capabilities.reset) return
    if (this.state === "released") this.disconnect()
    else this.wire.carry(0, () => this.peer.break("ECONNRESET"))
  }

  /** A Unix socket's end, with input left unread: told when what was sent before has been read. */
  private arriveBroken(): void {
    if (this.state === "gone" || this.endTold) return
    this.brokenBehind = "ECONNRESET"
    if (this.finReceived) this.deliver()
    else this.arriveFin()
  }

  private arriveFin(): void {
    if (this.finReceived || this.state === "gone") return
    this.finReceived = true
    this.peer.finArrived = true
    this.deliver()
    this.peer.leave()
    this.leave()
  }

  /** What is on its way through a Unix socket is with the peer already: there is nothing between the two. */
  private get isUnread(): boolean {
    return this.receiveQueueBytes > 0 || (!this.capabilities.reset && this.travellingBytes > 0)
  }

  private deliver(): void {
    while (this.flowing && this.state === "open" && this.received.length > 0) {
      if (this.isHeld()) return
      const bytes = this.take()
      this.receiveQueueBytes -= bytes.length
      this.host.note(this, "data", bytes.length)
      this.receiver!.onData(bytes)
      // The window opens: the peer may send on.
      this.peer.acknowledged()
    }
    if (this.flowing && this.state === "open" && this.received.length === 0 && !this.isHeld()) this.deliverEnd()
    this.caughtUp()
  }

  private deliverEnd(): void {
    if (this.brokenBehind !== undefined) return this.break(this.brokenBehind)
    if (!this.finReceived || this.endTold) return
    this.endTold = true
    this.host.note(this, "end")
    this.receiver!.onEnd()
  }

  /** The next piece, no more of it than a slow program takes at once. */
  private take(): Uint8Array {
    const rate = this.readBytesPerSecond
    if (rate === Infinity) return this.received.shift()!
    const head = this.received[0]!
    const most = Math.max(1, Math.floor((rate * slowTickMillis) / 1000))
    const bytes = head.length <= most ? head : head.subarray(0, most)
    if (bytes === head) this.received.shift()
    else this.received[0] = head.subarray(most)
    this.readsAt = this.host.timeline.now() + (bytes.length / rate) * 1000
    return bytes
  }

  /** Whether the program takes nothing at the moment; it is gone on with when that is over. */
  private isHeld(): boolean {
    const until = Math.max(this.stalledUntil, this.pausedUntil, this.received.length === 0 ? 0 : this.readsAt)
    const { timeline } = this.host
    if (timeline.isPast(until)) return false
    if (!this.waking) {
      this.waking = until !== Infinity
      timeline.at(until, () => {
        this.waking = false
        this.deliver()
      })
    }
    return true
  }

  private caughtUp(): void {
    if (this.catchUps.length === 0) return
    if (this.flowing && this.state === "open" && this.received.length > 0) return
    for (const callback of this.catchUps.splice(0)) callback()
  }

  // Ends --------------------------------------------------------------------------------------------------------------

  /** The program's end, without a goodbye: RST where there is one. */
  private disconnect(): void {
    if (!this.capabilities.reset) return this.disconnectUnix()
    const { peer } = this
    this.vanish()
    this.wire.carry(0, () => peer.break("ECONNRESET"))
    this.caughtUp()
  }

  /**
   * What the system has taken of a Unix socket is the peer's already; what the program still held is lost. Input that
   * nobody read makes the end an error.
   */
  private disconnectUnix(): void {
    for (let lost = this.unsentBytes; lost > 0;) {
      const last = this.sending.pop()!
      const kept = last.subarray(0, Math.max(0, last.length - lost))
      if (kept.length > 0) this.sending.push(kept)
      this.sendQueueBytes -= last.length - kept.length
      lost -= last.length - kept.length
    }
    this.endsBroken = this.isUnread
    if (this.endsBroken && this.finSent) this.wire.carry(0, () => this.peer.arriveBroken())
    this.depart()
  }

  /** The program is done with it; its system goes on until everything is sent and acknowledged. */
  private depart(): void {
    this.finAsked = true
    this.state = "released"
    this.received = []
    this.receiveQueueBytes = 0
    this.host.changed(this)
    this.caughtUp()
    this.send()
    this.leave()
    // Who waits for room at a Unix socket is told that nobody will ever make some.
    const { peer } = this
    if (!this.capabilities.reset) this.host.timeline.soon(() => peer.sendQueueBytes > 0 && peer.break("EPIPE"))
  }

  /** The system has learnt that the connection is broken. */
  break(code: string): void {
    const wasOpen = this.state === "open"
    if (this.state === "gone") return
    this.vanish()
    if (!wasOpen) return
    if (this.receiver === undefined) this.brokenUnheard = code
    else this.tell(() => this.tellBroken(code))
    this.caughtUp()
  }

  /** Something between the two does not want them to talk. */
  breakBoth(): void {
    this.break("ECONNRESET")
    this.peer.break("ECONNRESET")
  }

  private tellBroken(code: string): void {
    if (this.receiver === undefined) return
    this.host.note(this, "broken", code)
    this.receiver.onBroken(code)
    this.tellReleased()
  }

  private tellReleased(): void {
    if (this.receiver === undefined) return
    this.host.note(this, "released")
    this.receiver.onReleased()
  }

  private vanish(): void {
    this.state = "gone"
    this.sending = []
    this.sendQueueBytes = 0
    this.received = []
    this.receiveQueueBytes = 0
    this.host.changed(this)
  }

  /** Both have said FIN and heard the other's: the system forgets it. */
  private leave(): void {
    if (this.state !== "released" || !this.finArrived || !this.finReceived) return
    this.state = "gone"
    this.host.changed(this)
  }

  /** Tells the program, or does so when its process goes on. */
  private tell(event: () => void): void {
    const { timeline } = this.host
    if (this.untold.length === 0 && timeline.isPast(this.pausedUntil)) return event()
    if (this.untold.push(event) === 1) timeline.at(this.pausedUntil, () => this.tellAll())
  }

  private tellAll(): void {
    const { timeline } = this.host
    if (!timeline.isPast(this.pausedUntil)) return timeline.at(this.pausedUntil, () => this.tellAll())
    for (const event of this.untold.splice(0)) event()
  }
}
