/**
 * Pipes of messages over pipes of bytes, in frames of their own: what a WebSocket is, with no more of it than the laws of
 * transports ask for.
 */
import type { Goodbye, PeerEnd } from "finwait/Transport"
import { type Breaker, Passing, pipes } from "./brokenTransports.ts"

const kinds = { bytes: 0, text: 1, goodbye: 2 }
const headBytes = 5

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Its kind, the length of what is in it, and that. */
const frameOf = (kind: number, payload: Uint8Array): Uint8Array => {
  const frame = new Uint8Array(headBytes + payload.length)
  frame[0] = kind
  new DataView(frame.buffer).setUint32(1, payload.length)
  frame.set(payload, headBytes)
  return frame
}

/** Cuts frames out of bytes as they come. */
class Frames {
  private rest = new Uint8Array(0)

  take(bytes: Uint8Array): void {
    const all = new Uint8Array(this.rest.length + bytes.length)
    all.set(this.rest)
    all.set(bytes, this.rest.length)
    this.rest = all
  }

  next(): readonly [kind: number, payload: Uint8Array] | undefined {
    const { rest } = this
    if (rest.length < headBytes) return undefined
    const end = headBytes + new DataView(rest.buffer, rest.byteOffset).getUint32(1)
    if (rest.length < end) return undefined
    this.rest = rest.subarray(end)
    return [rest[0]!, rest.slice(headBytes, end)]
  }
}

class MessagePipe extends Passing {
  private readonly frames = new Frames()
  private readonly texts = new WeakSet<Uint8Array>()
  private flowing = false
  private closing = false
  private end: PeerEnd = { truncated: true }
  private hasEnded = false

  override get capabilities() {
    return { ...super.capabilities, messages: true }
  }

  override write(bytes: Uint8Array): boolean {
    return this.closing || this.inner.write(frameOf(kinds.bytes, bytes))
  }

  override writeText(text: string): boolean {
    return this.closing || this.inner.write(frameOf(kinds.text, encoder.encode(text)))
  }

  override isText(chunk: Uint8Array): boolean {
    return this.texts.has(chunk)
  }

  override closeWrite(goodbye: Goodbye = { code: 1000, reason: "" }): void {
    if (this.closing) return
    this.closing = true
    this.inner.write(frameOf(kinds.goodbye, encoder.encode(JSON.stringify(goodbye))))
    this.inner.closeWrite()
  }

  override resume(): void {
    this.flowing = true
    queueMicrotask(() => this.deliver())
    super.resume()
  }

  override pause(): void {
    this.flowing = false
    super.pause()
  }

  override reset(): void {
    this.flowing = false
    super.reset()
  }

  override release(): void {
    this.flowing = false
    super.release()
  }

  override onData(bytes: Uint8Array): void {
    this.frames.take(bytes)
    this.deliver()
  }

  override onEnd(): void {
    this.hasEnded = true
    this.deliver()
  }

  private deliver(): void {
    for (let frame; this.flowing && (frame = this.frames.next()) !== undefined;) {
      const [kind, payload] = frame
      if (kind === kinds.goodbye) this.end = { goodbye: JSON.parse(decoder.decode(payload)) as Goodbye }
      else {
        if (kind === kinds.text) this.texts.add(payload)
        this.receiver.onData(payload)
      }
    }
    if (!this.flowing || !this.hasEnded) return
    this.hasEnded = false
    this.receiver.onEnd(this.end)
  }
}

/** A provider of pipes of messages, over one of pipes of bytes. */
export const ofMessages: Breaker = pipes(MessagePipe)

/** Breaks pipes of messages. */
export const overMessages =
  (breaker: Breaker): Breaker =>
  (provider) =>
    breaker(ofMessages(provider))
