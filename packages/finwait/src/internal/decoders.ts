/**
 * Messages over bytes: lines, delimiters, length prefixes.
 *
 * A stream keeps the order of bytes and nothing else: a chunk may hold many messages, a part of one, or half of a
 * delimiter. Where chunks are cut must never show in the messages, nor in what they cost. Hence three rules:
 *
 * - A message that lies within one chunk is a view of that chunk: no copy. Whoever pushes a chunk gives it away.
 * - What is left of a chunk is copied, once `next` has found nothing more in it, into one buffer that doubles. The
 *   simpler list of slices would pin every chunk a slice came from (64 KiB of socket buffer for a tail of one byte), and
 *   joining at each push would be quadratic. Doubling copies a byte three times at most, and the buffer exceeds neither
 *   the limit (terminator included) nor twice what came (64 bytes at least).
 * - A byte is looked at once. The search goes on where it stopped, with what it knows of a half-seen delimiter, so that
 *   the limit is known to be broken before the bytes that break it are copied.
 */

import { checkDelimiter, type LengthPrefix } from "./encoders.ts"

const lineFeed = 0x0a
const carriageReturn = 0x0d
const none = new Uint8Array(0)

/** The first buffer for an unfinished message: with less, one that comes byte by byte would grow it six more times. */
const heldBytesMin = 64

// A byte order mark is data here: whoever wants it gone knows where the text begins, a line does not.
const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** Takes bytes in chunks of any size and gives back whole messages. */
export interface Decoder<A> {
  /**
   * Adds bytes; never throws. The decoder and the messages it hands out keep using the chunk: do not write to it again.
   * After a `TooLong` the bytes are dropped.
   */
  push(chunk: Uint8Array): void
  /**
   * The next whole message, `undefined` when more bytes are needed, or `TooLong` when the message exceeds the limit. A
   * decoder that failed stays failed, since nothing tells where the next message begins: each later call returns the
   * same value.
   */
  next(): A | undefined | TooLong
  /**
   * How many bytes came that no message was made of yet: those of an unfinished message, its prefix or half a delimiter
   * included, and those of whole messages not taken yet. 0 at a message boundary, and after a `TooLong`, when nothing is
   * held any more.
   */
  readonly pending: number
}

/** The message is longer than `maxFrameBytes`. */
export class TooLong {
  /** The length as its prefix announced it; `undefined` where only a delimiter would have told. */
  readonly frameBytes: number | undefined
  constructor(frameBytes: number | undefined) {
    this.frameBytes = frameBytes
  }
}

/**
 * Lines of UTF-8 that end with "\n"; one "\r" before it is dropped. The limit counts the bytes of the line without its
 * terminator. Bytes that are no UTF-8 become U+FFFD.
 */
export const lines = (maxFrameBytes: number): Decoder<string> => new Lines(maxFrameBytes)

/** Messages that each end with the delimiter, which is not part of them and not counted by the limit. */
export const delimited = (delimiter: Uint8Array, maxFrameBytes: number): Decoder<Uint8Array> =>
  new Delimited(delimiter, maxFrameBytes)

/** Messages that each follow their length. A length over the limit fails before any byte of the payload is there. */
export const lengthPrefixed = (options: LengthPrefix & { readonly maxFrameBytes: number }): Decoder<Uint8Array> =>
  new LengthPrefixed(options)

// -----------------------------------------------------------------------------
// What the decoders share: the chunk being read, the chunks after it, and the part of a message from the chunks before
// -----------------------------------------------------------------------------

abstract class Input {
  pending = 0
  protected readonly maxFrameBytes: number
  protected failed: TooLong | undefined = undefined
  protected chunk: Uint8Array = none
  protected at = 0
  /** Nobody has looked at the whole of this chunk. */
  protected fresh = false
  protected held: Uint8Array = none
  protected heldBytes = 0
  // Used only when chunks are pushed faster than they are read; `undefined` keeps an idle connection small.
  private waiting: Array<Uint8Array> | undefined = undefined
  private waitingAt = 0

  constructor(maxFrameBytes: number) {
    // NaN compares false with everything: it would be no limit at all, silently.
    if (!(maxFrameBytes >= 0)) throw new RangeError(`maxFrameBytes must be 0 or more, got ${maxFrameBytes}`)
    this.maxFrameBytes = maxFrameBytes
  }

  push(chunk: Uint8Array): void {
    if (this.failed !== undefined || chunk.length === 0) return
    this.pending += chunk.length
    if (this.at === this.chunk.length && this.waiting === undefined) {
      this.chunk = chunk
      this.at = 0
      this.fresh = true
    } else if (this.waiting === undefined) this.waiting = [chunk]
    else this.waiting.push(chunk)
  }

