/**
 * The writing half of a WebSocket: messages, and the close frame behind them.
 *
 * The system has a message when `ws` has given it to the stream, which with compression it does later, and the stream has
 * nothing left to give. Both is what `ws` counts as `bufferedAmount`, and says nothing of when it changes.
 */
import type { Goodbye, Receiver } from "finwait/Transport"
import { moved } from "./buffers.ts"
import type { ServedWebSocket } from "./webSocketSocket.ts"
import type { Under } from "./webSocketUnder.ts"

/** The pipe whose half it is. */
export interface Writing {
  readonly socket: ServedWebSocket
  readonly under: Under
  /** Who is told; nobody before `attach`, nor behind the last acts. */
  readonly receiver: Receiver | undefined
  /** Nothing is told any more. */
  readonly isOver: boolean
  readonly isBroken: boolean
  /** Broken, or closed. */
  readonly isDone: boolean
  /** There is room again, and nobody waits for it any more. */
  onRoom(): void
  onFlushTold(): void
  /** The peer has ended the stream without waiting for our goodbye. */
  onCannotSend(): void
}

const nothing = new Uint8Array(0)

/** A message so long gains nothing by being gathered, and the room that it takes until it leaves would hold the writer back. */
const longBytes = 8 * 1024

/** Those that have written in this turn. */
let gathering: Array<WebSocketOutput> = []

const release = (): void => {
  const all = gathering
  gathering = []
  for (const output of all) output.release()
}

export class WebSocketOutput {
  /** Our close frame is on its way. */
  said = false
  flushTold = false
  /** Whoever writes was told to wait. */
  awaitsRoom = false
  private readonly pipe: Writing
  private readonly isCompressed: boolean
  /** Somebody wants to know when all has been given to the system. */
  private asked = false
  /** Bytes of messages. */
  private taken = 0
  /** Messages that are being compressed. */
  private packing = 0
  private listens = false
  private gathers = false

  constructor(pipe: Writing, isCompressed: boolean) {
    this.pipe = pipe
    this.isCompressed = isCompressed
  }

  /** The heads of frames are nobody's bytes. */
  get unsentBytes(): number {
    return Math.min(this.taken, this.pipe.socket.bufferedAmount)
  }

  /** Counts what has left, from anywhere. */
  get left(): number {
    return this.taken - this.pipe.socket.bufferedAmount
  }

  write(data: Uint8Array | string): boolean {
    const { isOver, socket } = this.pipe
    if (this.said || isOver) return true
    if (socket.readyState !== socket.OPEN) {
      this.pipe.onCannotSend()
      return true
    }
    moved(data.length)
    this.taken += data.length
    if (data.length < longBytes) this.gather()
    else if (this.gathers) this.release()
    if (this.isCompressed) this.pack(data)
    else socket.send(data)
    return this.hasRoom || this.awaitRoom()
  }

  /** What is written in one turn leaves in one system call: the answers to messages that have come together. */
  private gather(): void {
    if (this.gathers) return
    this.gathers = true
    this.pipe.under.stream.cork()
    if (gathering.push(this) === 1) process.nextTick(release)
  }

  release(): void {
    if (!this.gathers) return
    this.gathers = false
    this.pipe.under.stream.uncork()
  }

  private pack(data: Uint8Array | string): void {
    this.packing++
    this.pipe.socket.send(data, (error) => {
      this.packing--
      if (error) return
      this.onDrain()
      this.flush()
    })
  }

  private get hasRoom(): boolean {
    const { socket, under } = this.pipe
    return socket.bufferedAmount < under.stream.writableHighWaterMark
  }

  private awaitRoom(): false {
    this.awaitsRoom = true
    if (!this.listens) this.pipe.under.stream.on("drain", () => this.onDrain())
    this.listens = true
    return false
  }

  private onDrain(): void {
    if (!this.awaitsRoom || !this.hasRoom) return
    this.awaitsRoom = false
    this.pipe.receiver?.onWritable()
    this.pipe.onRoom()
  }

  /** The stream is ended, by the peer or by `ws`: it tells of room no more, but of its end, which is the same. */
  onEnding(): void {
    this.pipe.under.stream.once("finish", () => this.onDrain())
  }

  /** The close frame, behind everything written; when both sides have said theirs, `ws` ends the stream. */
  say({ code, reason }: Goodbye): void {
    if (this.said) return
    this.said = true
    this.pipe.socket.say(code, reason)
  }

  closeWrite(goodbye: Goodbye): void {
    if (this.asked) return
    this.asked = true
    this.say(goodbye)
    this.flush()
  }

  /** Tells once everything has been given to the system. */
  private flush(): void {
    if (!this.asked || this.flushTold || this.packing > 0) return
    const { isDone, socket, under } = this.pipe
    const flushed = () => this.tellFlushed()
    if (isDone || socket.bufferedAmount === 0) process.nextTick(flushed)
    else if (under.stream.writableEnded) under.stream.once("finish", flushed)
    else {
      under.stream.write(nothing, (error) => {
        if (!error) flushed()
      })
    }
  }

  private tellFlushed(): void {
    if (this.flushTold || this.pipe.isBroken) return
    this.flushTold = true
    this.awaitsRoom = false
    this.pipe.receiver?.onFlushed()
    this.pipe.onFlushTold()
  }
}
