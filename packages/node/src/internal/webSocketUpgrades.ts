/**
 * The upgrades of an HTTP server that somebody else owns, as an acceptor: only its 'upgrade' events are ours. It listens,
 * and stops listening, when its owner says so.
 */
import * as Address from "finwait/Address"
import type { Acceptor, AcceptReceiver, Capabilities } from "finwait/Transport"
import type * as Http from "node:http"
import type * as Https from "node:https"
import type * as Net from "node:net"
import type { Duplex } from "node:stream"
import { boundAddress } from "./addresses.ts"
import { type Known, NodeTransport } from "./transport.ts"
import { onNextTurns } from "./turns.ts"

/** What the system holds has been read after so many turns: see `catchUp.ts`. */
const readingTurns = 2

/** A request that has been read already. */
export class UpgradeRequest extends NodeTransport {
  readonly request: Http.IncomingMessage
  readonly head: Buffer

  constructor(socket: Net.Socket, known: Known, request: Http.IncomingMessage, head: Buffer) {
    super(socket, known)
    this.request = request
    this.head = head
  }

  /** A socket of TLS cannot be reset, and what is under it is not ours to ask for. */
  private get isSecure(): boolean {
    return "encrypted" in this.socket
  }

  override get capabilities(): Capabilities {
    return this.isSecure ? { ...super.capabilities, reset: false } : super.capabilities
  }
}

export class UpgradesAcceptor implements Acceptor, Known {
  readonly side = "local"
  private readonly server: Http.Server | Https.Server
  private receiver: AcceptReceiver | undefined
  private stopped = false

  /** Of a server that listens. */
  constructor(server: Http.Server | Https.Server) {
    this.server = server
  }

  get address(): Address.Address {
    const path = this.server.address()
    return boundAddress(this.server, Address.unix(typeof path === "string" ? path : ""))
  }

  attach(receiver: AcceptReceiver): void {
    this.receiver = receiver
    this.server.on("upgrade", this.onUpgrade)
  }

  private readonly onUpgrade = (request: Http.IncomingMessage, stream: Duplex, head: Buffer): void => {
    this.receiver!.onAccept(new UpgradeRequest(stream as Net.Socket, this, request, head))
  }

  /** What has been asked for before, and not read yet, is asked in time. */
  stop(callback: () => void): void {
    let turns = 0
    onNextTurns({
      turn: () => {
        if (!this.stopped && ++turns < readingTurns) return true
        this.abort()
        callback()
        return false
      }
    })
  }

  abort(): void {
    this.stopped = true
    this.server.off("upgrade", this.onUpgrade)
  }
}
