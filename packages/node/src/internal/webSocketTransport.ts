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
import type { Capabilities, Goodbye, Receiver, Transport } from "finwait/Transport"
import type * as Http from "node:http"
import type { Duplex } from "node:stream"
import type * as WS from "ws"
import { onNextTurns } from "./turns.ts"
import { sayable } from "./webSocketGoodbye.ts"
import { type Reading, WebSocketInput } from "./webSocketInput.ts"
import type { Liveness, Living, Place } from "./webSocketLiveness.ts"
import { WebSocketOutput, type Writing } from "./webSocketOutput.ts"
import type { Sayer, ServedWebSocket } from "./webSocketSocket.ts"
import { Text } from "./webSocketText.ts"
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

export class WebSocketTransport implements Transport, Sayer, Living, Reading, Writing {
  readonly socket: ServedWebSocket
  readonly under: Under
  /** The request that it was made from, of an accepted one. */
  readonly request: Http.IncomingMessage | undefined
  receiver: Receiver | undefined
  isOver = false
  private readonly input: WebSocketInput
  private readonly output: WebSocketOutput
  private readonly liveness: Liveness | undefined
  private readonly place: Place | undefined
  /** Who is told that it is released; after a reset of nothing else. */
  private owner: Receiver | undefined
  private brokenBy: string | undefined
  private brokenTold = false
  /** The peer broke the protocol, and is told so. */
  private refused = false
  /** `ws` is done with it: the stream is closed. */
  private gone = false

