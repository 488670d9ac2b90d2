/** The frames of a WebSocket (RFC 6455, section 5), as a client writes and reads them. */
import type { Kind } from "./Channel.ts"

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
type Opcode = (typeof opcodes)[keyof typeof opcodes]

// From a server: two bytes, and up to eight for the length.
const headBytesMax = 10

const fin = 0x80
const masked = 0x80
// A client has to mask what it sends. With zeros, which change nothing: nobody between here and the server is fooled.
const mask = Buffer.alloc(4)

const frame = (opcode: Opcode, payload: Uint8Array): Buffer => {
  const { length } = payload
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  head[0] = fin | opcode
  head[1] = masked | (length < 126 ? length : length < 65_536 ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, mask, payload])
}

export const message = (content: string | Uint8Array): Buffer =>
  typeof content === "string" ? frame(opcodes.text, Buffer.from(content)) : frame(opcodes.binary, content)

/** A close frame; without a code it has no payload. */
export const close = (code?: number): Buffer => {
  const payload = Buffer.alloc(code === undefined ? 0 : 2)
  if (code !== undefined) payload.writeUInt16BE(code)
  return frame(opcodes.close, payload)
}

export const pong = (payload: Uint8Array): Buffer => frame(opcodes.pong, payload)

/** What a {@link FrameReader} has read. */
export interface Frames {
  payload(chunk: Buffer, kind: Kind): void
  /** `undefined` for a close frame that names none. */
  close(code: number | undefined): void
  ping(payload: Buffer): void
}

/** Takes the bytes as they come and hands payloads on at once: a message of 64 MB is never held. */
export class FrameReader {
  private readonly frames: Frames
  private head: Buffer = Buffer.alloc(0)
  private opcode = 0
  private kind: Kind
  private left = 0
  /** The payload of a control frame, which is at most 125 bytes. */
  private control: Buffer | undefined

  constructor(frames: Frames) {
    this.frames = frames
  }

  hear(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0) rest = this.left > 0 ? this.hearPayload(rest) : this.hearHead(rest)
  }

  private hearHead(chunk: Buffer): Buffer {
    const had = this.head.length
    this.head = Buffer.concat([this.head, chunk.subarray(0, headBytesMax - had)])
    const short = (this.head[1] ?? 0) & 0x7f
    const length = short === 126 ? 4 : short === 127 ? 10 : 2
    if (this.head.length < length) return chunk.subarray(chunk.length)
    this.left = short === 126 ? this.head.readUInt16BE(2) : short === 127 ? Number(this.head.readBigUInt64BE(2)) : short
    this.begin((this.head[0] ?? 0) & 0x0f)
    this.head = Buffer.alloc(0)
    return chunk.subarray(length - had)
  }

  private begin(opcode: number): void {
    this.opcode = opcode
    if (opcode === opcodes.text) this.kind = "text"
    if (opcode === opcodes.binary) this.kind = "binary"
    this.control = opcode >= opcodes.close ? Buffer.alloc(0) : undefined
    if (this.left === 0) this.end()
  }

  private hearPayload(chunk: Buffer): Buffer {
    const part = chunk.subarray(0, this.left)
    this.left -= part.length
    if (this.control === undefined) this.frames.payload(part, this.kind)
    else this.control = Buffer.concat([this.control, part])
    if (this.left === 0) this.end()
    return chunk.subarray(part.length)
  }

  private end(): void {
    if (this.control === undefined) return
    if (this.opcode === opcodes.ping) this.frames.ping(this.control)
    if (this.opcode === opcodes.close) {
      this.frames.close(this.control.length >= 2 ? this.control.readUInt16BE() : undefined)
    }
  }
}
