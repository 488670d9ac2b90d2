/**
 * WebSockets that an HTTP server's requests are upgraded to, for Effect's own handler of upgrades.
 *
 * `ws` reads and writes the frames. When the close frame of this side has been given to the socket its conversation is over:
 * FIN follows, and the linger behind it waits for the peer's close frame and its FIN, as for every connection. So a peer
 * that reads slowly has all the time that it uses, and one that is silent no more than the close policy says.
 */
import type * as Http from "node:http"
import type { Duplex } from "node:stream"
import * as WS from "ws"
import { connectionOf, type HttpConnection } from "./httpConnection.ts"

export class UpgradedWebSocket extends WS.WebSocket {
  connection: HttpConnection | undefined

  /** By the handler when it is done, by `ws` to answer the peer's goodbye, and by the drain. */
  override close(code?: number, reason?: string | Buffer): void {
    const { connection } = this
    if (connection === undefined || this.readyState !== this.OPEN) return super.close(code, reason)
    const close = () => {
      super.close(connection.goodbyeOf(code), reason)
      connection.over()
    }
    // Messages that are being compressed come before it: a ping waits for its turn among them.
    if (this.extensions !== "" && this.bufferedAmount > 0) this.ping(undefined, undefined, close)
    else close()
  }
}

/** Upgrades to WebSockets, which their connections know. */
export class Upgrades extends WS.WebSocketServer<typeof UpgradedWebSocket> {
  override handleUpgrade(
    request: Http.IncomingMessage,
    socket: Duplex,
    head: Buffer,
    callback: (socket: UpgradedWebSocket, request: Http.IncomingMessage) => void
  ): void {
    super.handleUpgrade(request, socket, head, (webSocket, request) => {
      webSocket.connection = connectionOf(socket) ?? connectionOf(request.socket)
      callback(webSocket, request)
      webSocket.connection?.onWebSocket(webSocket)
    })
  }
}