  /** Of a WebSocket that has just opened: what it has read already is told when the turn is over, and waits here. */
  constructor(socket: ServedWebSocket, under: Under, request?: Http.IncomingMessage, liveness?: Liveness) {
    this.socket = socket
    this.under = under
    this.request = request
    this.liveness = liveness
    const isCompressed = socket.extensions !== ""
    this.input = new WebSocketInput(this, isCompressed)
    this.output = new WebSocketOutput(this, isCompressed)
    const { stream } = under
    ;(stream as Carrier)[key] = this
    socket.sayer = this
    socket.pause()
    socket.on("message", onMessage).on("error", onProtocolError).on("close", onClose)
    // Before `ws`, which ends our side at the end of the peer's.
    stream.prependListener("end", onEnd).on("error", onError)
    if (isCompressed) stream.on("data", onBytes)
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

  get isBroken(): boolean {
    return this.brokenBy !== undefined
  }

  get isDone(): boolean {
    return this.gone || this.isBroken
  }

  attach(receiver: Receiver): void {
    this.receiver = this.owner = receiver
    // Whatever came before there was anybody to be told.
    if (this.isDone) process.nextTick(tellEnding, this)
  }

  // Reading -----------------------------------------------------------------------------------------------------------

  resume(): void {
    this.input.resume()
  }

  pause(): void {
    this.input.pause()
  }

  catchUp(callback: () => void): void {
    this.input.catchUp(callback)
  }

  isText(chunk: Uint8Array): boolean {
    return chunk instanceof Text
  }

  onMessage(data: Buffer, isBinary: boolean): void {
    this.input.onMessage(data, isBinary)
  }

  onBytes(bytes: Uint8Array): void {
    this.input.onBytes(bytes)
  }

  onGoodbye(code: number, reason: string): void {
    // Both have said it: `ws` ends the stream.
    if (this.output.said) this.socket.say(code, reason)
    this.input.onEnd({ goodbye: { code, reason } })
  }

  /** The end of the stream, not known to `ws` yet, which ends our side as well. A reset is found out by who writes. */
  onStreamEnd(): void {
    const { endMayBeReset, stream } = this.under
    this.output.onEnding()
    const truncated = () => this.input.onEnd({ truncated: true })
    if (!endMayBeReset || stream.writableEnded || stream.destroyed) process.nextTick(truncated)
    else {
      stream.write(nothing, (error) => {
        if (!error) truncated()
      })
    }
  }

  onEndTold(): void {
    this.answer()
    this.settle()
  }

  // Writing -----------------------------------------------------------------------------------------------------------

  get unsentBytes(): number {
    return this.output.unsentBytes
  }

  write(bytes: Uint8Array): boolean {
    return this.output.write(bytes)
  }

  /** A message of text, whatever its characters. */
  writeText(text: string): boolean {
    return this.output.write(text)
  }

  closeWrite(goodbye?: Goodbye): void {
    const { end, endTold } = this.input
    this.output.closeWrite((endTold ? end?.goodbye : undefined) ?? sayable(goodbye))
  }

  onRoom(): void {
    this.answer()
  }

  /** The answer to a goodbye is the same goodbye (RFC 6455, 5.5.1). */
  private answer(): void {
    const { end, endTold } = this.input
    if (endTold && end?.goodbye !== undefined && !this.output.awaitsRoom) this.output.say(end.goodbye)
  }

  onClosing(code: number, reason: string): void {
    this.output.said = true
    this.socket.say(code, reason)
  }

  onFlushTold(): void {
    this.settle()
  }

  onCannotSend(): void {
    this.onBroken("EPIPE")
    process.nextTick(tellEnding, this)
  }

  // The ending --------------------------------------------------------------------------------------------------------

  onBroken(code: string): void {
    this.brokenBy ??= code
  }

  onRefused(code: string): void {
    this.refused = true
    this.onBroken(code)
    this.tellEnding()
  }

  /** `ws` has closed. */
  onClose(): void {
    this.gone = true
    if (this.place !== undefined) this.liveness!.leave(this.place)
    // Whoever has destroyed the stream: `ws`, when it is flooded with pings, or who has its socket.
    if (this.input.end === undefined || !this.under.stream.writableFinished) this.onBroken("ECONNABORTED")
    this.input.tellEnd()
    this.tellEnding()
  }

  /** How it broke, behind what had arrived before; and that it is released. */
  tellEnding(): void {
    if (this.brokenBy !== undefined && this.owner !== undefined) this.tellBroken(this.brokenBy)
    this.settle()
  }

  /** Who has said and heard goodbye has nothing to lose any more. */
  private get hasEnded(): boolean {
    return this.input.endTold && this.output.flushTold
  }

  private tellBroken(code: string): void {
    if (this.brokenTold || this.isOver || this.hasEnded) return
    this.brokenTold = true
    this.input.tellAll()
    this.receiver?.onBroken(code)
    this.input.caughtUp()
  }

  private settle(): void {
    if (!this.gone || !(this.isOver || this.brokenTold || this.hasEnded)) return
    const { owner } = this
    this.owner = this.receiver = undefined
    owner?.onReleased()
  }

  // The last acts -----------------------------------------------------------------------------------------------------

  reset(): void {
    if (this.isOver) return
    this.finish()
    if (this.gone) process.nextTick(tellEnding, this)
    else this.resetStream()
  }

  release(): void {
    this.owner = undefined
    if (this.isOver) return
    const { isUnread } = this.input
    this.finish()
    if (this.gone) return
    if (this.refused) this.turnAway()
    else if (isUnread) this.resetStream()
    else this.under.release()
  }

  private finish(): void {
    this.isOver = true
    this.receiver = undefined
    this.input.forget()
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
    return this.output.left
  }

  get isHeldBack(): boolean {
    return this.socket.bufferedAmount > 0
  }

  get isDeaf(): boolean {
    return !this.input.flowing
  }

  ping(): void {
    if (this.socket.readyState === this.socket.OPEN) this.socket.ping()
  }

  giveUp(): void {
    this.onBroken("ETIMEDOUT")
    this.resetStream()
  }
}

const of = (socket: WS.WebSocket): WebSocketTransport => (socket as ServedWebSocket).sayer as WebSocketTransport

function onMessage(this: WS.WebSocket, data: WS.RawData, isBinary: boolean): void {
  of(this).onMessage(data as Buffer, isBinary)
}

function onProtocolError(this: WS.WebSocket, error: NodeJS.ErrnoException): void {
  of(this).onRefused(error.code ?? "EPROTO")
}

function onClose(this: WS.WebSocket): void {
  of(this).onClose()
}

function onBytes(this: Duplex, bytes: Uint8Array): void {
  ;(this as Carrier)[key].onBytes(bytes)
}

function onEnd(this: Duplex): void {
  ;(this as Carrier)[key].onStreamEnd()
}

function onError(this: Duplex, error: NodeJS.ErrnoException): void {
  ;(this as Carrier)[key].onBroken(error.code ?? error.message)
}

const tellEnding = (transport: WebSocketTransport): void => transport.tellEnding()
