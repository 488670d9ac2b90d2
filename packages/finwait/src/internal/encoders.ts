/**
 * Whole messages as bytes: one, or many in one piece.
 *
 * Several answers of one turn leave together, because a write costs more than a message does. They are put behind each
 * other as they come: a text is kept, since it cannot change, and encoded with the others at once; bytes are copied,
 * since they belong to whoever made them.
 */
const textEncoder = new TextEncoder()

/** How a length is written ahead of its payload. The prefix counts the payload, not itself. */
export interface LengthPrefix {
  readonly headerBytes: 1 | 2 | 4
  readonly endian: "big" | "little"
}

/** Messages that wait to be written together. */
export interface Gathered<Out> {
  /** @throws RangeError for what cannot be one message, of which nothing is kept then */
  add(message: Out): void
  /** About how many bytes they are: of text it counts the characters. */
  readonly size: number
  /** All of them, of which none is left. */
  take(): Uint8Array
}

export interface Encoder<Out> {
  /** @throws RangeError for what cannot be one message */
  encode(message: Out): Uint8Array
  gathered(): Gathered<Out>
}

/** Text behind which a line ends. A line end within it would make the peer read two. */
export const lines: Encoder<string> = {
  encode: (text) => textEncoder.encode(`${checkLine(text)}\n`),
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
  const bytesOf = ({ length }: Uint8Array): number => {
    if (length <= bytesMax) return prefix.headerBytes + length
    throw new RangeError(
      `encode length-prefixed: a prefix of ${prefix.headerBytes} byte(s) expresses at most ${bytesMax} bytes, the payload has ${length}`
    )
  }
  return ofBytes(bytesOf, put)
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
  size = 0
  private lines: Array<string> = []

  add(text: string): void {
    this.lines.push(checkLine(text))
    this.size += text.length + 1
  }

  take(): Uint8Array {
    const text = this.lines.join("\n")
    this.lines = []
    this.size = 0
    return textEncoder.encode(`${text}\n`)
  }
}

type Put = (payload: Uint8Array, into: Uint8Array, at: number) => void

const ofBytes = (bytesOf: (payload: Uint8Array) => number, put: Put): Encoder<Uint8Array> => ({
  encode: (payload) => {
    const frame = new Uint8Array(bytesOf(payload))
    put(payload, frame, 0)
    return frame
  },
  gathered: () => new GatheredBytes(bytesOf, put)
})

/** What the first of several messages is given room for. */
const roomMin = 256

class GatheredBytes implements Gathered<Uint8Array> {
  size = 0
  private bytes: Uint8Array | undefined
  /** As much as was needed the last time will do as a rule. */
  private room = roomMin
  private readonly bytesOf: (payload: Uint8Array) => number
  private readonly put: Put

  constructor(bytesOf: (payload: Uint8Array) => number, put: Put) {
    this.bytesOf = bytesOf
    this.put = put
  }

  add(payload: Uint8Array): void {
    const end = this.size + this.bytesOf(payload)
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
    this.room = Math.max(roomMin, this.size)
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
