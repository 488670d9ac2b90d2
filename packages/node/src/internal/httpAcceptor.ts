/**
 * An acceptor whose pipes are the connections of an HTTP server of Node's.
 *
 * The server is somebody else's, with its limits, its certificates and its listeners. It does not listen by itself: it is
 * given each connection as if it had accepted it, once that is counted and has its turn. So whoever waits for room is not
 * read, and a TLS handshake has the limits that every other one has here.
 */
import * as Effect from "effect/Effect"
import type * as Address from "finwait/Address"
import type { Acceptor, AcceptReceiver, Transport } from "finwait/Transport"
import type * as Http from "node:http"
import type * as Http2 from "node:http2"
import type * as Net from "node:net"
import * as Tls from "node:tls"
import { connectionOf, connectionOfRequest, HttpConnection, type HttpHost } from "./httpConnection.ts"
import { NodeTransport } from "./transport.ts"
import { onNextTurns } from "./turns.ts"

export type HttpServer = Http.Server | Http2.Http2Server | Http2.Http2SecureServer

export interface HttpAcceptorOptions {
  readonly graceMillis: number
  readonly tellsUpgraded: boolean
  /** Connections can be told one after the other, see `retireAll`. */
  readonly spreads: boolean
  readonly interruptRequests: () => void
}

/** Node's timers know no more. */
const timerMillisMax = 2 ** 31 - 1

/** How often some are told to end: the smallest part of a second that nobody notices. */
const stepMillis = 10

/** The members that every kind of server has, and the listener of each event. */
type Server = Http.Server

/** Node's, from 24 on. */
interface Upgrading {
  shouldUpgradeCallback?: (request: Http.IncomingMessage) => boolean
}

/** Who hears of a connection, and begins to speak HTTP on it. */
type Handed = ReadonlyArray<(socket: Net.Socket) => void>

export class HttpAcceptor implements Acceptor, AcceptReceiver, HttpHost {
  readonly tellsUpgraded: boolean
  readonly graceMillis: number
  readonly interruptRequests: () => void
  /** What the server's own close is: who holds it may call that. */
  onClose: ((closed: () => void) => void) | undefined
  readonly closeServer = (closed: () => void): void => this.onClose?.(closed)
  /** All that are open, where they are told one after the other. */
  private readonly connections: Set<HttpConnection> | undefined
  private readonly server: Server
  /** Of TLS. */
  private readonly handed: Handed | undefined
  private base: Acceptor | undefined
  private receiver: AcceptReceiver | undefined
  /** Those who have come before there was anybody to answer. */
  private readonly unanswered: Array<Net.Socket> = []
  private isOpen = false
  private isListening = () => false
  /** Those who hear of the drain when nobody can connect any more. */
  private readonly untold: Array<() => void> = []
  /** Those in their grace; all have the same, so the first is always the next. */
  private readonly graced = new Map<HttpConnection, number>()
  private timer: NodeJS.Timeout | undefined

  constructor(server: HttpServer, options: HttpAcceptorOptions) {
    this.server = server as Server
    this.graceMillis = options.graceMillis
    this.tellsUpgraded = options.tellsUpgraded
    this.interruptRequests = options.interruptRequests
    this.connections = options.spreads ? new Set() : undefined
    if (server instanceof Tls.Server) {
      // They wait until the connection has its turn.
      this.handed = server.listeners("secureConnection") as unknown as Handed
      server.removeAllListeners("secureConnection")
    }
    this.listen()
  }

  /** What accepts for it, and whether it still does. */
  over(base: Acceptor, isListening: () => boolean): this {
    this.base = base
    this.isListening = isListening
    return this
  }

  /** Some are told to end in the lame duck, while it still listens. */
  get spreads(): boolean {
    return this.connections !== undefined
  }

  whenDeaf(tell: () => void): void {
    if (!this.isListening()) return tell()
    if (this.untold.push(tell) > 1) return
    onNextTurns({
      turn: () => {
        if (this.isListening()) return true
        for (const one of this.untold.splice(0)) one()
        return false
      }
    })
  }

  get address(): Address.Address {
    return this.base!.address
  }

  attach(receiver: AcceptReceiver): void {
    this.receiver = receiver
    this.base!.attach(this)
  }

