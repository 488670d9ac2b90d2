/**
 * Counts the messages in the bytes that have arrived, by nothing but the heads of their frames (RFC 6455, 5.2).
 *
 * Messages that are compressed are unpacked on other threads: between the bytes and the message lies a time in which
 * nobody can be asked whether there is one on its way. Who counts both knows.
 */

/** Two bytes, eight of an extended length, four of a mask. */
const headBytesMax = 14

export class Frames {
  /** Messages that have arrived whole. */
  whole = 0
  private readonly head = new Uint8Array(headBytesMax)
  private headBytes = 0
  /** Bytes of the frame's payload that are still to come. */
  private payloadLeft = 0
  private isMessageEnd = false

  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.payloadLeft > 0) {
        const part = Math.min(this.payloadLeft, bytes.length - at)
        this.payloadLeft -= part
        at += part
      } else {
        this.head[this.headBytes++] = bytes[at++]!
        if (this.headBytes < this.headLength) continue
        this.beginPayload()
      }
      if (this.payloadLeft === 0 && this.isMessageEnd) this.whole++
    }
  }

  private get headLength(): number {
    if (this.headBytes < 2) return 2
    const length = this.head[1]! & 0x7f
    const isMasked = (this.head[1]! & 0x80) !== 0
    return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (isMasked ? 4 : 0)
  }

  private beginPayload(): void {
    const { head } = this
    this.headBytes = 0
    let length = head[1]! & 0x7f
    if (length === 126) length = head[2]! * 256 + head[3]!
    else if (length === 127) {
      length = 0
      for (let i = 2; i < 10; i++) length = length * 256 + head[i]!
    }
    this.payloadLeft = length
    // The last frame of a message, and no frame of control: those stand between the frames of others.
    this.isMessageEnd = (head[0]! & 0x80) !== 0 && (head[0]! & 0x08) === 0
  }
}
