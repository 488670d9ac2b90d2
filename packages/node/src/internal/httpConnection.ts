/**
 * One connection of an HTTP server, as a transport: lent to Node's HTTP while there is something to be said on it, and
 * taken back for the close.
 *
 * HTTP is Node's: it reads the requests, writes the answers and keeps the connection between them. What is decided here
 * is when a conversation is over, which is not when Node thinks so:
 *
 * - Node destroys a connection whose last answer has been written, and the peer that is still sending its upload is reset
 *   and loses the answer. Here that is where the close begins: FIN, and the linger behind it (RFC 9112, 9.6).
 * - A server that drains says so in its answers, `Connection: close` or GOAWAY, and ends each connection behind the answer
 *   that says it. Who has just had an answer that did not gets a while for one more request: it may be on its way.
 * - Who has said half of a request is waited for until the drain's deadline, and whoever is upgraded is told in the words
 *   of its own protocol.
 */
import * as Inspectable from "effect/Inspectable"
import type { Address } from "finwait/Address"
import type { Capabilities, Receiver, Transport } from "finwait/Transport"
import type * as Http from "node:http"
import type * as Http2 from "node:http2"
import type * as Net from "node:net"
import type { WebSocket } from "ws"
import { awaitQuiet, type Arriving } from "./catchUp.ts"
import type { NodeTransport } from "./transport.ts"
import { onNextTurn } from "./turns.ts"

const key = Symbol("finwait/http")

interface Carrier {
  [key]?: HttpConnection
}

/** The connection that something of Node's HTTP belongs to: a socket, or what stands for one. */
export const connectionOf = (socket: unknown): HttpConnection | undefined => (socket as Carrier | null)?.[key]

/** What a connection needs of the server that it is one of. */
export interface HttpHost {
  /** Milliseconds for which an idle connection may still ask, once the server drains. */
  readonly graceMillis: number
  /** Whether upgraded connections are told when the drain is announced, rather than when it has no more time. */
  readonly tellsUpgraded: boolean
  /** Gives the socket to Node's HTTP. */
  hand(socket: Net.Socket): void
  /** Calls `look` when its grace may be over. */
  grace(connection: HttpConnection, until: number): void
  /** The time for answers is over: interrupts all who still work on one. */
  interruptRequests(): void
}

/** Told at the announcement, and to who comes later at once. */
type Announced = () => void

/** Going away, as RFC 6455 has it (7.4.1). */
const goingAway = 1001

const requestTimeout = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"

export class HttpConnection extends Inspectable.Class implements Transport, Arriving {
  readonly pipe: NodeTransport
  readonly socket: Net.Socket
  private readonly host: HttpHost
  private onOver: (() => void) | undefined
  isOver = false
  private isLent = false
  private lent: HttpConnection["lentBytes"] | undefined
  private flowing = false
  /** No more than the answers that are asked for, and one that says so. */
  isDraining = false
  /** Not even those. */
  private isHurried = false
  private announced: Array<Announced> | undefined
  /** Answers that are not given yet: to requests that came one behind the other there may be several. */
  private readonly pending: Array<Http.ServerResponse> = []
  /** The one that says that it is the last, and whether it would have been one of many. */
  private marked: Http.ServerResponse | undefined
  private markedKept = false
  /** What was said cannot be understood any more, and this is the answer to it. */
  private refusal: string | undefined
  /** Since when nothing has been asked for. */
  private idleAt = performance.now()
  /** What had arrived by then: more is the beginning of a request. */
  private arrivedBefore: number
  private session: Http2.ServerHttp2Session | undefined
  private isUpgraded = false
  private webSocket: WebSocket | undefined

  constructor(pipe: NodeTransport, host: HttpHost) {
    super()
    this.pipe = pipe
    this.socket = pipe.socket
    this.host = host
    this.arrivedBefore = this.socket.bytesRead
    ;(this.socket as Carrier)[key] = this
  }

  // The conversation --------------------------------------------------------------------------------------------------