  onAccept(pipe: Transport): void {
    if (!(pipe instanceof NodeTransport)) throw new Error("HTTP needs a socket of Node's")
    const connection = new HttpConnection(pipe, this)
    this.connections?.add(connection)
    this.receiver!.onAccept(connection)
  }

  onAcceptError(code: string): void {
    this.receiver?.onAcceptError(code)
  }

  onOverflow(): void {
    this.receiver?.onOverflow()
  }

  stop(callback: () => void): void {
    this.base!.stop(callback)
  }

  abort(): void {
    this.base!.abort()
  }

  // What Node's server tells ------------------------------------------------------------------------------------------

  private listen(): void {
    const server = this.server as Server & Upgrading
    const upgrades = server.shouldUpgradeCallback
    // What clients offer with every request, and nobody takes: it is answered as any other.
    if (upgrades !== undefined) {
      server.shouldUpgradeCallback = (request) =>
        request.headers.upgrade?.toLowerCase() !== "h2c" && upgrades.call(server, request)
    }
    server
      .on("request", onRequest)
      .on("checkContinue", onRequest)
      .on("upgrade", onUpgrade)
      .on("timeout", this.onTimeout)
      .on("clientError", this.onClientError)
    ;(server as unknown as Http2.Http2Server).on("session", onSession)
  }

  /** Of a connection, or of a session of HTTP/2. */
  private readonly onTimeout = (who: Net.Socket): void => {
    // Whoever else listens for it decides what becomes of it.
    if (this.server.listenerCount("timeout") > 1) return
    const connection = connectionOf(who)
    if (connection === undefined) who.destroy()
    else connection.onTimeout()
  }

  private readonly onClientError = (error: NodeJS.ErrnoException, socket: Net.Socket): void => {
    if (this.server.listenerCount("clientError") > 1) return
    const connection = connectionOf(socket)
    if (connection === undefined) socket.destroy(error)
    else connection.onBadRequest(answerTo(error), error)
  }

  /** There is somebody to answer. */
  open(): void {
    this.isOpen = true
    for (const socket of this.unanswered.splice(0)) this.hand(socket)
  }

  hand(socket: Net.Socket): void {
    if (!this.isOpen) return void this.unanswered.push(socket)
    if (socket.destroyed || connectionOf(socket)?.isOver === true) return
    if (this.handed === undefined) this.server.emit("connection", socket)
    else for (const listener of this.handed) listener.call(this.server, socket)
    // It was accepted paused.
    socket.resume()
  }

  // The lame duck -----------------------------------------------------------------------------------------------------

  /** Tells those that are open now to end, one after the other, over a time. */
  retireAll(millis: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const all = [...(this.connections ?? [])]
      const steps = Math.min(all.length, Math.ceil(millis / stepMillis))
      for (let step = 1, told = 0; step <= steps; step++) {
        yield* Effect.sleep(millis / steps)
        for (; told < (all.length * step) / steps; told++) all[told]!.retire()
      }
    })
  }

  // Graces ------------------------------------------------------------------------------------------------------------

  grace(connection: HttpConnection, until: number): void {
    this.graced.delete(connection)
    this.graced.set(connection, until)
    this.arm()
  }

  leave(connection: HttpConnection): void {
    this.connections?.delete(connection)
    this.graced.delete(connection)
  }

  private arm(): void {
    if (this.timer !== undefined) return
    for (const until of this.graced.values()) {
      const millis = Math.max(1, Math.ceil(until - performance.now()))
      this.timer = setTimeout(() => this.expire(), Math.min(millis, timerMillisMax))
      return
    }
  }

  private expire(): void {
    this.timer = undefined
    const now = performance.now()
    for (const [connection, until] of this.graced) {
      if (until > now) break
      this.graced.delete(connection)
      connection.look()
    }
    this.arm()
  }
}

function onRequest(request: Http.IncomingMessage, response: Http.ServerResponse): void {
  connectionOfRequest(request)?.onRequest(response)
}

function onUpgrade(request: Http.IncomingMessage): void {
  connectionOf(request.socket)?.onUpgrade()
}

function onSession(session: Http2.ServerHttp2Session): void {
  connectionOf(session.socket)?.onSession(session)
}

const answers: Record<string, string> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "413 Payload Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout"
}

/** As Node answers where nobody else does. */
const answerTo = ({ code = "" }: NodeJS.ErrnoException): string =>
  `HTTP/1.1 ${answers[code] ?? "400 Bad Request"}\r\nConnection: close\r\n\r\n`
