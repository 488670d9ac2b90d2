/**
 * A `ws.WebSocket` whose close frames are said when its transport says so.
 *
 * By itself `ws` answers the peer's close frame in the very moment in which it reads it, and from then on drops whatever
 * is sent: the answers to messages that came right before it, and that somebody still works on. It does so by calling its
 * own `close`, with the code and the reason that it has read, or with nothing where there was no code. Here that is told
 * to the transport, which answers in its turn.
 */
import * as WS from "ws"
import { noCode } from "./webSocketGoodbye.ts"

/** The one who says the close frames. */
export interface Sayer {
  /** The peer's close frame has been read. */
  onGoodbye(code: number, reason: string): void
  /** A close frame is to be sent at once: for an error of the peer's, or because somebody has called `close`. */
  onClosing(code: number, reason: string): void
}

export class ServedWebSocket extends WS.WebSocket {
  sayer: Sayer | undefined

  override close(code?: number, reason?: string | Buffer): void {
    const { sayer } = this
    if (sayer === undefined) super.close(code, reason)
    else if (code === undefined) sayer.onGoodbye(noCode, "")
    else if (typeof reason === "object") sayer.onGoodbye(code, reason.toString())
    else sayer.onClosing(code, reason ?? "")
  }

  /** Sends a close frame; when both sides have, it ends the stream. */
  say(code: number, reason: string): void {
    if (code === noCode) super.close()
    else super.close(code, reason)
  }
}
