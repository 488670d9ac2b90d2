/**
 * TLS upon a socket: what it is told by Node, and how its end is known for what it is.
 *
 * Node's TLS reads and writes the descriptor itself, past JavaScript, which makes it as fast as it is; and it tells the
 * end in the same way whether the peer has said that it ends (close_notify) or the stream was truncated (FIN alone,
 * which anybody on the way can send). To tell them apart, there has to be something between the socket and TLS that
 * passes the raw end on one turn late: if TLS has ended by then, close_notify had come. That costs several times
 * the processor's time for small messages, and so it is there only for who wants to know. Decision 20 has the figures.
 */
import type * as Net from "node:net"
import { Duplex } from "node:stream"
import type * as Tls from "node:tls"
import { onNextTurn } from "./turns.ts"

/** What to do about a truncated stream: see `NodeTls.Options.truncation`. */
export const truncations = ["framed", "error", "end"] as const

export type Truncation = (typeof truncations)[number]

export class Secured {
  readonly tls: Tls.TLSSocket
  readonly raw: Net.Socket
  /** What to do about a truncated stream. */
  readonly truncation: Truncation
  private readonly relay: Relay | undefined

  constructor(tls: Tls.TLSSocket, raw: Net.Socket, relay: Relay | undefined, truncation: Truncation) {
    this.tls = tls
    this.raw = raw
    this.relay = relay
    this.truncation = truncation
    relay?.carry(tls)
  }

  /** The peer's FIN has come and its close_notify has not. */
  get truncated(): boolean {
    return this.relay?.truncated === true
  }

  /**
   * What was written to the socket before it spoke TLS, and waits. Of what TLS writes itself it counts the bytes that it was
   * given, until the socket has sent the records that they have become.
   */
  get unsentBefore(): number {
    return this.relay === undefined ? this.raw.writableLength : 0
  }

  /** TLS reads and writes the descriptor itself. */
  get isDirect(): boolean {
    return this.relay === undefined
  }

  /** The socket has ended as it should, and what it had is still to be read. */
  get readsOn(): boolean {
    return this.relay?.readsOn === true
  }

  /**
   * All has been given to the socket, its FIN is asked for, and not sent: to reset it in this moment would fail, and leak
   * the descriptor.
   */
  get isEnding(): boolean {
    const { tls } = this
    return tls.writableEnded && tls.writableLength === 0 && !tls.writableFinished && !this.raw.destroyed
  }
}

type Done = (error?: Error | null) => void

/** Between a socket and TLS: passes on what there is, and the end late. */
export class Relay extends Duplex {
  truncated = false
  /** The socket has ended without an error. */
  readsOn = false
  private readonly raw: Net.Socket
  private tls: Tls.TLSSocket | undefined
  private rawEnded = false
  private tlsEnded = false

  constructor(raw: Net.Socket) {
    super({ allowHalfOpen: true })
    this.raw = raw
    raw.on("data", (bytes) => {
      if (!this.push(bytes)) raw.pause()
    })
    raw.on("end", () => {
      this.rawEnded = true
      this.readsOn = true
      onNextTurn(() => this.passEndOn())
    })
    raw.on("error", (error) => this.destroy(error))
    raw.on("close", () => {
      if (!this.readsOn) this.destroy()
    })
  }

  /** What it carries; until then the handshake is under way, and an end is an end. */
  carry(tls: Tls.TLSSocket): void {
    this.tls = tls
    tls.on("end", () => {
      this.tlsEnded = true
    })
    // Nothing is known while something waits to be read: TLS's own end may be behind it.
    tls.on("resume", () => onNextTurn(() => this.passEndOn()))
    tls.on("data", () => {
      if (this.rawEnded) onNextTurn(() => this.passEndOn())
    })
  }

  private passEndOn(): void {
    const { tls } = this
    if (!this.rawEnded || this.readableEnded || this.destroyed) return
    if (tls !== undefined && !this.tlsEnded && (!tls.isPaused() ? tls.readableLength > 0 : true)) return
    this.truncated = tls !== undefined && !this.tlsEnded
    this.rawEnded = false
    this.push(null)
  }

  override _read(): void {
    this.raw.resume()
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    this.raw.write(chunk, done)
  }

  override _writev(chunks: Array<{ readonly chunk: Uint8Array }>, done: Done): void {
    this.raw.cork()
    for (const [index, { chunk }] of chunks.entries()) {
      if (index < chunks.length - 1) this.raw.write(chunk)
      else this.raw.write(chunk, done)
    }
    this.raw.uncork()
  }

  override _final(done: Done): void {
    this.raw.end(() => done())
  }

  override _destroy(error: Error | null, done: Done): void {
    this.raw.destroy()
    done(error)
  }
}
