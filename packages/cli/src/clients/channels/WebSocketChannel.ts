/** A WebSocket over a TCP channel, by hand: what a library reads, answers and closes by itself is what is observed here. */
import { createHash, randomBytes } from "node:crypto"
import type { Seen } from "../ClientRecord.ts"
import { hostOf, type To } from "../To.ts"
import { type Channel, type Ear, half } from "./Channel.ts"
import * as frames from "./frames.ts"
import type { Under } from "./Http2Channel.ts"
import { TcpChannel } from "./TcpChannel.ts"

// RFC 6455, section 1.3.
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/** What stands for the code of a close frame that has none (RFC 6455, section 7.4.1). */
const noCode = 1005

export interface WebSocketOptions {
  /** Default: `/`. */
  readonly path?: string | undefined
  /** The subprotocol that is offered. */
  readonly protocol?: string | undefined
  /** What it travels on. Default: TCP. */
  readonly under?: Under | undefined
}

export class WebSocketChannel implements Channel {
  private readonly ear: Ear
  private readonly raw: Channel
  private readonly reader: frames.FrameReader
  private readonly key = randomBytes(16).toString("base64")
  /** The answer to our request for an upgrade, until all of it has come. */
  private head = ""
  private upgraded = false
  private waiting: Array<Uint8Array> = []
  private wantsToRead = false
  private saidClose = false

  constructor(to: To, ear: Ear, options: WebSocketOptions = {}) {
    const { under = (to, ear) => new TcpChannel(to, ear) } = options
    this.ear = ear
    this.reader = new frames.FrameReader({
      payload: (chunk, kind) => ear.heard(chunk, kind),
      close: (code) => ear.saw(`close ${code ?? noCode}`),
      ping: (payload) => this.raw.send(frames.pong(payload))
    })
    this.raw = under(to, {
      connected: () => ear.connected(),
      ready: () => {},
      heard: (chunk) => this.hear(chunk),
      // What TLS says of an end is said by the FIN behind it, too.
      saw: (what) => what !== "close_notify" && ear.saw(what),
      failed: (trouble) => ear.failed(trouble),
      closed: () => ear.closed()
    })
    this.raw.send(upgrade(to, this.key, options))
    this.raw.read()
  }

  get localPort(): number {
    return this.raw.localPort
  }

  send(message: string | Uint8Array): void {
    this.write(frames.message(message))
  }

  sendHalf(message: string | Uint8Array): void {
    this.write(half(frames.message(message)))
  }

  read(): void {
    this.wantsToRead = true
    this.raw.read()
  }

  hold(): void {
    this.wantsToRead = false
    if (this.upgraded) this.raw.hold()
  }

  /** A close frame is answered by one with the same code; it is the server that closes the connection then. */
  answer(what: Seen): void {
    const code = closeCode.exec(what)?.[1]
    if (code === undefined) this.raw.answer(what)
    else this.sayClose(Number(code))
  }

  leave(): void {
    this.sayClose(1000)
  }

  destroy(): void {
    this.raw.destroy()
  }

  private sayClose(code: number): void {
    if (this.saidClose) return
    this.saidClose = true
    this.write(frames.close(code === noCode ? undefined : code))
  }

  private write(bytes: Uint8Array): void {
    if (this.upgraded) this.raw.send(bytes)
    else this.waiting.push(bytes)
  }

  private hear(chunk: Buffer): void {
    if (this.upgraded) return this.reader.hear(chunk)
    // Latin-1 keeps the bytes: what comes behind the head is handed on as it was.
    this.head += chunk.toString("latin1")
    const end = this.head.indexOf("\r\n\r\n")
    if (end < 0) return
    const rest = Buffer.from(this.head.slice(end + 4), "latin1")
    this.head = this.head.slice(0, end)
    if (!isUpgrade(this.head, this.key)) return this.ear.failed(`no upgrade: ${this.head.split("\r\n")[0]}`)
    this.onUpgraded()
    if (rest.length > 0) this.reader.hear(rest)
  }

  private onUpgraded(): void {
    this.upgraded = true
    if (!this.wantsToRead) this.raw.hold()
    for (const bytes of this.waiting.splice(0)) this.raw.send(bytes)
    this.ear.ready()
  }
}

const closeCode = /^close (\d+)$/

const upgrade = (to: To, key: string, { path = "/", protocol }: WebSocketOptions) =>
  [
    `GET ${path} HTTP/1.1`,
    `Host: ${hostOf(to)}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    "\r\n"
  ].join("\r\n")

const isUpgrade = (head: string, key: string): boolean => {
  const digest = createHash("sha1").update(key + acceptSuffix)
  const accept = /^sec-websocket-accept: *(\S*)/im.exec(head)?.[1]
  return head.startsWith("HTTP/1.1 101 ") && accept === digest.digest("base64")
}
