/**
 * A `ws.WebSocket` as a transport: a pipe of messages, whose two close frames are its two ends.
 *
 * `ws` reads and writes frames, and answers pings. When to say goodbye, and when to give up on an answer, is decided
 * above, as for every pipe: its own close timer never rings. Three things that it does are put off here:
 *
 * - It tells of all messages of a chunk, paused or not. They wait for their turn, and the peer's goodbye behind them.
 * - It answers a goodbye at once (see `webSocketSocket.ts`). The answer waits for its turn as well, and for a writer that
 *   waits for room: what was written before the goodbye was heard leaves before the answer (RFC 6455, 5.5.1).
 * - When both goodbyes are said it ends the stream, and is gone. A pipe is given back when its own side has ended, too.
 *
 * Listeners are shared by all, and find the transport by a property: a connection costs no closures.
 */
import type { Address } from "finwait/Address"
import type { Capabilities, Goodbye, PeerEnd, Receiver, Transport } from "finwait/Transport"
import type * as Http from "node:http"
import type { Duplex } from "node:stream"
import type * as WS from "ws"
import { moved } from "./buffers.ts"
import { onNextTurns } from "./turns.ts"
import { Frames } from "./webSocketFrames.ts"
import { sayable } from "./webSocketGoodbye.ts"
import type { Liveness, Living, Place } from "./webSocketLiveness.ts"
import type { Sayer, ServedWebSocket } from "./webSocketSocket.ts"
import { Text, textOf } from "./webSocketText.ts"
import type { Under } from "./webSocketUnder.ts"

const key = Symbol("finwait/webSocket")

interface Carrier extends Duplex {
  [key]: WebSocketTransport
}

const resettable: Capabilities = { reset: true, halfClose: false, messages: true }
const notResettable: Capabilities = { reset: false, halfClose: false, messages: true }

/**
 * How long a peer that broke the protocol is still heard, and not listened to, once it has been told so: destroyed at
 * once, the socket of one that still sends answers with RST, which takes the close frame back that says what was wrong.
 * Apache httpd lingers for 2 seconds at most.
 */
const refusalMillis = 2000

const nothing = new Uint8Array(0)

export class WebSocketTransport implements Transport, Sayer, Living {
  readonly socket: ServedWebSocket
  /** The request that it was made from, of an accepted one. */
  readonly request: Http.IncomingMessage | undefined
  private readonly under: Under
  private readonly liveness: Liveness | undefined
  private readonly place: Place | undefined
  private receiver: Receiver | undefined
  /** Who is told that it is released; after a reset of nothing else. */
  private owner: Receiver | undefined
  private flowing = false
  /** Nothing is told any more, and nothing kept for later. */
  private over = false
  /** Messages that wait for a resume; of those the first ones have been delivered. */
  private held: Array<Buffer> | undefined
  private heldTold = 0
  /** How the peer has ended. */
  private end: PeerEnd | undefined
  private endTold = false
  /** Our close frame is on its way. */
  private said = false
  /** By `closeWrite`. */
  private asked = false
  private flushTold = false
  private awaitsRoom = false
  private listensForRoom = false
  private brokenBy: string | undefined
  private brokenTold = false
  /** The peer broke the protocol, and is told so. */
  private refused = false
  /** `ws` is done with it: the stream is closed. */
  private gone = false
  private taken = 0
  /** With compression: messages that have arrived whole, that have been unpacked, and those that are being packed. */
  private readonly frames: Frames | undefined
  private unpacked = 0
  private packing = 0
  private catching: Array<() => void> | undefined

  /** Of a WebSocket that has just opened: what it has read already is told when the turn is over, and waits here. */
  constructor(socket: ServedWebSocket, under: Under, request?: Http.IncomingMessage, liveness?: Liveness) {
    this.socket = socket
    this.under = under
    this.request = request
    this.liveness = liveness
    const { stream } = under
    ;(stream as Carrier)[key] = this
    socket.sayer = this
    socket.pause()
    socket.on("message", onMessage).on("error", onProtocolError).on("close", onClose)
    // Before `ws`, which ends our side at the end of the peer's.
    stream.prependListener("end", onEnd).on("error", onError)
    if (socket.extensions !== "") {
      this.frames = new Frames()
      stream.on("data", onBytes)
    }
    this.place = liveness?.join(this)
  }

