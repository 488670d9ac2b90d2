/**
 * The conversation on one connection of an HTTP server: its transport is lent to Node's HTTP while there is something to be
 * said on it.
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
import type * as Http from "node:http"
import type * as Http2 from "node:http2"
import type * as Net from "node:net"
import type { WebSocket } from "ws"
import type { Goodbye } from "finwait/Transport"
import { moved } from "./buffers.ts"
import { awaitQuiet, type Arriving } from "./catchUp.ts"
import { LentTransport } from "./lentTransport.ts"
import type { NodeTransport } from "./transport.ts"
import { onNextTurn } from "./turns.ts"

const key = Symbol("finwait/http")

interface Carrier {
  [key]?: HttpConnection | undefined
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
  /** It is gone. */
  leave(connection: HttpConnection): void
  /** Tells when nobody can connect any more: who is told to end connects again at once. */
  whenDeaf(tell: () => void): void
  /** The time for answers is over: interrupts all who still work on one. */
  interruptRequests(): void
}

/** Told at the announcement, and to who comes later at once. */
type Announced = () => void

/** Codes of RFC 6455 (7.4.1). */
const allDone = 1000
const goingAway = 1001
const failed = 1011

const unavailable = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n"
const requestTimeout = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"

/** Of most connections at most times. */
const none: ReadonlyArray<Http.ServerResponse> = []

export class HttpConnection extends LentTransport implements Arriving {
  private readonly host: HttpHost
  /** No more than the answers that are asked for, and one that says so. */
  isDraining = false
  /** Not even those. */
  private isHurried = false
  private announced: Array<Announced> | undefined
  /** Answers that are not given yet: to requests that came one behind the other there may be several. */
  private pending = none
  /** The one that says that it is the last, and whether it would have been one of many. */
  private marked: Http.ServerResponse | undefined
  private markedKept = false
  /** What was said cannot be understood any more, and this is the answer to it. */
  private refusal: string | undefined
  /** Since when nothing has been asked for. */
  private idleAt = performance.now()
  /** What had arrived by then: more is the beginning of a request. */
  private arrivedBefore = 0
  private session: Http2.ServerHttp2Session | undefined
  private isUpgraded = false
  /** What had been written when it was asked for. */
  private writtenBefore = 0
  private webSocket: WebSocket | undefined

  constructor(pipe: NodeTransport, host: HttpHost) {
    super(pipe)
    this.host = host
    ;(this.socket as Carrier)[key] = this
  }

  // The conversation --------------------------------------------------------------------------------------------------

  protected begins(): void {
    const { socket } = this
    // Whoever ends our side has nothing more to say.
    socket.on("finish", onSpent)
    // Node's HTTP has this done when it has written its last answer, and would destroy the socket then.
    socket.destroySoon = endSoon
    socket.destroy = destroyLent
    this.host.hand(socket)
  }

  protected ends(): void {
    this.socket.destroy = destroyOf(this.socket)
  }

  protected left(): void {
    this.host.leave(this)
    // Its requests are kept alive by Effect's for longer than they live, and what a socket holds with them.
    ;(this.socket as Carrier)[key] = undefined
  }

  /** Whether the socket, if it were destroyed now, would take an answer with it for which there is no more time. */
  get cutsAnswer(): boolean {
    if (!this.isHurried || !this.isLent || this.isOver || this.socket.readableEnded) return false
    return this.pending.some(({ writableFinished }) => !writableFinished)
  }

