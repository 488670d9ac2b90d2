/**
 * A transport that is lent to a library which reads and writes its socket, and taken back for the close.
 *
 * Until then nothing goes through it but the end, an error and the release. What it is lent to has listeners of its own on
 * the socket, and may have stopped it; both are undone when it comes back. From a peer that has ended nothing more can
 * come, and there is nothing to be undone: that is how most connections end.
 */
import * as Inspectable from "effect/Inspectable"
import type { Address } from "finwait/Address"
import type { Capabilities, ConversationListener, Goodbye, PeerEnd, Receiver, Transport } from "finwait/Transport"
import type * as Net from "node:net"
import type { NodeTransport } from "./transport.ts"

export abstract class LentTransport extends Inspectable.Class implements Transport, Receiver {
  readonly pipe: NodeTransport
  readonly socket: Net.Socket
  isOver = false
  protected isLent = false
  private listener: ConversationListener | undefined
  private receiver: Receiver | undefined
  private lent: LentTransport["lentBytes"] | undefined
  private flowing = false

  constructor(pipe: NodeTransport) {
    super()
    this.pipe = pipe
    this.socket = pipe.socket
  }

  /** It is lent: gives the socket to who speaks on it. */
  protected abstract begins(): void
  /** It is lent no more: takes back what `begins` has done to the socket. */
  protected abstract ends(): void
  /** The connection is gone. */
  protected abstract left(): void
  /** The peer has ended. */
  protected abstract onPeerEnd(): void
  abstract catchUp(callback: () => void): void
  abstract hurry(): void

  converse(listener: ConversationListener): void {
    if (this.isOver) return listener.onOver(false)
    this.listener = listener
    this.pipe.lend()
    this.isLent = true
    this.begins()
  }

  over(isCut = false): void {
    if (this.isOver) return
    this.isOver = true
    const { listener } = this
    this.listener = undefined
    listener?.onOver(isCut)
  }

  private takeBack(): void {
    if (!this.isLent) return
    const { socket } = this
    this.lent = this.lentBytes
    this.isLent = false
    this.ends()
    socket.setTimeout(0)
    if (socket.readableEnded) return
    // Node's HTTP may have stopped reading, which only its own listener knows how to undo, and does not for as long as
    // answers wait for each other.
    ;(socket as { _paused?: boolean })._paused = false
    socket.emit("resume")
    this.pipe.takeBack()
  }

  // The transport -----------------------------------------------------------------------------------------------------

  get capabilities(): Capabilities {
    return this.pipe.capabilities
  }

  get localAddress(): Address {
    return this.pipe.localAddress
  }

  get remoteAddress(): Address {
    return this.pipe.remoteAddress
  }

  /** What has been read and written: up to now, or until it was taken back. */
  get lentBytes(): { readonly read: number; readonly written: number } {
    if (this.lent !== undefined) return this.lent
    const { bytesRead, bytesWritten } = this.socket
    return { read: bytesRead, written: bytesWritten }
  }

  get unsentBytes(): number {
    return this.pipe.unsentBytes
  }

  toJSON() {
    return { ...this.pipe.toJSON(), _id: "LentTransport" }
  }

  attach(receiver: Receiver): void {
    this.receiver = receiver
    this.pipe.attach(this)
  }

  resume(): void {
    this.flowing = true
    if (this.isOver && !this.isLent) this.pipe.resume()
  }

  pause(): void {
    this.flowing = false
    if (this.isOver && !this.isLent) this.pipe.pause()
  }

  /** What is said is somebody else's to say. */
  write(): boolean {
    return true
  }

  closeWrite(goodbye?: Goodbye, isLast?: boolean): void {
    this.over()
    this.takeBack()
    this.pipe.closeWrite(goodbye, isLast)
    if (this.flowing && !this.socket.readableEnded) this.pipe.resume()
  }

  reset(): void {
    this.over()
    this.ends()
    this.pipe.reset()
  }

  release(): void {
    this.over()
    this.ends()
    this.pipe.release()
    this.left()
  }

  // What the socket tells ---------------------------------------------------------------------------------------------

  onData(bytes: Uint8Array): void {
    this.receiver?.onData(bytes)
  }

  onEnd(end?: PeerEnd): void {
    this.receiver?.onEnd(end)
    if (this.isLent) this.onPeerEnd()
  }

  onWritable(): void {
    this.receiver?.onWritable()
  }

  onFlushed(): void {
    this.receiver?.onFlushed()
  }

  onBroken(code: string): void {
    this.receiver?.onBroken(code)
  }

  onReleased(): void {
    this.left()
    this.receiver?.onReleased()
    this.over()
  }
}