  get capabilities(): Capabilities {
    return this.under.resets ? resettable : notResettable
  }

  get localAddress(): Address {
    return this.under.localAddress
  }

  get remoteAddress(): Address {
    return this.under.remoteAddress
  }

  attach(receiver: Receiver): void {
    this.receiver = this.owner = receiver
    // Whatever came before there was anybody to be told.
    if (this.brokenBy !== undefined || this.gone) process.nextTick(tellEnding, this)
  }

  // Reading -----------------------------------------------------------------------------------------------------------

  resume(): void {
    if (this.flowing) return
    this.flowing = true
    if (this.held !== undefined || this.end !== undefined) process.nextTick(tellHeld, this)
    else this.socket.resume()
  }

  pause(): void {
    this.flowing = false
    // Behind the last message `ws` reads on, to hear of the end of the stream.
    if (this.end === undefined && this.brokenBy === undefined) this.socket.pause()
  }

  isText(chunk: Uint8Array): boolean {
    return chunk instanceof Text
  }

  catchUp(callback: () => void): void {
    if (this.frames === undefined) return this.under.catchUp(callback)
    this.under.catchUp(() => {
      if (this.isUnpacking) (this.catching ??= []).push(callback)
      else callback()
    })
  }

  /** What has arrived whole has not all been told of. */
  private get isUnpacking(): boolean {
    return this.frames !== undefined && this.frames.whole > this.unpacked && !this.gone && this.brokenBy === undefined
  }

  /** A message. */
  hear(data: Buffer, isBinary: boolean): void {
    moved(data.length)
    const chunk = isBinary ? data : textOf(data)
    if (this.flowing && this.held === undefined) this.receiver?.onData(chunk)
    else if (!this.over) (this.held ??= []).push(chunk)
    if (this.frames !== undefined) this.hasUnpacked()
  }

  private hasUnpacked(): void {
    this.unpacked++
    if (this.isUnpacking) return
    this.hasCaughtUp()
    this.tellEnd()
  }

  private hasCaughtUp(): void {
    const { catching } = this
    this.catching = undefined
    for (const callback of catching ?? []) callback()
  }

  hearBytes(bytes: Uint8Array): void {
    this.frames!.take(bytes)
  }

  /** Delivers what has waited, as long as it is asked for, and goes on. */
  tellHeld(): void {
    while (this.flowing && this.held !== undefined) {
      const chunk = this.held[this.heldTold++]!
      if (this.heldTold === this.held.length) this.forgetHeld()
      this.receiver?.onData(chunk)
    }
    if (!this.flowing) return
    this.tellEnd()
    if (this.flowing) this.socket.resume()
  }

  private forgetHeld(): void {
    this.held = undefined
    this.heldTold = 0
  }

  // The peer's end ----------------------------------------------------------------------------------------------------

  onGoodbye(code: number, reason: string): void {
    // Both have said it: `ws` ends the stream.
    if (this.said) this.socket.say(code, reason)
    this.hearEnd({ goodbye: { code, reason } })
  }

  /** The end of the stream, not known to `ws` yet, which ends our side as well. A reset is found out by who writes. */
  hearStreamEnd(): void {
    const { endMayBeReset, stream } = this.under
    const truncated = () => this.hearEnd({ truncated: true })
    if (!endMayBeReset || stream.writableEnded || stream.destroyed) process.nextTick(truncated)
    else {
      stream.write(nothing, (error) => {
        if (!error) truncated()
      })
    }
  }

  private hearEnd(end: PeerEnd): void {
    if (this.end !== undefined) return
    this.end = end
    this.tellEnd()
  }

