/**
 * HTTP/2 over a TCP channel, which stays the one that reads or does not. Frames are Node's; when a connection ends is the
 * client's own decision, and so what Node would do about a GOAWAY by itself does not reach the socket.
 *
 * What is said and heard here is HTTP/1.1: a request becomes a stream, and what comes on it is told as the answer to it.
 * One that was reset before there was an answer is told as one whose status is the name of the reason. There is one
 * request at a time.
 */
import * as http2 from "node:http2"
import { Duplex } from "node:stream"
import type { Seen } from "../ClientRecord.ts"
import { refused } from "../dialects/http.ts"
import type { Channel, Ear } from "./Channel.ts"
import { TcpChannel } from "./TcpChannel.ts"

export class Http2Channel implements Channel {
  private readonly ear: Ear
  private readonly raw: TcpChannel
  private readonly pipe: Duplex
  private readonly session: http2.ClientHttp2Session
  private stream: http2.ClientHttp2Stream | undefined
  /** Node has nothing more to say. */
  private isSpent = false
  /** Our side may end when it is. */
  private mayEnd = false
  /** `next`: only half of the next bytes leave; `done`: none leave any more. */
  private cut: "no" | "next" | "done" = "no"
  private over = false
  private wasTold = false

  constructor(port: number, ear: Ear) {
    this.ear = ear
    this.raw = new TcpChannel(port, {
      connected: () => ear.connected(),
      // With prior knowledge a client may speak at once.
      ready: () => ear.ready(),
      heard: (chunk) => this.pipe.push(Buffer.from(chunk)),
      saw: (what) => this.onRawEnd(what),
      failed: (trouble) => ear.failed(trouble),
      closed: () => ear.closed()
    })
    this.pipe = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _, taken) => this.write(chunk, taken),
      final: (done) => {
        this.isSpent = true
        if (this.mayEnd) this.raw.leave()
        done()
      }
    })
    this.session = http2.connect(`http://127.0.0.1:${port}`, { createConnection: () => this.pipe })
    this.session.on("goaway", (code) => {
      if (code !== http2.constants.NGHTTP2_NO_ERROR) ear.failed(`GOAWAY ${nameOf(code)}`)
      // Node's servers say it twice: when the session closes, and when its last stream has ended.
      else if (!this.wasTold) ear.saw("GOAWAY")
      this.wasTold = true
    })
    this.session.on("error", (error) => {
      if (!this.over) ear.failed(error.message)
    })
  }

  get localPort(): number {
    return this.raw.localPort
  }

  /** A request, or the body of the last one. */
  send(message: string | Uint8Array): void {
    if (typeof message === "string") this.request(message)
    else this.stream?.end(message)
  }

  sendHalf(message: string): void {
    const halve = () =>
      // What the server's own settings are answered with leaves first.
      setImmediate(() => {
        this.cut = "next"
        this.request(message)
      })
    if (this.session.pendingSettingsAck) this.session.once("localSettings", halve)
    else halve()
  }

  read(): void {
    this.raw.read()
  }

  hold(): void {
    this.raw.hold()
  }

  /** Who was told GOAWAY ends behind its last stream; who gets a FIN ends at once. */
  answer(what: Seen): void {
    this.mayEnd = true
    if (what === "FIN" || this.isSpent) this.raw.answer()
    else this.session.close()
  }

  leave(): void {
    this.answer("GOAWAY")
  }

  destroy(): void {
    this.over = true
    this.raw.destroy()
    this.session.destroy()
  }

  private write(chunk: Buffer, taken: () => void): void {
    if (this.cut === "done") return taken()
    const part = this.cut === "next" ? chunk.subarray(0, chunk.length / 2) : chunk
    if (this.cut === "next") this.cut = "done"
    this.raw.send(part, () => taken())
  }

  private request(text: string): void {
    if (this.session.closed) return this.tell(refused, 0)
    const [method = "", path = ""] = text.split(" ", 2)
    const length = /^content-length: *(\d+)/im.exec(text)?.[1]
    const headers = { ":method": method, ":path": path, ...(length === undefined ? {} : { "content-length": length }) }
    const stream = this.session.request(headers, { endStream: length === undefined })
    this.stream = stream
    let isAnswered = false
    stream.on("response", (head) => {
      isAnswered = true
      this.tell(String(head[":status"]), Number(head["content-length"] ?? 0))
      // Not before, or Node may tell the body first.
      stream.on("data", (chunk: Buffer) => this.ear.heard(chunk, undefined))
    })
    stream.on("error", () => {})
    stream.on("close", () => {
      // Of a stream that ends with its connection the client has not heard anything.
      if (!isAnswered && !this.over && stream.rstCode !== 0) this.tell(nameOf(stream.rstCode), 0)
    })
  }

  private tell(status: string, bytes: number): void {
    this.ear.heard(Buffer.from(`HTTP/2 ${status}\r\ncontent-length: ${bytes}\r\n\r\n`), undefined)
  }

  // A GOAWAY that came with the FIN is heard before it: Node tells it in a turn of its own.
  private onRawEnd(what: Seen): void {
    if (what !== "FIN") this.over = true
    setImmediate(() => {
      this.over = true
      this.ear.saw(what)
      if (what === "FIN") this.pipe.push(null)
      else this.pipe.destroy()
    })
  }
}

// RFC 9113, section 7, in the order of their numbers.
const names = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  refused,
  "CANCEL"
]

const nameOf = (code: number): string => names[code] ?? `error ${code}`
