/**
 * An acceptor whose pipes are upgraded to WebSockets first.
 *
 * The request is Node's to read: an HTTP server of our own, which listens nowhere, is given each stream as if it had
 * accepted it. An upgrade is `ws`'s to answer; whatever else is asked for gets 426, and its connection ends.
 */
import type { Acceptor, Transport } from "finwait/Transport"
import * as Http from "node:http"
import type { Duplex } from "node:stream"
import { type Server, type ServerOptions, WebSocketServer } from "ws"
import { type Handshake, HandshakingAcceptor } from "./handshakes.ts"
import type { WebSocketSettings } from "./webSocketSettings.ts"
import type { ServedWebSocket } from "./webSocketSocket.ts"
import { WebSocketTransport } from "./webSocketTransport.ts"
import { type Under, under } from "./webSocketUnder.ts"
import { UpgradeRequest } from "./webSocketUpgrades.ts"

const key = Symbol("finwait/upgrade")

interface Carrier extends Duplex {
  [key]: Upgrade
}

type Upgrades = Server<typeof ServedWebSocket>

export class WebSocketAcceptor extends HandshakingAcceptor {
  private readonly settings: WebSocketSettings
  private readonly http: Http.Server
  private readonly upgrades: Upgrades

  constructor(base: Acceptor, settings: WebSocketSettings) {
    super(base, settings.limits)
    this.settings = settings
    this.upgrades = new WebSocketServer(settings.server as ServerOptions<typeof ServedWebSocket>)
    this.http = Http.createServer(upgradeRequired)
    this.http.on("upgrade", (request, stream, head) => (stream as Carrier)[key].answer(request, head))
    this.begin()
  }

  protected shake(raw: Transport): Handshake {
    const upgrade = new Upgrade(under(raw), this)
    const { stream } = upgrade.under
    ;(stream as Carrier)[key] = upgrade
    stream.on("close", onClose)
    if (raw instanceof UpgradeRequest) process.nextTick(() => upgrade.answer(raw.request, raw.head))
    else {
      this.http.emit("connection", stream)
      stream.resume()
    }
    return upgrade
  }

  closed(upgrade: Upgrade): void {
    this.failed(upgrade)
  }

  answer(upgrade: Upgrade, request: Http.IncomingMessage, head: Buffer): void {
    const { stream } = upgrade.under
    this.upgrades.handleUpgrade(request, stream, head, (socket) => {
      stream.off("close", onClose)
      this.established(upgrade, new WebSocketTransport(socket, upgrade.under, request, this.settings.liveness))
    })
  }
}

class Upgrade implements Handshake {
  readonly under: Under
  private readonly acceptor: WebSocketAcceptor

  constructor(under: Under, acceptor: WebSocketAcceptor) {
    this.under = under
    this.acceptor = acceptor
  }

  get begun(): boolean {
    return this.under.arrived > 0
  }

  answer(request: Http.IncomingMessage, head: Buffer): void {
    this.acceptor.answer(this, request, head)
  }

  /** Whoever has closed it, after an answer or without one. */
  close(): void {
    this.acceptor.closed(this)
  }

  giveUp(): void {
    // Who has not said a word loses nothing by an end.
    if (this.begun) this.under.reset()
    else this.under.release()
  }
}

function onClose(this: Duplex): void {
  ;(this as Carrier)[key].close()
}

/** Answers once the whole request has been read: a connection that is closed before is reset, and the answer lost. */
const upgradeRequired: Http.RequestListener = (request, response) => {
  request.resume().once("end", () => {
    const text = Http.STATUS_CODES[426]!
    const head = { Connection: "close, upgrade", Upgrade: "websocket", "Content-Type": "text/plain" }
    response.writeHead(426, { ...head, "Content-Length": text.length }).end(text)
  })
}
