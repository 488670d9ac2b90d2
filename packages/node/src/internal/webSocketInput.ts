/**
 * The reading half of a WebSocket: messages that arrive, those that wait for their turn, and the end behind them.
 *
 * `ws` tells of all messages that it finds in a chunk, whether it is paused or not: what comes while nobody listens is
 * held here. Compressed messages are unpacked on other threads, after their bytes have been read; where somebody has to
 * know that nothing is on its way, both are counted.
 */
import type { PeerEnd, Receiver } from "finwait/Transport"
import { moved } from "./buffers.ts"
import { Frames } from "./webSocketFrames.ts"
import type { ServedWebSocket } from "./webSocketSocket.ts"
import { textOf } from "./webSocketText.ts"
import type { Under } from "./webSocketUnder.ts"

/** The pipe whose half it is. */
export interface Reading {
  readonly socket: ServedWebSocket
  readonly under: Under
  /** Who is told; nobody before `attach`, nor behind the last acts. */
  readonly receiver: Receiver | undefined
  /** Broken, or closed: nothing more will come. */
  readonly isDone: boolean
  /** The end has been told. */
  onEndTold(): void
}

export class WebSocketInput {
  flowing = false
  /** How the peer has ended. */
  end: PeerEnd | undefined
  endTold = false
  private readonly pipe: Reading
  /** Messages that wait for a resume; the first ones of them have been told. */
  private held: Array<Buffer> | undefined
  private heldTold = 0
  /** Where messages are compressed: those that have arrived whole, and those that have been unpacked. */
  private readonly frames: Frames | undefined
  private unpacked = 0
  private catching: Array<() => void> | undefined

  constructor(pipe: Reading, isCompressed: boolean) {
    this.pipe = pipe
    if (isCompressed) this.frames = new Frames()
  }

  resume(): void {
    if (this.flowing) return
    this.flowing = true
    if (this.held !== undefined || this.end !== undefined) process.nextTick(tellHeld, this)
    else this.pipe.socket.resume()
  }

  pause(): void {
    this.flowing = false
    // Behind the last message `ws` reads on, to hear of the end of the stream.
    if (this.end === undefined && !this.pipe.isDone) this.pipe.socket.pause()
  }

  /** Something has arrived that was not told. */
  get isUnread(): boolean {
    return this.held !== undefined || this.pipe.under.stream.readableLength > 0
  }

  // What arrives ------------------------------------------------------------------------------------------------------

  onMessage(data: Buffer, isBinary: boolean): void {
    moved(data.length)
    const chunk = isBinary ? data : textOf(data)
    if (this.flowing && this.held === undefined) this.pipe.receiver?.onData(chunk)
    else (this.held ??= []).push(chunk)
    if (this.frames !== undefined) this.onUnpacked()
  }

  onEnd(end: PeerEnd): void {
    if (this.end !== undefined) return
    this.end = end
    this.tellEnd()
  }

  /** Delivers what has waited, as long as it is asked for, and goes on. */
  tellHeld(): void {
    while (this.flowing && this.held !== undefined) {
      const chunk = this.held[this.heldTold++]!
      if (this.heldTold === this.held.length) this.forget()
      this.pipe.receiver?.onData(chunk)
    }
    if (!this.flowing) return
    this.tellEnd()
    if (this.flowing) this.pipe.socket.resume()
  }

  tellEnd(): void {
    const { end } = this
    if (end === undefined || this.endTold || !this.flowing || this.held !== undefined || this.isUnpacking) return
    this.endTold = true
    this.pipe.receiver?.onEnd(end)
    this.pipe.onEndTold()
  }

  /** The pipe is broken: what has arrived is told now, or never. */
  tellAll(): void {
    const { held, heldTold, pipe } = this
    this.forget()
    for (const chunk of held?.slice(heldTold) ?? []) pipe.receiver?.onData(chunk)
    if (this.end === undefined || this.endTold) return
    this.endTold = true
    pipe.receiver?.onEnd(this.end)
  }

  forget(): void {
    this.held = undefined
    this.heldTold = 0
  }

  // What is unpacked --------------------------------------------------------------------------------------------------

  onBytes(bytes: Uint8Array): void {
    this.frames!.take(bytes)
  }

  /** A message has arrived whole, and has not been told of by `ws`. */
  private get isUnpacking(): boolean {
    return this.frames !== undefined && this.frames.whole > this.unpacked && !this.pipe.isDone
  }

  private onUnpacked(): void {
    this.unpacked++
    if (this.isUnpacking) return
    this.caughtUp()
    this.tellEnd()
  }

  catchUp(callback: () => void): void {
    const { under } = this.pipe
    if (this.frames === undefined) return under.catchUp(callback)
    under.catchUp(() => {
      if (this.isUnpacking) (this.catching ??= []).push(callback)
      else callback()
    })
  }

  /** There is nothing left to wait for. */
  caughtUp(): void {
    const { catching } = this
    this.catching = undefined
    for (const callback of catching ?? []) callback()
  }
}

const tellHeld = (input: WebSocketInput): void => input.tellHeld()