  /** Begins it; `onOver` is told once, when nothing more is to be said. */
  converse(onOver: () => void): void {
    if (this.isOver) return onOver()
    this.onOver = onOver
    const socket = this.pipe.lend()
    this.isLent = true
    // Whoever ends our side has nothing more to say.
    socket.on("end", onEnd).on("finish", onSpent).on("close", onSpent)
    // Node's HTTP has this done when it has written its last answer, and would destroy the socket then.
    socket.destroySoon = endSoon
    this.host.hand(socket)
  }

  over(): void {
    if (this.isOver) return
    this.isOver = true
    const { onOver } = this
    this.onOver = undefined
    onOver?.()
  }

  /** Requests have come, of which this is the last. */
  onRequest(response: Http.ServerResponse): void {
    this.pending.push(response)
    response.on("close", onResponseClose)
    if (this.isDraining) this.markLast()
    if (this.isHurried) this.answerAll()
  }

  /** Says that the connection ends behind this answer, and behind none before it: that would drop this one. */
  private markLast(): void {
    const { marked } = this
    if (marked !== undefined && !marked.headersSent) marked.shouldKeepAlive = this.markedKept
    const last = this.pending.at(-1)
    if (last === undefined || last.headersSent || last.req.httpVersionMajor !== 1) return
    this.marked = last
    this.markedKept = last.shouldKeepAlive
    last.shouldKeepAlive = false
  }

  /** Whatever works on it has had its time, even if it cannot be interrupted. */
  private answerAll(): void {
    // Who can be interrupted answers the same by itself, in this turn.
    onNextTurn(() => {
      for (const response of this.pending) if (!response.headersSent) response.writeHead(503).end()
    })
  }

  onResponseClose(response: Http.ServerResponse): void {
    const at = this.pending.indexOf(response)
    if (at >= 0) this.pending.splice(at, 1)
    if (this.pending.length > 0 || this.session !== undefined) return
    this.idleAt = performance.now()
    this.arrivedBefore = this.socket.bytesRead
    if (this.refusal !== undefined) this.refuse(this.refusal)
    else if (this.isDraining) this.look()
  }

  onSession(session: Http2.ServerHttp2Session): void {
    this.session = session
    ;(session as Carrier)[key] = this
    // The end of the peer ends a session, which Node does by ending the socket.
    this.socket.allowHalfOpen = false
    if (this.isDraining) awaitQuiet(this, () => this.look())
  }

  onUpgrade(): void {
    this.isUpgraded = true
  }

  onWebSocket(webSocket: WebSocket): void {
    this.webSocket = webSocket
    if (this.isDraining) this.look()
  }

  /** Nothing was asked for within Node's `keepAliveTimeout`; or nothing moved within the server's `timeout`. */
  onTimeout(): void {
    if (this.pending.length > 0 || this.isUpgraded || this.session !== undefined) this.socket.destroy()
    else this.over()
  }

  /** What was asked for cannot be understood, is too much or takes too long. `answer` says so, if anything may be said. */
  onBadRequest(answer: string, error: Error): void {
    if (!this.isLent || this.isOver) return
    const { socket } = this
    if (!socket.writable) return void socket.destroy(error)
    this.refusal ??= answer
    // What was asked for before is answered before.
    if (this.pending.length === 0) this.refuse(this.refusal)
    else this.markLast()
  }

  private refuse(answer: string): void {
    if (this.isOver) return
    if (this.socket.writable) this.socket.write(answer)
    this.over()
  }

  /** The peer has ended. Node ends our side, too, and nobody waits for an answer any more. */
  onPeerEnd(): void {
    if (this.pending.length === 0 && !this.isUpgraded && this.session === undefined) this.over()
  }

  // The drain ---------------------------------------------------------------------------------------------------------

  /** The drain is announced when what had arrived is asked for. */
  catchUp(callback: () => void): void {
    const isFirst = this.begin()
    awaitQuiet(this, () => {
      callback()
      if (isFirst) this.look()
    })
  }

  /** The next answer is the last. */
  retire(): void {
    if (this.begin()) awaitQuiet(this, () => this.look())
  }