  /** Goes to the next chunk, and forgets this one. Not `Array.shift`, which moves all the others each time. */
  protected advance(): boolean {
    this.at = 0
    const waiting = this.waiting
    if (waiting === undefined) {
      this.chunk = none
      return false
    }
    this.chunk = waiting[this.waitingAt]!
    this.fresh = true
    waiting[this.waitingAt++] = none
    if (this.waitingAt === waiting.length) {
      this.waiting = undefined
      this.waitingAt = 0
    }
    return true
  }

  /** Copies the chunk up to `end` behind what is held. Memory follows what came, never what was announced. */
  protected hold(end: number, limitBytes: number): void {
    if (end === this.at) return
    const bytes = this.heldBytes + end - this.at
    if (bytes > this.held.length) {
      const grown = new Uint8Array(Math.min(Math.max(2 * bytes, heldBytesMin), limitBytes))
      if (this.heldBytes > 0) grown.set(view(this.held, 0, this.heldBytes))
      this.held = grown
    }
    // Tiny chunks come in numbers: no view for the whole of one.
    const whole = this.at === 0 && end === this.chunk.length
    this.held.set(whole ? this.chunk : view(this.chunk, this.at, end), this.heldBytes)
    this.heldBytes = bytes
    this.at = end
  }

  /** Hands over the first bytes of what is held. */
  protected release(bytes: number): Uint8Array {
    const message = view(this.held, 0, bytes)
    this.held = none
    this.heldBytes = 0
    return message
  }

  protected fail(frameBytes: number | undefined): TooLong {
    this.chunk = none
    this.at = 0
    this.held = none
    this.heldBytes = 0
    this.waiting = undefined
    this.pending = 0
    return (this.failed = new TooLong(frameBytes))
  }
}

class Lines extends Input implements Decoder<string> {
  /** Lines that were decoded together, each with its "\n", and how far they have been handed over. */
  private text = ""
  private textAt = 0

  next(): string | undefined | TooLong {
    if (this.textAt < this.text.length) return this.nextOfText()
    if (this.failed !== undefined) return this.failed
    while (this.at < this.chunk.length || this.advance()) {
      const { at, chunk, heldBytes } = this
      const found = chunk.indexOf(lineFeed, at)
      if (this.fresh && heldBytes === 0 && found !== -1 && this.decodeTogether(found)) return this.nextOfText()
      const end = found === -1 ? chunk.length : found
      const bytes = heldBytes + end - at
      // A last "\r" is not counted: it belongs to the terminator, or may turn out to.
      const last = end > at ? chunk[end - 1] : this.held[heldBytes - 1]
      const lineBytes = bytes > 0 && last === carriageReturn ? bytes - 1 : bytes
      if (lineBytes > this.maxFrameBytes) return this.fail(undefined)
      if (found === -1) {
        this.hold(end, this.maxFrameBytes + 1)
        continue
      }
      let text = ""
      // Each line is decoded when all its bytes are there, so no character is ever cut: 0x0A is never part of another.
      if (heldBytes > 0) {
        this.hold(end, bytes)
        text = textDecoder.decode(this.release(lineBytes))
      } else if (lineBytes > 0) text = textDecoder.decode(view(chunk, at, at + lineBytes))
      this.at = end + 1
      this.pending -= bytes + 1
      return text
    }
    return undefined
  }

  /**
   * To begin to decode costs more than to decode a line, so all lines of a chunk are decoded at once. That tells how long
   * each is only where every character is a byte, and where none can exceed the limit; else they are decoded one by one.
   */
  private decodeTogether(firstEnd: number): boolean {
    const { at, chunk } = this
    // Once for each chunk: to look at all of it again for every line would cost the square of its length.
    this.fresh = false
    const end = chunk.lastIndexOf(lineFeed) + 1
    if (end === firstEnd + 1 || end - at > this.maxFrameBytes) return false
    const text = textDecoder.decode(view(chunk, at, end))
    if (text.length !== end - at) return false
    this.text = text
    this.textAt = 0
    this.at = end
    return true
  }

  private nextOfText(): string {
    const { text, textAt } = this
    const end = text.indexOf("\n", textAt)
    this.textAt = end + 1
    this.pending -= end + 1 - textAt
    if (this.textAt === text.length) {
      this.text = ""
      this.textAt = 0
    }
    return text.slice(textAt, end > textAt && text.charCodeAt(end - 1) === carriageReturn ? end - 1 : end)
  }
}

class Delimited extends Input implements Decoder<Uint8Array> {
  private readonly delimiter: Uint8Array
  private readonly fallback: Uint32Array
  /** How many bytes of the delimiter the last bytes seen are. */
  private matched = 0

  constructor(delimiter: Uint8Array, maxFrameBytes: number) {
    super(maxFrameBytes)
    checkDelimiter(delimiter)
    this.delimiter = new Uint8Array(delimiter)
    this.fallback = fallbacks(this.delimiter)
  }