  private tellEnd(): void {
    const { end } = this
    if (end === undefined || this.endTold || !this.flowing || this.held !== undefined || this.isUnpacking) return
    this.endTold = true
    this.receiver?.onEnd(end)
    this.answer()
    this.settle()
  }

  /** The answer to a goodbye is the same goodbye (RFC 6455, 5.5.1). */
  private answer(): void {
    const goodbye = this.end?.goodbye
    if (goodbye !== undefined && this.endTold && !this.awaitsRoom) this.say(goodbye)
  }

  // Writing -----------------------------------------------------------------------------------------------------------

  get unsentBytes(): number {
    // The heads of frames are nobody's bytes.
    return Math.min(this.taken, this.socket.bufferedAmount)
  }

  write(bytes: Uint8Array): boolean {
    return this.hand(bytes)
  }

  /** A message of text, whatever its characters. */
  writeText(text: string): boolean {
    return this.hand(text)
  }

  private hand(data: Uint8Array | string): boolean {
    const { socket } = this
    if (this.said || this.over) return true
    if (socket.readyState !== socket.OPEN) return this.cannotSend()
    moved(data.length)
    this.taken += data.length
    if (this.frames === undefined) socket.send(data)
    else {
      this.packing++
      socket.send(data, (error) => this.hasPacked(error))
    }
    if (this.hasRoom) return true
    this.awaitsRoom = true
    if (!this.listensForRoom) {
      this.listensForRoom = true
      this.under.stream.on("drain", onDrain)
    }
    return false
  }

  /** The peer has ended the stream without waiting for our goodbye. */
  private cannotSend(): true {
    this.break("EPIPE")
    process.nextTick(tellEnding, this)
    return true
  }

  private get hasRoom(): boolean {
    return this.socket.bufferedAmount < this.under.stream.writableHighWaterMark
  }

  private hasPacked(error: Error | null | undefined): void {
    this.packing--
    if (error) return
    this.hasDrained()
    this.flush()
  }

  hasDrained(): void {
    if (!this.awaitsRoom || !this.hasRoom) return
    this.awaitsRoom = false
    this.receiver?.onWritable()
    this.answer()
  }

  // Our end -----------------------------------------------------------------------------------------------------------

  closeWrite(goodbye?: Goodbye): void {
    if (this.asked) return
    this.asked = true
    this.say((this.endTold ? this.end?.goodbye : undefined) ?? sayable(goodbye))
    this.flush()
  }

  onClosing(code: number, reason: string): void {
    this.said = true
    this.socket.say(code, reason)
  }

  private say({ code, reason }: Goodbye): void {
    if (this.said) return
    this.said = true
    this.socket.say(code, reason)
  }

  /** Tells once everything has been given to the system. */
  private flush(): void {
    if (!this.asked || this.flushTold || this.packing > 0) return
    const { stream } = this.under
    const flushed = () => this.tellFlushed()
    if (this.gone || this.socket.bufferedAmount === 0) process.nextTick(flushed)
    else if (stream.writableEnded) stream.once("finish", flushed)
    else {
      stream.write(nothing, (error) => {
        if (!error) flushed()
      })
    }
  }

  private tellFlushed(): void {
    if (this.flushTold || this.brokenBy !== undefined || this.over) return
    this.flushTold = true
    this.awaitsRoom = false
    this.receiver?.onFlushed()
    this.settle()
  }

  // What breaks -------------------------------------------------------------------------------------------------------

  break(code: string): void {
    this.brokenBy ??= code
  }

  refuse(code: string): void {
    this.refused = true
    this.break(code)
    this.tellEnding()
  }

  /** `ws` has closed. */
  close(): void {
    this.gone = true
    if (this.place !== undefined) this.liveness!.leave(this.place)
    // Whoever has destroyed the stream: `ws`, when it is flooded with pings, or who has its socket.
    if (this.end === undefined || !this.under.stream.writableFinished) this.break("ECONNABORTED")
    this.tellEnd()
    this.tellEnding()
    this.hasCaughtUp()
  }

  /** How it broke, behind what had arrived before; and that it is released. */
  tellEnding(): void {
    if (this.brokenBy !== undefined && this.owner !== undefined) this.tellBroken(this.brokenBy)
    this.settle()
  }