  /** Requests have come, of which this is the last. */
  onRequest(response: Http.ServerResponse): void {
    this.pending = this.pending.length === 0 ? [response] : [...this.pending, response]
    ;(response as Carrier)[key] = this
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
      // Who was to be upgraded, and has not been.
      if (this.isUpgraded && this.isLent && this.socket.bytesWritten === this.writtenBefore) this.refuse(unavailable)
    })
  }

  onResponseClose(response: Http.ServerResponse): void {
    this.pending = this.pending.length === 1 ? none : this.pending.filter((other) => other !== response)
    if (this.pending.length > 0 || this.session !== undefined) return
    this.idleAt = performance.now()
    const { arrived } = this
    moved(arrived - this.arrivedBefore)
    this.arrivedBefore = arrived
    if (this.refusal !== undefined) this.refuse(this.refusal)
    else if (this.isDraining) this.look()
  }

  /** What had not come when its answer was given has been read as well. */
  onRest(): void {
    this.arrivedBefore = this.arrived
    if (this.isDraining) this.look()
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
    this.writtenBefore = this.socket.bytesWritten
  }

  onWebSocket(webSocket: WebSocket): void {
    this.webSocket = webSocket
    if (this.isDraining) awaitQuiet(this, () => this.look())
  }

  /** The code for a WebSocket that its handler is done with: one whose input has ended has failed, to Effect. */
  goodbyeOf(code: number | undefined): number | undefined {
    return this.isDraining && (code === allDone || code === failed) ? goingAway : code
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
    const last = this.pending.at(-1)
    // It is about the body of a request that is worked on.
    if (last?.req.complete === false) {
      if (this.pending.some(({ headersSent }) => headersSent)) return void socket.destroy(error)
      return this.refuse(answer)
    }
    // What was asked for before is answered, and that is the last word.
    this.refusal ??= last === undefined ? answer : ""
    if (last === undefined) this.refuse(this.refusal)
    else this.markLast()
  }

  private refuse(answer: string): void {
    if (this.isOver) return
    if (answer !== "" && this.socket.writable) this.socket.write(answer)
    this.over()
  }

  /** The peer has ended. Node ends our side, too, and nobody waits for an answer any more. */
  onPeerEnd(): void {
    if (this.pending.length === 0 && !this.isUpgraded && this.session === undefined) this.over()
  }

  // The drain ---------------------------------------------------------------------------------------------------------

  /** The drain is announced when what had arrived is asked for. */
  catchUp(callback: () => void): void {
    this.host.whenDeaf(() => {
      const isFirst = this.begin()
      awaitQuiet(this, () => {
        callback()
        if (isFirst) this.look()
      })
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
    if (this.isUpgraded) return this.lookUpgraded()
    if (this.pending.length > 0) return
    if (this.isHurried) return this.endIdle()
    // Half of a request: the rest may be long in coming, and is awaited as the answer would be.
    if (this.arrived > this.arrivedBefore) return
    const until = this.idleAt + this.host.graceMillis
    if (performance.now() < until) this.host.grace(this, until)
    else this.over()
  }

  /**
   * The input of its handler ends, as if the peer had said goodbye; what it has in hand it can still send, and when it is
   * done the peer is told that the server goes away.
   */
  private lookUpgraded(): void {
    const { webSocket } = this
    if (webSocket === undefined || webSocket.readyState !== webSocket.OPEN) return
    if (this.isHurried) webSocket.close(goingAway)
    else if (this.host.tellsUpgraded) webSocket.emit("close", allDone, Buffer.alloc(0))
  }

  private endIdle(): void {
    if (this.arrived > this.arrivedBefore && this.socket.writable) this.socket.write(requestTimeout)
    this.over()
  }

  /** A session of HTTP/2 ends its side itself, behind its last frames. */
  override closeWrite(goodbye?: Goodbye, isLast?: boolean): void {
    const { session, socket } = this
    if (session === undefined || session.destroyed || socket.writableFinished) return super.closeWrite(goodbye, isLast)
    this.over()
    session.close()
    socket.once("finish", () => super.closeWrite())
  }
}

/** The connection that a request has come on. */
export const connectionOfRequest = (request: Http.IncomingMessage | Http2.Http2ServerRequest) =>
  connectionOf("stream" in request ? request.stream.session : request.socket)

function onResponseClose(this: Http.ServerResponse): void {
  const connection = connectionOf(this)
  ;(this as Carrier)[key] = undefined
  connection?.onResponseClose(this)
}

/** As its kind of socket has it. To delete what is laid over it would make every access to the socket slow. */
const destroyOf = (socket: Net.Socket) => (Object.getPrototypeOf(socket) as Net.Socket).destroy

function endSoon(this: Net.Socket): void {
  connectionOf(this)?.over()
}

/** Who destroys a socket in the middle of an answer at the deadline, without an error of the socket's own, cuts it. */
function destroyLent(this: Net.Socket, error?: Error): Net.Socket {
  const connection = connectionOf(this)
  if (error === undefined && connection?.cutsAnswer === true) {
    connection.over(true)
    return this
  }
  this.destroy = destroyOf(this)
  return this.destroy(error)
}

function onSpent(this: Net.Socket): void {
  connectionOf(this)?.over()
}
