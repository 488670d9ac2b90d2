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
import { hostOf, type To } from "../To.ts"
import type { Channel, Ear } from "./Channel.ts"
import { TcpChannel } from "./TcpChannel.ts"

/** The status of what was not heard, says the server: the client may ask somebody else, and nothing is lost. */
export const refused = "REFUSED_STREAM"

/** What the frames travel on. */
export type Under = (to: To, ear: Ear) => Channel

const plain: Under = (to, ear) => new TcpChannel(to, ear)

export class Http2Channel implements Channel {
  private readonly ear: Ear
  private readonly raw: Channel
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

  constructor(to: To, ear: Ear, under: Under = plain) {
    this.ear = ear
    this.raw = under(to, {
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
    this.session = http2.connect(`http://${hostOf(to)}`, {
      createConnection: () => this.pipe
    })
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

  sendHalf(message: string | Uint8Array): void {
    const halve = () =>
      // What the server's own settings are answered with leaves first.
      setImmediate(() => {
        this.cut = "next"
        this.request(String(message))
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
    if (what === "FIN" || this.isSpent) this.raw.answer("FIN")
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
    stream.on("response", (head, flags) => {
      isAnswered = true
      const isEmpty = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0
      const length = isEmpty ? "0" : head["content-length"]
      if (length === undefined) return this.tellInChunks(stream, String(head[":status"]))
      this.tell(String(head[":status"]), Number(length))
      // Not before, or Node may tell the body first.
      stream.on("data", (chunk: Buffer) => this.ear.heard(chunk, undefined))
    })
    stream.on("error", () => {})
    stream.on("close", () => {
      // Of a stream that ends with its connection the client has not heard anything.
      if (!isAnswered && !this.over && stream.rstCode !== 0) this.tell(nameOf(stream.rstCode), 0)
    })
  }

  /** An answer that does not say how long it is ends with its stream. */
  private tellInChunks(stream: http2.ClientHttp2Stream, status: string): void {
    const say = (text: string) => this.ear.heard(Buffer.from(text), undefined)
    say(`HTTP/2 ${status}\r\ntransfer-encoding: chunked\r\n\r\n`)
    stream.on("data", (chunk: Buffer) => {
      say(`${chunk.length.toString(16)}\r\n`)
      this.ear.heard(chunk, undefined)
      say("\r\n")
    })
    stream.on("end", () => {
      if (stream.rstCode === 0) say("0\r\n\r\n")
    })
  }

  private tell(status: string, bytes: number): void {
    this.ear.heard(Buffer.from(`HTTP/2 ${status}\r\ncontent-length: ${bytes}\r\n\r\n`), undefined)
  }

  // A GOAWAY that came with the FIN is heard before it: Node tells it in a turn of its own.
  private onRawEnd(what: Seen): void {
    // TLS has said goodbye: a FIN follows.
    if (what === "close_notify") return
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
