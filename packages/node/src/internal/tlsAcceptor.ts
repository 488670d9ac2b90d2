/**
 * An acceptor whose pipes speak TLS.
 *
 * Node's own TLS server, which listens nowhere, is given each socket as if it had accepted it: so certificates, names,
 * protocols and their renewal are all its affair. It is given it when the client has said its first word. Until then a
 * connection costs no more than without TLS, and who says nothing can be sent away with FIN.
 */
import type { Acceptor, Transport } from "finwait/Transport"
import { AsyncLocalStorage } from "node:async_hooks"
import type * as Net from "node:net"
import type * as Tls from "node:tls"
import { type Handshake, type HandshakeLimits, HandshakingAcceptor } from "./handshakes.ts"
import { Relay, Secured, type Truncation } from "./secured.ts"
import { handshakeReason } from "./tlsDial.ts"
import { NodeTransport } from "./transport.ts"
import { onNextTurn } from "./turns.ts"

/**
 * Node tells of a TLS socket and not of the one under it. What it is told in, knows; and forgets it then, because whatever a
 * handler begins, a timer that outlives its connection, is begun in it as well.
 */
const current = new AsyncLocalStorage<{ handshake: TlsHandshake | undefined }>()

/** Hears why there is no connection with somebody who has said something. */
export type Report = (pipe: Transport, problem: string) => void

export class TlsAcceptor extends HandshakingAcceptor {
  private readonly server: Tls.Server
  private readonly truncation: Truncation
  private readonly report: Report | undefined

  constructor(base: Acceptor, server: Tls.Server, limits: HandshakeLimits, truncation: Truncation, report?: Report) {
    super(base, limits)
    this.server = server
    this.truncation = truncation
    this.report = report
    server.on("secureConnection", (tls) => {
      const store = current.getStore()
      const handshake = store?.handshake
      if (store !== undefined) store.handshake = undefined
      handshake?.done(tls)
    })
    // Whatever has gone wrong is the peer's, and its connection's end.
    server.on("tlsClientError", (error, tls) => {
      current.getStore()?.handshake?.refuse(error)
      tls.destroy()
    })
    this.begin()
  }

  protected shake(raw: Transport): Handshake {
    if (!(raw instanceof NodeTransport)) throw new Error("TLS needs a socket of Node's")
    return new TlsHandshake(raw, this)
  }

  beginTls(handshake: TlsHandshake, socket: Net.Socket): Relay | undefined {
    const relay = this.truncation === "end" ? undefined : new Relay(socket)
    const below = relay ?? socket
    // TLS does as what is below it: half a handshake has no half-close, and who ends in the middle of it is gone.
    below.allowHalfOpen = false
    current.run({ handshake }, () => this.server.emit("connection", below))
    below.allowHalfOpen = true
    return relay
  }

  finish(handshake: TlsHandshake, pipe: NodeTransport): void {
    this.established(handshake, pipe)
  }

  fail(handshake: TlsHandshake): void {
    this.failed(handshake)
  }

  tell(pipe: NodeTransport, problem: string): void {
    this.report?.(pipe, problem)
  }

  secured(tls: Tls.TLSSocket, socket: Net.Socket, relay: Relay | undefined): Secured {
    return new Secured(tls, socket, relay, this.truncation)
  }
}

class TlsHandshake implements Handshake {
  begun = false
  private readonly pipe: NodeTransport
  private readonly acceptor: TlsAcceptor
  private readonly socket: Net.Socket
  private relay: Relay | undefined
  private isDone = false
  private isTold = false

  constructor(pipe: NodeTransport, acceptor: TlsAcceptor) {
    this.pipe = pipe
    this.acceptor = acceptor
    this.socket = pipe.detach()
    // Not listened to for longer than the handshake takes: afterwards TLS tells.
    this.socket.on("error", ignore)
    this.socket.on("close", this.closed)
    this.socket.once("readable", this.readable)
  }

  /** Something has come, if it is but the end. */
  private readonly readable = (): void => {
    const { socket } = this
    if (socket.readableLength === 0) return void socket.destroy()
    this.begun = true
    this.relay = this.acceptor.beginTls(this, socket)
  }

  private readonly closed = (): void => {
    if (this.isDone) return
    this.isDone = true
    this.tell("the peer ended the connection in the middle of it")
    this.acceptor.fail(this)
  }

  /** What is wrong with it; Node closes it then. */
  refuse(error: Error): void {
    this.tell(handshakeReason(error).message)
  }

  /** Once; and nothing of who has said nothing, as those do who only look whether somebody listens. */
  private tell(problem: string): void {
    if (!this.isTold && this.begun) this.acceptor.tell(this.pipe, problem)
    this.isTold = true
  }

  done(tls: Tls.TLSSocket): void {
    if (this.isDone) return
    this.isDone = true
    this.socket.off("close", this.closed)
    tls.allowHalfOpen = true
    this.pipe.secure(this.acceptor.secured(tls, this.socket, this.relay))
    // OpenSSL is at work below us: whoever reset the connection now would take its memory away, and end the process.
    onNextTurn(() => this.acceptor.finish(this, this.pipe))
  }

  giveUp(): void {
    this.isDone = true
    this.tell("there is no more time for it")
    // Who has not said a word loses nothing by an end.
    if (this.begun) this.pipe.reset()
    else this.pipe.release()
  }
}

const ignore = (): void => {}