  next(): Uint8Array | undefined | TooLong {
    if (this.failed !== undefined) return this.failed
    while (this.at < this.chunk.length || this.advance()) {
      const { at, chunk, heldBytes } = this
      const end = this.scan()
      const matched = this.matched
      // What has matched so far may turn out to be the delimiter. This difference never shrinks as bytes come, so it
      // exceeds the limit exactly when no delimiter can come in time any more.
      const bytes = heldBytes + end - at - matched
      if (bytes > this.maxFrameBytes) return this.fail(undefined)
      if (matched < this.delimiter.length) {
        this.hold(end, this.maxFrameBytes + this.delimiter.length - 1)
        continue
      }
      this.matched = 0
      this.pending -= bytes + matched
      if (heldBytes === 0) {
        this.at = end
        return view(chunk, at, at + bytes)
      }
      // The delimiter may have begun in what is held: then no byte of this chunk is the message's.
      if (bytes > heldBytes) this.hold(end - matched, bytes)
      this.at = end
      return this.release(bytes)
    }
    return undefined
  }

  /**
   * Knuth, Morris and Pratt: each byte is looked at once, and `matched` is all there is to remember between chunks. Going
   * back after a mismatch would need bytes that are gone, and "aab" would be missed in "aaab".
   */
  private scan(): number {
    const { chunk, delimiter, fallback } = this
    let matched = this.matched
    let at = this.at
    while (at < chunk.length && matched < delimiter.length) {
      if (matched === 0) {
        // The platform's own search runs over what cannot begin a delimiter.
        const found = chunk.indexOf(delimiter[0]!, at)
        at = found === -1 ? chunk.length : found + 1
        matched = found === -1 ? 0 : 1
      } else {
        const byte = chunk[at++]
        while (matched > 0 && delimiter[matched] !== byte) matched = fallback[matched - 1]!
        if (delimiter[matched] === byte) matched++
      }
    }
    this.matched = matched
    return at
  }
}

class LengthPrefixed extends Input implements Decoder<Uint8Array> {
  private readonly headerBytes: number
  private readonly bigEndian: boolean
  private headerSeen = 0
  private frameBytes = 0

  constructor(options: LengthPrefix & { readonly maxFrameBytes: number }) {
    super(options.maxFrameBytes)
    this.headerBytes = options.headerBytes
    this.bigEndian = options.endian === "big"
  }

  next(): Uint8Array | undefined | TooLong {
    if (this.failed !== undefined) return this.failed
    return (this.headerSeen === 0 ? this.nextWithin() : undefined) ?? this.nextAcross()
  }

  /** The usual case, faster for having nothing to remember: prefix and payload lie within this chunk. */
  private nextWithin(): Uint8Array | undefined {
    const { at, bigEndian, chunk, headerBytes } = this
    const start = at + headerBytes
    if (start > chunk.length) return undefined
    let frameBytes = 0
    for (let i = 0; i < headerBytes; i++) {
      frameBytes = frameBytes * 256 + chunk[bigEndian ? at + i : start - 1 - i]!
    }
    const end = start + frameBytes
    if (end > chunk.length || frameBytes > this.maxFrameBytes) return undefined
    this.at = end
    this.pending -= end - at
    return view(chunk, start, end)
  }

  private nextAcross(): Uint8Array | undefined | TooLong {
    while (this.headerSeen < this.headerBytes) {
      if (this.at === this.chunk.length && !this.advance()) return undefined
      const byte = this.chunk[this.at++]!
      // `>>> 0`, or a length of 2 GiB and more would be negative and pass every limit.
      this.frameBytes =
        (this.bigEndian ? (this.frameBytes << 8) | byte : this.frameBytes | (byte << (8 * this.headerSeen))) >>> 0
      this.headerSeen++
    }
    const frameBytes = this.frameBytes
    if (frameBytes > this.maxFrameBytes) return this.fail(frameBytes)
    while (frameBytes - this.heldBytes > this.chunk.length - this.at) {
      this.hold(this.chunk.length, frameBytes)
      if (!this.advance()) return undefined
    }
    const { at, chunk, heldBytes } = this
    const end = at + frameBytes - heldBytes
    if (heldBytes > 0) this.hold(end, frameBytes)
    this.at = end
    this.headerSeen = 0
    this.frameBytes = 0
    this.pending -= this.headerBytes + frameBytes
    return heldBytes > 0 ? this.release(frameBytes) : view(chunk, at, end)
  }
}

/**
 * Not `subarray`: of a Node Buffer it gives a Buffer, and of what was held a plain array, so that `toString` and `slice`
 * of a message would do one thing or another as the chunks happened to be cut.
 */
const view = (bytes: Uint8Array, start: number, end: number): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)

/** For each prefix of the delimiter, the length of its longest proper end that is itself a prefix. */
const fallbacks = (delimiter: Uint8Array): Uint32Array => {
  const table = new Uint32Array(delimiter.length)
  for (let i = 1, matched = 0; i < delimiter.length; i++) {
    while (matched > 0 && delimiter[i] !== delimiter[matched]) matched = table[matched - 1]!
    if (delimiter[i] === delimiter[matched]) matched++
    table[i] = matched
  }
  return table
}