  private begin(): boolean {
    if (this.isDraining) return false
    this.isDraining = true
    this.markLast()
    const { announced } = this
    this.announced = undefined
    for (const tell of announced ?? []) tell()
    return true
  }

  /** Tells at the announcement; returns what takes it back. */
  onAnnounced(tell: Announced): () => void {
    if (this.isDraining) {
      tell()
      return () => {}
    }
    const announced = (this.announced ??= [])
    announced.push(tell)
    return () => void announced.splice(announced.indexOf(tell), 1)
  }

  /** There is no more time for answers. */
  hurry(): void {
    if (this.isHurried) return
    this.isHurried = true
    this.retire()
    this.host.interruptRequests()
    this.answerAll()
    this.look()
  }

  get arrived(): number {
    return this.socket.bytesRead
  }

  /** It drains: ends it if nothing is to be awaited. */
  look(): void {
    if (this.isOver) return
    if (this.session !== undefined) {
      // Says GOAWAY with the last stream that is served, once.
      if (!this.session.closed) this.session.close()
      return
    }
    if (this.isUpgraded) {
      if (this.host.tellsUpgraded || this.isHurried) this.webSocket?.close(goingAway)
      return
    }
    if (this.pending.length > 0) return
    if (this.isHurried) return this.endIdle()
    // Half of a request: the rest may be long in coming, and is awaited as the answer would be.
    if (this.arrived > this.arrivedBefore) return
    const until = this.idleAt + this.host.graceMillis
    if (performance.now() < until) this.host.grace(this, until)
    else this.over()
  }

  private endIdle(): void {
    if (this.arrived > this.arrivedBefore && this.socket.writable) this.socket.write(requestTimeout)
    this.over()
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

  /** What Node's HTTP has read and written: up to now, or until it was taken back. */
  get lentBytes(): { readonly read: number; readonly written: number } {
    if (this.lent !== undefined) return this.lent
    const { bytesRead, bytesWritten } = this.socket
    return { read: bytesRead, written: bytesWritten }
  }

  get unsentBytes(): number {
    return this.pipe.unsentBytes
  }

  toJSON() {
    return { ...this.pipe.toJSON(), _id: "HttpConnection" }
  }

  attach(receiver: Receiver): void {
    this.pipe.attach(receiver)
  }

  resume(): void {
    this.flowing = true
    if (this.isOver && !this.isLent) this.pipe.resume()
  }

  pause(): void {
    this.flowing = false
    if (this.isOver && !this.isLent) this.pipe.pause()
  }

  /** What is said is Node's to say. */
  write(): boolean {
    return true
  }

  closeWrite(): void {
    this.over()
    const { session, socket } = this
    if (session === undefined || session.destroyed || socket.writableFinished) return this.finish()
    session.close()
    socket.once("finish", () => this.finish())
  }

  private finish(): void {
    this.takeBack()
    this.pipe.closeWrite()
    if (this.flowing) this.pipe.resume()
  }

  private takeBack(): void {
    if (!this.isLent) return
    this.lent = this.lentBytes
    this.isLent = false
    const { socket } = this
    // Node's HTTP may have stopped reading, which only its own listener knows how to undo.
    socket.emit("resume")
    socket.setTimeout(0)
    this.pipe.takeBack()
  }

  reset(): void {
    this.over()
    this.pipe.reset()
  }

  release(): void {
    this.over()
    this.pipe.release()
  }
}

/** The connection that a request has come on. */
export const connectionOfRequest = (request: Http.IncomingMessage | Http2.Http2ServerRequest) =>
  connectionOf("stream" in request ? request.stream.session : request.socket)

function onResponseClose(this: Http.ServerResponse): void {
  connectionOfRequest(this.req)?.onResponseClose(this)
}

function endSoon(this: Net.Socket): void {
  connectionOf(this)!.over()
}

function onSpent(this: Net.Socket): void {
  connectionOf(this)!.over()
}

function onEnd(this: Net.Socket): void {
  connectionOf(this)!.onPeerEnd()
}