  private tellBroken(code: string): void {
    // Who has said and heard goodbye has nothing to lose any more.
    if (this.brokenTold || this.over || (this.endTold && this.flushTold)) return
    this.brokenTold = true
    const { held, heldTold } = this
    this.forgetHeld()
    for (const chunk of held?.slice(heldTold) ?? []) this.receiver?.onData(chunk)
    if (this.end !== undefined && !this.endTold) {
      this.endTold = true
      this.receiver?.onEnd(this.end)
    }
    this.receiver?.onBroken(code)
    this.hasCaughtUp()
  }

  private settle(): void {
    if (!this.gone) return
    if (!this.over && !this.brokenTold && !(this.endTold && this.flushTold)) return
    const { owner } = this
    this.owner = this.receiver = undefined
    owner?.onReleased()
  }

  // The last acts -----------------------------------------------------------------------------------------------------

  reset(): void {
    if (this.over) return
    this.finish()
    if (this.gone) process.nextTick(tellEnding, this)
    else this.resetStream()
  }

  release(): void {
    this.owner = undefined
    if (this.over) return
    const isUnread = !this.endTold && (this.held !== undefined || this.under.stream.readableLength > 0)
    this.finish()
    if (this.gone) return
    if (this.refused) this.turnAway()
    else if (isUnread) this.resetStream()
    else this.under.release()
  }

  private finish(): void {
    this.over = true
    this.receiver = undefined
    this.forgetHeld()
  }

  /** While the system is asked for FIN, Node cannot reset: it fails, and leaks the descriptor. That takes a turn. */
  private resetStream(): void {
    const { stream } = this.under
    const isEnding = () => stream.writableEnded && !stream.writableFinished && stream.writableLength === 0
    if (!isEnding() || stream.destroyed) return this.under.reset()
    onNextTurns({
      turn: () => {
        const waits = isEnding() && !stream.destroyed
        if (!waits) this.under.reset()
        return waits
      }
    })
  }

  private turnAway(): void {
    const { stream } = this.under
    if (stream.destroyed) return
    const timer = setTimeout(() => this.resetStream(), refusalMillis)
    timer.unref()
    stream.once("close", () => clearTimeout(timer))
  }

  // Liveness ----------------------------------------------------------------------------------------------------------

  get arrived(): number {
    return this.under.arrived
  }

  get left(): number {
    return this.taken - this.socket.bufferedAmount
  }

  get isHeldBack(): boolean {
    return this.socket.bufferedAmount > 0
  }

  get isDeaf(): boolean {
    return !this.flowing
  }

  ping(): void {
    if (this.socket.readyState === this.socket.OPEN) this.socket.ping()
  }

  giveUp(): void {
    this.break("ETIMEDOUT")
    this.resetStream()
  }
}

const of = (socket: WS.WebSocket): WebSocketTransport => (socket as ServedWebSocket).sayer as WebSocketTransport

function onMessage(this: WS.WebSocket, data: WS.RawData, isBinary: boolean): void {
  of(this).hear(data as Buffer, isBinary)
}

function onProtocolError(this: WS.WebSocket, error: NodeJS.ErrnoException): void {
  of(this).refuse(error.code ?? "EPROTO")
}

function onClose(this: WS.WebSocket): void {
  of(this).close()
}

function onBytes(this: Duplex, bytes: Uint8Array): void {
  ;(this as Carrier)[key].hearBytes(bytes)
}

function onEnd(this: Duplex): void {
  ;(this as Carrier)[key].hearStreamEnd()
}

function onError(this: Duplex, error: NodeJS.ErrnoException): void {
  ;(this as Carrier)[key].break(error.code ?? error.message)
}

function onDrain(this: Duplex): void {
  ;(this as Carrier)[key].hasDrained()
}

const tellHeld = (transport: WebSocketTransport): void => transport.tellHeld()

const tellEnding = (transport: WebSocketTransport): void => transport.tellEnding()
