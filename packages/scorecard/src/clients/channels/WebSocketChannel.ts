/** A WebSocket over a TCP channel, by hand: what a library reads, answers and closes by itself is what is observed here. */
import { createHash, randomBytes } from "node:crypto"
import type { Seen } from "../ClientRecord.ts"
import type { Channel, Ear } from "./Channel.ts"
import * as frames from "./frames.ts"
import { TcpChannel } from "./TcpChannel.ts"

// RFC 6455, section 1.3.
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/** What stands for the code of a close frame that has none (RFC 6455, section 7.4.1). */
const noCode = 1005

export class WebSocketChannel implements Channel {
  private readonly ear: Ear
  private readonly raw: TcpChannel
  private readonly reader: frames.FrameReader
  private readonly key = randomBytes(16).toString("base64")
  /** The answer to our request for an upgrade, until all of it has come. */
  private head = ""
  private upgraded = false
  private waiting: Array<Uint8Array> = []
  private wantsToRead = false
  private saidClose = false

  constructor(port: number, ear: Ear) {
    this.ear = ear
    this.reader = new frames.FrameReader({
      payload: (chunk, kind) => ear.heard(chunk, kind),
      close: (code) => ear.saw(`close ${code ?? noCode}`),
      ping: (payload) => this.raw.send(frames.pong(payload))
    })
    this.raw = new TcpChannel(port, {
      connected: () => ear.connected(),
      ready: () => {},
      heard: (chunk) => this.hear(chunk),
      saw: (what) => ear.saw(what),
      failed: (trouble) => ear.failed(trouble),
      closed: () => ear.closed()
    })
    this.raw.send(upgrade(port, this.key))
    this.raw.read()
  }

  get localPort(): number {
    return this.raw.localPort
  }

  send(message: string | Uint8Array): void {
    this.write(frames.message(message))
  }

  sendHalf(message: string): void {
    const whole = frames.message(message)
    this.write(whole.subarray(0, whole.length / 2))
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
    if (code === undefined) this.raw.answer()
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

const upgrade = (port: number, key: string) =>
  [
    "GET / HTTP/1.1",
    `Host: 127.0.0.1:${port}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
    "\r\n"
  ].join("\r\n")

const isUpgrade = (head: string, key: string): boolean => {
  const digest = createHash("sha1").update(key + acceptSuffix)
  const accept = /^sec-websocket-accept: *(\S*)/im.exec(head)?.[1]
  return head.startsWith("HTTP/1.1 101 ") && accept === digest.digest("base64")
}
