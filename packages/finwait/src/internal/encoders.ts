/**
 * Whole messages as bytes: one, or many in one piece.
 *
 * Several answers of one turn leave together, because a write costs more than a message does. They are put behind each
 * other as they come: text as text, which a transport may take as it is; bytes are copied, since they belong to whoever
 * made them.
 */
const textEncoder = new TextEncoder()

export const bytesOf = (data: Data): Uint8Array => (typeof data === "string" ? textEncoder.encode(data) : data)

/** How many bytes it has as UTF-8. */
export const byteLengthOf = (data: Data): number => {
  if (typeof data !== "string") return data.length
  let bytes = data.length
  for (let index = 0; index < data.length; index++) {
    const unit = data.charCodeAt(index)
    if (unit < 0x80) continue
    // A pair of surrogates has four bytes, and is two units here; a lone one becomes U+FFFD, of three.
    if (unit < 0x800) bytes++
    else if (isHighSurrogate(unit) && isLowSurrogate(data.charCodeAt(index + 1))) {
      bytes += 2
      index++
    } else bytes += 2
  }
  return bytes
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000

/** How a length is written ahead of its payload. The prefix counts the payload, not itself. */
export interface LengthPrefix {
  readonly headerBytes: 1 | 2 | 4
  readonly endian: "big" | "little"
}

/** What a write takes. */
export type Data = Uint8Array | string

/** Messages that wait to be written together. */
export interface Gathered<Out> {
  /** @throws RangeError for what cannot be one message, of which nothing is kept then */
  add(message: Out): void
  /** About how many bytes they are: of text it counts the characters. */
  readonly size: number
  /** All of them, of which none is left. */
  take(): Data
}

export interface Encoder<Out> {
  /** @throws RangeError for what cannot be one message */
  encode(message: Out): Data
  gathered(): Gathered<Out>
}

/** Text behind which a line ends. A line end within it would make the peer read two. */
export const lines: Encoder<string> = {
  encode: (text) => `${checkLine(text)}\n`,
  gathered: () => new GatheredLines()
}

/** Messages behind their length. */
export const lengthPrefixed = (prefix: LengthPrefix): Encoder<Uint8Array> => {
  const bytesMax = 2 ** (8 * prefix.headerBytes) - 1
  const put = (payload: Uint8Array, into: Uint8Array, at: number): void => {
    const { endian, headerBytes } = prefix
    for (let i = 0; i < headerBytes; i++) {
      into[at + i] = payload.length >>> (8 * (endian === "big" ? headerBytes - 1 - i : i))
    }
    into.set(payload, at + headerBytes)
  }
  const frameBytesOf = ({ length }: Uint8Array): number => {
    if (length <= bytesMax) return prefix.headerBytes + length
    throw new RangeError(
      `encode length-prefixed: a prefix of ${prefix.headerBytes} byte(s) expresses at most ${bytesMax} bytes, the payload has ${length}`
    )
  }
  return ofBytes(frameBytesOf, put)
}

/** Messages that end with a delimiter, which must not come earlier. */
export const delimited = (delimiter: Uint8Array): Encoder<Uint8Array> => {
  checkDelimiter(delimiter)
  const put = (payload: Uint8Array, into: Uint8Array, at: number): void => {
    const end = at + payload.length
    into.set(payload, at)
    into.set(delimiter, end)
    const found = find(into, delimiter, at)
    if (found === end) return
    throw new RangeError(
      `encode delimited: the payload of ${payload.length} bytes would end at byte ${found - at}, with a delimiter`
    )
  }
  return ofBytes(({ length }) => length + delimiter.length, put)
}

/** @throws RangeError when the delimiter has no byte */
export const checkDelimiter = (delimiter: Uint8Array): void => {
  if (delimiter.length === 0) throw new RangeError("a delimiter needs at least 1 byte, got 0")
}

const checkLine = (text: string): string => {
  const at = text.indexOf("\n")
  if (at === -1) return text
  throw new RangeError(`encode line: the text contains "\\n" at index ${at} and would end there`)
}

class GatheredLines implements Gathered<string> {
  private text = ""

  get size(): number {
    return this.text.length
  }

  add(text: string): void {
    this.text += `${checkLine(text)}\n`
  }

  take(): string {
    const { text } = this
    this.text = ""
    return text
  }
}

type Put = (payload: Uint8Array, into: Uint8Array, at: number) => void

const ofBytes = (frameBytesOf: (payload: Uint8Array) => number, put: Put): Encoder<Uint8Array> => ({
  encode: (payload) => {
    const frame = new Uint8Array(frameBytesOf(payload))
    put(payload, frame, 0)
    return frame
  },
  gathered: () => new GatheredBytes(frameBytesOf, put)
})

/** What the first of several messages is given room for. */
const roomMin = 256
/** And at most, however much the last time was. */
const roomMax = 64 * 1024

class GatheredBytes implements Gathered<Uint8Array> {
  size = 0
  private bytes: Uint8Array | undefined
  /** As much as was needed the last time will do as a rule. */
  private room = roomMin
  private readonly frameBytesOf: (payload: Uint8Array) => number
  private readonly put: Put

  constructor(frameBytesOf: (payload: Uint8Array) => number, put: Put) {
    this.frameBytesOf = frameBytesOf
    this.put = put
  }

  add(payload: Uint8Array): void {
    const end = this.size + this.frameBytesOf(payload)
    this.put(payload, this.roomFor(end), this.size)
    this.size = end
  }

  private roomFor(end: number): Uint8Array {
    if (this.bytes === undefined) return (this.bytes = new Uint8Array(Math.max(this.room, end)))
    if (end <= this.bytes.length) return this.bytes
    const larger = new Uint8Array(Math.max(2 * this.bytes.length, end))
    larger.set(this.bytes.subarray(0, this.size))
    return (this.bytes = larger)
  }

  take(): Uint8Array {
    const bytes = this.bytes!.subarray(0, this.size)
    this.room = Math.min(Math.max(roomMin, this.size), roomMax)
    this.bytes = undefined
    this.size = 0
    return bytes
  }
}

/** Where the delimiter first is, from somewhere on, in bytes that have one. */
const find = (bytes: Uint8Array, delimiter: Uint8Array, from: number): number => {
  for (let at = bytes.indexOf(delimiter[0]!, from); ; at = bytes.indexOf(delimiter[0]!, at + 1)) {
    let matched = 1
    while (matched < delimiter.length && bytes[at + matched] === delimiter[matched]) matched++
    if (matched === delimiter.length) return at
  }
}
