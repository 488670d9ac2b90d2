import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Decoder, delimited, lengthPrefixed, lines, TooLong } from "../src/internal/decoders.ts"
import * as Encoders from "../src/internal/encoders.ts"

const encodeLine = (line: string) => Encoders.bytesOf(Encoders.lines.encode(line))
const encodeDelimited = (delimiter: Uint8Array, payload: Uint8Array) =>
  Encoders.bytesOf(Encoders.delimited(delimiter).encode(payload))
const encodeLengthPrefixed = (prefix: Encoders.LengthPrefix, payload: Uint8Array) =>
  Encoders.bytesOf(Encoders.lengthPrefixed(prefix).encode(payload))

const concat = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(chunks))

const utf8 = (text: string) => new TextEncoder().encode(text)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** Everything the decoder has to give now: its messages, and the failure if it ends in one. */
const drain = <A>(decoder: Decoder<A>): Array<A | TooLong> => {
  const messages: Array<A | TooLong> = []
  for (;;) {
    const message = decoder.next()
    if (message === undefined) return messages
    messages.push(message)
    if (message instanceof TooLong) return messages
  }
}

/** Drains after every chunk, as a connection does, or only after the last. */
const decode = <A>(decoder: Decoder<A>, chunks: ReadonlyArray<Uint8Array>, when: "each" | "last" = "each") => {
  const messages: Array<A | TooLong> = []
  for (const chunk of chunks) {
    decoder.push(chunk)
    if (when === "each") {
      messages.push(...drain(decoder))
      if (messages.at(-1) instanceof TooLong) return messages
    }
  }
  return when === "each" ? messages : drain(decoder)
}

const everyByte = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte))
const bytewise = (bytes: Uint8Array) => Array.from(bytes, (byte) => everyByte[byte]!)

const cut = (bytes: Uint8Array, at: ReadonlyArray<number>) => {
  const ends = [...at.map((n) => n % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  // Some chunks come from within a larger buffer, as a socket's do.
  return ends
    .map((end, i) => bytes.slice(i === 0 ? 0 : ends[i - 1]!, end))
    .map((chunk, i) => (i % 2 ? offset(chunk) : chunk))
}

const offset = (bytes: Uint8Array) => {
  const larger = new Uint8Array(bytes.length + 7).fill(0x0a)
  larger.set(bytes, 3)
  return larger.subarray(3, 3 + bytes.length)
}

const isTooLong = (message: unknown, frameBytes?: number) => {
  assert.instanceOf(message, TooLong)
  assert.strictEqual(message.frameBytes, frameBytes)
}

/** Few different bytes, so that delimiters, their halves and line ends are frequent. */
const bytesOf = (alphabet: string, maxLength = 40) =>
  fc.array(fc.constantFrom(...utf8(alphabet)), { maxLength }).map((bytes) => Uint8Array.from(bytes))
const cuts = fc.array(fc.nat(200), { maxLength: 12 })
const when = fc.constantFrom("each" as const, "last" as const)

/** The decoders again, written for one whole stream and with nothing in mind but being right. */
const oracle = {
  delimited(stream: Uint8Array, delimiter: Uint8Array, maxFrameBytes: number): Array<Uint8Array | TooLong> {
    const messages: Array<Uint8Array | TooLong> = []
    let start = 0
    for (let at = 0; at + delimiter.length <= stream.length; at++) {
      if (!delimiter.every((byte, i) => stream[at + i] === byte)) continue
      if (at - start > maxFrameBytes) return [...messages, new TooLong(undefined)]
      messages.push(stream.slice(start, at))
      start = at + delimiter.length
      at = start - 1
    }
    // The rest fails as soon as no continuation saves it: the shortest is the delimiter's missing half.
    const rest = stream.slice(start)
    const half = [...delimiter.keys()].findLast(
      (n) => n <= rest.length && delimiter.slice(0, n).every((byte, i) => rest[rest.length - n + i] === byte)
    )!
    return rest.length - half > maxFrameBytes ? [...messages, new TooLong(undefined)] : messages
  },
  lines(stream: Uint8Array, maxFrameBytes: number): Array<string | TooLong> {
    const messages: Array<string | TooLong> = []
    const parts: Array<Array<number>> = [[]]
    for (const byte of stream) {
      if (byte === 0x0a) parts.push([])
      else parts.at(-1)!.push(byte)
    }
    for (const [i, part] of parts.entries()) {
      if (part.at(-1) === 0x0d) part.pop()
      if (part.length > maxFrameBytes) return [...messages, new TooLong(undefined)]
      if (i < parts.length - 1)
        messages.push(new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(part)))
    }
    return messages
  }
}

describe("lines", () => {
  it("end with a line feed, with or without a carriage return before it", () => {
    const decoder = lines(100)
    assert.deepStrictEqual(decode(decoder, [utf8("a\nbc\r\n\n\r\nd\re\r\r\nf")]), ["a", "bc", "", "", "d\re\r"])
    assert.strictEqual(decoder.pending, 1)
  })

  it("are the same however the stream is cut, and the same as decoded from one piece", () => {
    fc.assert(
      fc.property(bytesOf("ab\r\n\né€😀", 80), cuts, when, fc.integer({ min: 0, max: 12 }), (stream, at, when, max) => {
        const expected = oracle.lines(stream, max)
        assert.deepStrictEqual(decode(lines(max), [stream]), expected)
        assert.deepStrictEqual(decode(lines(max), bytewise(stream)), expected)
        assert.deepStrictEqual(decode(lines(max), cut(stream, at), when), expected)
      }),
      { numRuns: 1000 }
    )
  })

  it("in one chunk are decoded together where every character is a byte, and give the same as one by one", () => {
    const line = fc.string({ unit: fc.constantFrom("a", "\r", "é", "\u{1F44B}"), maxLength: 6 })
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), fc.nat(8), (texts, maxFrameBytes) => {
        const bytes = utf8(texts.map((text) => `${text}\n`).join(""))
        const whole = decode(lines(maxFrameBytes), [bytes])
        assert.deepStrictEqual(whole, decode(lines(maxFrameBytes), bytewise(bytes)))
      })
    )
    // Bytes that are no UTF-8 are a character each, as they would be alone.
    const wrong = Uint8Array.of(0xff, 0xfe, 10, 0x61, 0xc3, 10, 0x62, 10)
    assert.deepStrictEqual(decode(lines(100), [wrong]), ["\uFFFD\uFFFD", "a\uFFFD", "b"])
  })

  it.each([
    ["where every character is a byte", "one\ntwo\r\nthr", [12, 8, 3]],
    ["where one is more", "één\ntwo\r\nthr", [14, 8, 3]]
  ])("are pending until they are taken, %s", (_, text, expected) => {
    const decoder = lines(100)
    decoder.push(utf8(text))
    const pending = [decoder.pending]
    while (decoder.next() !== undefined) pending.push(decoder.pending)
    assert.deepStrictEqual(pending, expected)
  })

  it("come back from what encodeLine wrote", () => {
    const line = fc.string({ unit: "grapheme" }).filter((line) => !line.includes("\n") && !line.endsWith("\r"))
    fc.assert(
      fc.property(fc.array(line), cuts, (texts, at) => {
        assert.deepStrictEqual(decode(lines(1000), cut(concat(texts.map(encodeLine)), at)), texts)
      })
    )
  })

  it("survive a cut between the carriage return and the line feed, and within a character", () => {
    assert.deepStrictEqual(decode(lines(1), [utf8("a\r"), utf8("\nb\r"), utf8("\n")]), ["a", "b"])
    assert.deepStrictEqual(decode(lines(4), bytewise(utf8("😀\r\n😀\n"))), ["😀", "😀"])
  })

  it("keep a byte order mark and replace what is not UTF-8", () => {
    assert.deepStrictEqual(decode(lines(9), [utf8("\uFEFFa\n"), Uint8Array.of(0xff, 0xe2, 0x82, 0x0a)]), [
      "\uFEFFa",
      "��"
    ])
  })

  it("may be as long as the limit and not a byte longer, terminators not counted", () => {
    assert.deepStrictEqual(decode(lines(3), [utf8("abc\nabc\r\n")]), ["abc", "abc"])
    assert.deepStrictEqual(decode(lines(3), bytewise(utf8("abc\r\n€\r\n"))), ["abc", "€"])
    for (const line of ["abcd\n", "abcd\r\n", "abc\r\r\n"]) {
      isTooLong(decode(lines(3), [utf8(line)])[0])
      isTooLong(decode(lines(3), bytewise(utf8(line)))[0])
    }
    assert.deepStrictEqual(decode(lines(0), [utf8("\n\r"), utf8("\n")]), ["", ""])
    isTooLong(decode(lines(0), [utf8("a")])[0])
  })

  it("fail with the byte that breaks the limit, not with the end of the line", () => {
    const decoder = lines(3)
    assert.deepStrictEqual(decode(decoder, [utf8("abc")]), [])
    decoder.push(utf8("\r"))
    assert.strictEqual(decoder.next(), undefined)
    decoder.push(utf8("x"))
    isTooLong(decoder.next())
    isTooLong(decode(lines(3), bytewise(utf8("abcd")))[0])
  })

  it("give out what came before the line that is too long, then fail for good", () => {
    const decoder = lines(3)
    decoder.push(utf8("ok\nabcd\nok\n"))
    assert.strictEqual(decoder.next(), "ok")
    const failure = decoder.next()
    isTooLong(failure)
    assert.strictEqual(decoder.next(), failure)
    decoder.push(utf8("ok\n"))
    assert.strictEqual(decoder.next(), failure)
    assert.strictEqual(decoder.pending, 0)
  })
})

describe("delimited", () => {
  it("messages are the same however the stream is cut, and the same as found in one piece", () => {
    const delimiter = bytesOf("aab", 5).filter((bytes) => bytes.length > 0)
    fc.assert(
      fc.property(
        bytesOf("aabc", 80),
        delimiter,
        cuts,
        when,
        fc.integer({ min: 0, max: 12 }),
        (stream, end, at, when, max) => {
          const expected = oracle.delimited(stream, end, max)
          assert.deepStrictEqual(decode(delimited(end, max), [stream]), expected)
          assert.deepStrictEqual(decode(delimited(end, max), bytewise(stream)), expected)
          assert.deepStrictEqual(decode(delimited(end, max), cut(stream, at), when), expected)
        }
      ),
      { numRuns: 2000 }
    )
  })

  it("messages come back from what encodeDelimited wrote, or it refuses to write them", () => {
    const delimiter = bytesOf("ab", 4).filter((bytes) => bytes.length > 0)
    fc.assert(
      fc.property(fc.array(bytesOf("abc", 6)), delimiter, cuts, (payloads, end, at) => {
        const frames: Array<Uint8Array> = []
        const written = payloads.filter((payload) => {
          const alone = oracle.delimited(concat([payload, end]), end, 100)
          if (alone.length === 1 && (alone[0] as Uint8Array).length === payload.length) {
            return frames.push(encodeDelimited(end, payload)) > 0
          }
          assert.throws(() => encodeDelimited(end, payload), RangeError)
          return false
        })
        assert.deepStrictEqual(decode(delimited(end, 100), cut(concat(frames), at)), written)
      })
    )
  })

  it("a delimiter is found behind a false start of its own", () => {
    for (const chunks of [[utf8("aaab")], bytewise(utf8("aaab")), [utf8("aa"), utf8("ab")], [utf8("aaa"), utf8("b")]]) {
      assert.deepStrictEqual(decode(delimited(utf8("aab"), 1), chunks), [utf8("a")])
    }
  })

  it("a delimiter split over chunks is found, also when no byte of the message is in the last", () => {
    const decoder = delimited(utf8("\r\n\r\n"), 3)
    assert.deepStrictEqual(decode(decoder, [utf8("abc\r"), utf8("\n\r"), utf8("\n\r\n\r"), utf8("\n")]), [
      utf8("abc"),
      utf8("")
    ])
    assert.strictEqual(decoder.pending, 0)
  })

  it("a message may be as long as the limit and not a byte longer, and fails as soon as no delimiter can save it", () => {
    const end = utf8("<>")
    assert.deepStrictEqual(decode(delimited(end, 3), [utf8("abc<><>")]), [utf8("abc"), utf8("")])
    isTooLong(decode(delimited(end, 3), [utf8("abcd<>")])[0])
    isTooLong(decode(delimited(end, 3), [utf8("abcd")])[0])
    const decoder = delimited(end, 3)
    assert.deepStrictEqual(decode(decoder, bytewise(utf8("abc<"))), [])
    decoder.push(utf8("<"))
    isTooLong(decoder.next())
  })

  it("the caller's delimiter may change afterwards", () => {
    const end = utf8(";")
    const decoder = delimited(end, 10)
    end[0] = 0
    assert.deepStrictEqual(decode(decoder, [utf8("a;")]), [utf8("a")])
  })
})

describe("lengthPrefixed", () => {
  const formats = fc.record({
    headerBytes: fc.constantFrom(1 as const, 2 as const, 4 as const),
    endian: fc.constantFrom("big" as const, "little" as const)
  })

  it("messages come back from what encodeLengthPrefixed wrote, however the stream is cut", () => {
    fc.assert(
      fc.property(formats, fc.array(fc.uint8Array({ maxLength: 200 })), cuts, when, (format, payloads, at, when) => {
        const stream = concat(payloads.map((payload) => encodeLengthPrefixed(format, payload)))
        const make = () => lengthPrefixed({ ...format, maxFrameBytes: 200 })
        assert.deepStrictEqual(decode(make(), [stream]), payloads)
        assert.deepStrictEqual(decode(make(), bytewise(stream)), payloads)
        assert.deepStrictEqual(decode(make(), cut(stream, at), when), payloads)
      }),
      { numRuns: 1000 }
    )
  })

  it("prefixes are written in the order asked for", () => {
    const payload = new Uint8Array(0x0102)
    const header = (headerBytes: 2 | 4, endian: "big" | "little") => [
      ...encodeLengthPrefixed({ headerBytes, endian }, payload).subarray(0, headerBytes)
    ]
    assert.deepStrictEqual(header(2, "big"), [1, 2])
    assert.deepStrictEqual(header(2, "little"), [2, 1])
    assert.deepStrictEqual(header(4, "big"), [0, 0, 1, 2])
    assert.deepStrictEqual(header(4, "little"), [2, 1, 0, 0])
  })

  it("a length over the limit fails with its prefix, before any byte of the payload", () => {
    const make = () => lengthPrefixed({ headerBytes: 2, endian: "big", maxFrameBytes: 3 })
    assert.deepStrictEqual(decode(make(), [Uint8Array.of(0, 3, 7, 8, 9)]), [Uint8Array.of(7, 8, 9)])
    isTooLong(decode(make(), [Uint8Array.of(0, 4)])[0], 4)
    isTooLong(decode(make(), [Uint8Array.of(0, 4, 6, 7, 8, 9)])[0], 4)
    const decoder = make()
    decoder.push(Uint8Array.of(0, 0, 1))
    assert.deepStrictEqual(drain(decoder), [new Uint8Array(0)])
    decoder.push(Uint8Array.of(1))
    const failure = decoder.next()
    isTooLong(failure, 257)
    decoder.push(Uint8Array.of(0, 0))
    assert.strictEqual(decoder.next(), failure)
    assert.strictEqual(decoder.pending, 0)
  })

  it("a prefix with the high bit set is a large length, not a negative one", () => {
    for (const chunks of [[Uint8Array.of(0xff, 0xff, 0xff, 0xff)], bytewise(Uint8Array.of(0xff, 0xff, 0xff, 0xff))]) {
      for (const endian of ["big", "little"] as const) {
        isTooLong(decode(lengthPrefixed({ headerBytes: 4, endian, maxFrameBytes: 100 }), chunks)[0], 2 ** 32 - 1)
      }
    }
    const big = lengthPrefixed({ headerBytes: 4, endian: "big", maxFrameBytes: 100 })
    isTooLong(decode(big, [Uint8Array.of(0x80, 0, 0, 1)])[0], 2 ** 31 + 1)
    const little = lengthPrefixed({ headerBytes: 4, endian: "little", maxFrameBytes: 100 })
    isTooLong(decode(little, [Uint8Array.of(1, 0, 0, 0x80)])[0], 2 ** 31 + 1)
  })

  it("memory follows what came, not what was announced", () => {
    const made = allocations(() => {
      const decoder = lengthPrefixed({ headerBytes: 4, endian: "big", maxFrameBytes: 2 ** 32 })
      assert.deepStrictEqual(decode(decoder, [Uint8Array.of(0xff, 0, 0, 0, 1), new Uint8Array(1000)]), [])
      assert.strictEqual(decoder.pending, 1005)
    })
    assert.isBelow(made, 4096)
  })
})

describe("pending", () => {
  const payloads = [utf8("ab"), utf8(""), utf8("c".repeat(300))]
  const decoders = {
    lines: () => [lines(300), concat(payloads.map((payload) => encodeLine(text(payload))))] as const,
    delimited: () =>
      [
        delimited(utf8("\r\n"), 300),
        concat(payloads.map((payload) => encodeDelimited(utf8("\r\n"), payload)))
      ] as const,
    lengthPrefixed: () => {
      const format = { headerBytes: 2, endian: "little" } as const
      const stream = concat(payloads.map((payload) => encodeLengthPrefixed(format, payload)))
      return [lengthPrefixed({ ...format, maxFrameBytes: 300 }), stream] as const
    }
  }

  for (const [name, make] of Object.entries(decoders)) {
    it(`of ${name} counts each byte until its message is taken, and is 0 at each boundary`, () => {
      const [decoder, stream] = make()
      const overhead = (stream.length - 302) / 3
      assert.strictEqual(decoder.pending, 0)
      decoder.push(stream)
      decoder.push(stream.slice(0, 1))
      for (const [i, payload] of payloads.entries()) {
        const before = payloads.slice(0, i).reduce((sum, { length }) => sum + length + overhead, 0)
        assert.strictEqual(decoder.pending, stream.length - before + 1)
        const message = decoder.next()
        assert.strictEqual(typeof message === "string" ? message : text(message as Uint8Array), text(payload))
      }
      assert.strictEqual(decoder.pending, 1)
      assert.strictEqual(decoder.next(), undefined)
      assert.strictEqual(decoder.pending, 1)

      const [again] = make()
      let taken = 0
      for (const [i, byte] of stream.entries()) {
        again.push(Uint8Array.of(byte))
        for (const message of drain<string | Uint8Array>(again))
          taken += message instanceof TooLong ? NaN : message.length + overhead
        assert.strictEqual(again.pending, i + 1 - taken)
      }
      assert.strictEqual(again.pending, 0)
    })
  }
})

describe("what decoding costs", () => {
  const format = { headerBytes: 4, endian: "big" } as const
  const manyBytes = 256 * 1024

  it("a message of 256 KiB that comes byte by byte copies and searches each byte a few times, not thousands", () => {
    const payload = new Uint8Array(manyBytes).fill(0x61)
    const streams: Array<[Decoder<unknown>, Uint8Array]> = [
      [lines(manyBytes), encodeLine("a".repeat(manyBytes))],
      [delimited(utf8("ab"), manyBytes), concat([payload, utf8("ab")])],
      [lengthPrefixed({ ...format, maxFrameBytes: manyBytes }), encodeLengthPrefixed(format, payload)]
    ]
    for (const [decoder, stream] of streams) {
      const chunks = bytewise(stream)
      for (const when of ["each", "last"] as const) {
        const touched = work(() => assert.strictEqual(decode(decoder, chunks, when).length, 1))
        assert.isBelow(touched.copied, 4 * stream.length)
        assert.isAtMost(touched.searched, stream.length)
      }
    }
  })

  it("16 messages of 64 bytes in one chunk are not copied, and each byte is searched once", () => {
    const payload = new Uint8Array(64).fill(0x61)
    const streams: Array<[Decoder<unknown>, Uint8Array]> = [
      [lines(64), encodeLine(text(payload))],
      [delimited(utf8("\r\n"), 64), encodeDelimited(utf8("\r\n"), payload)],
      [lengthPrefixed({ ...format, maxFrameBytes: 64 }), encodeLengthPrefixed(format, payload)]
    ]
    for (const [decoder, frame] of streams) {
      const chunk = concat(Array.from({ length: 16 }, () => frame))
      const touched = work(() => {
        const messages = decode(decoder, [chunk])
        assert.strictEqual(messages.length, 16)
        for (const message of messages)
          if (message instanceof Uint8Array) assert.strictEqual(message.buffer, chunk.buffer)
      })
      assert.strictEqual(touched.copied, 0)
      assert.isAtMost(touched.searched, chunk.length)
    }
  })

  it("lines that cannot be decoded together are not tried again for each of them", () => {
    const ascii = "ab\n".repeat(1000)
    for (const [limit, stream] of [
      [1_000_000, `${ascii}é\n`],
      [100, `${ascii}${"x".repeat(90)}`]
    ] as const) {
      const chunk = utf8(stream)
      const { decoded, searched } = work(() => decode(lines(limit), [chunk]))
      assert.isAtMost(decoded, 2 * chunk.length)
      assert.isAtMost(searched, 2 * chunk.length)
    }
  })

  it("a message over the limit is not copied", () => {
    for (const decoder of [lines(100), delimited(utf8("--"), 100)]) {
      const touched = work(() => {
        decoder.push(new Uint8Array(60))
        assert.strictEqual(decoder.next(), undefined)
        decoder.push(new Uint8Array(manyBytes))
        isTooLong(decoder.next())
      })
      assert.isAtMost(touched.copied, 60)
    }
  })

  it("the rest of a chunk is held in a buffer of its own, so that the chunk may go", () => {
    const decoder = delimited(utf8(";"), 10)
    const chunk = concat([utf8("a;bc"), new Uint8Array(0)])
    assert.deepStrictEqual(decode(decoder, [chunk]), [utf8("a")])
    chunk.fill(0)
    const [message] = decode(decoder, [utf8("d;")])
    assert.deepStrictEqual(message, utf8("bcd"))
    assert.isAtMost((message as Uint8Array).buffer.byteLength, 64)
  })

  it("a message is a plain Uint8Array wherever the chunks are cut, whatever class they have", () => {
    class Special extends Uint8Array {}
    const chunk = Special.from(utf8("ab;c"))
    for (const message of decode(delimited(utf8(";"), 10), [chunk, Special.from(utf8("d;"))])) {
      assert.strictEqual(Object.getPrototypeOf(message), Uint8Array.prototype)
    }
  })
})

describe("what is refused", () => {
  it("a line with a line feed in it", () => {
    assert.throws(() => encodeLine("a\nb"), RangeError, 'encode line: the text contains "\\n" at index 1')
    assert.throws(() => encodeLine("a\n"), RangeError)
  })

  it("a payload that would end early, by the delimiter in it or by one it completes", () => {
    assert.throws(() => encodeDelimited(utf8(";"), utf8("a;b")), RangeError, "payload of 3 bytes would end at byte 1")
    assert.throws(() => encodeDelimited(utf8("aba"), utf8("ab")), RangeError, "payload of 2 bytes would end at byte 0")
  })

  it("a payload longer than its prefix can say, with the limit named", () => {
    const encode = (headerBytes: 1 | 2 | 4, length: number) =>
      encodeLengthPrefixed({ headerBytes, endian: "big" }, { length } as Uint8Array)
    assert.throws(() => encode(1, 256), RangeError, "at most 255 bytes, the payload has 256")
    assert.throws(() => encode(2, 65536), RangeError, "at most 65535 bytes, the payload has 65536")
    assert.throws(() => encode(4, 2 ** 32), RangeError, "at most 4294967295 bytes, the payload has 4294967296")
    for (const [headerBytes, length] of [
      [1, 255],
      [2, 65535]
    ] as const) {
      const frame = encodeLengthPrefixed({ headerBytes, endian: "little" }, new Uint8Array(length))
      assert.strictEqual(frame.length, headerBytes + length)
      assert.isTrue(frame.subarray(0, headerBytes).every((byte) => byte === 0xff))
    }
  })

  it("an empty delimiter, and a limit that is none", () => {
    assert.throws(() => delimited(new Uint8Array(0), 10), RangeError, "at least 1 byte")
    assert.throws(() => encodeDelimited(new Uint8Array(0), utf8("a")), RangeError, "at least 1 byte")
    assert.throws(() => lines(NaN), RangeError, "maxFrameBytes must be 0 or more, got NaN")
    assert.throws(() => lines(-1), RangeError, "got -1")
  })
})

describe("messages that are written together", () => {
  const together = <Out>(encoder: Encoders.Encoder<Out>, messages: ReadonlyArray<Out>, batches: number) => {
    const gathered = encoder.gathered()
    const written: Array<Uint8Array> = []
    messages.forEach((message, index) => {
      gathered.add(message)
      if (index % batches === 0) written.push(Encoders.bytesOf(gathered.take()))
    })
    if (gathered.size > 0) written.push(Encoders.bytesOf(gathered.take()))
    return concat(written)
  }
  const apart = <Out>(encoder: Encoders.Encoder<Out>, messages: ReadonlyArray<Out>) =>
    concat(messages.map((message) => Encoders.bytesOf(encoder.encode(message))))

  it("are the same bytes as one by one", () => {
    const batches = fc.integer({ min: 1, max: 5 })
    const text = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", ""))
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 20 }), batches, (lines, batches) => {
        assert.deepStrictEqual(together(Encoders.lines, lines, batches), apart(Encoders.lines, lines))
      })
    )
    const prefixed = Encoders.lengthPrefixed({ headerBytes: 2, endian: "little" })
    const delimited = Encoders.delimited(utf8("\r\n"))
    const payload = fc.uint8Array({ maxLength: 400 }).map((bytes) => bytes.map((byte) => (byte === 10 ? 11 : byte)))
    fc.assert(
      fc.property(fc.array(payload, { minLength: 1, maxLength: 20 }), batches, (payloads, batches) => {
        assert.deepStrictEqual(together(prefixed, payloads, batches), apart(prefixed, payloads))
        const ending = payloads.map((bytes) => (bytes.at(-1) === 13 ? bytes.subarray(0, -1) : bytes))
        assert.deepStrictEqual(together(delimited, ending, batches), apart(delimited, ending))
      })
    )
  })

  it("are copied: who reuses its buffer for the next one changes nothing", () => {
    const gathered = Encoders.lengthPrefixed({ headerBytes: 1, endian: "big" }).gathered()
    const scratch = utf8("one")
    gathered.add(scratch)
    scratch.set(utf8("two"))
    gathered.add(scratch)
    assert.deepStrictEqual(gathered.take(), utf8("\u0003one\u0003two"))
  })

  it("lose nothing when one among them cannot be a message", () => {
    const lines = Encoders.lines.gathered()
    lines.add("a")
    assert.throws(() => lines.add("b\nc"), RangeError)
    lines.add("d")
    assert.strictEqual(lines.take(), "a\nd\n")
    const delimited = Encoders.delimited(utf8(";")).gathered()
    delimited.add(utf8("a"))
    assert.throws(() => delimited.add(utf8("b;c")), RangeError, "payload of 3 bytes would end at byte 1")
    delimited.add(utf8("d"))
    assert.deepStrictEqual(delimited.take(), utf8("a;d;"))
  })
})

/** Counts the bytes that `run` copies from array to array, those it searches through, and those it decodes. */
const work = (run: () => void): { copied: number; searched: number; decoded: number } => {
  const count = { copied: 0, searched: 0, decoded: 0 }
  const { indexOf, lastIndexOf, set } = Uint8Array.prototype
  const { decode } = TextDecoder.prototype
  const counting = {
    set(this: Uint8Array, source: ArrayLike<number>, at?: number) {
      count.copied += source.length
      return set.call(this, source, at)
    },
    indexOf(this: Uint8Array, byte: number, from = 0) {
      const found = indexOf.call(this, byte, from)
      count.searched += (found === -1 ? this.length : found + 1) - from
      return found
    },
    lastIndexOf(this: Uint8Array, byte: number) {
      const found = lastIndexOf.call(this, byte)
      // The byte at which it ends is counted by whoever looks for the first.
      count.searched += this.length - 1 - found
      return found
    }
  }
  Object.assign(Uint8Array.prototype, counting)
  TextDecoder.prototype.decode = function (input, options) {
    count.decoded += input?.byteLength ?? 0
    return decode.call(this, input, options)
  }
  try {
    run()
  } finally {
    Object.assign(Uint8Array.prototype, { indexOf, lastIndexOf, set })
    TextDecoder.prototype.decode = decode
  }
  return count
}

/** Counts the bytes of the arrays that `run` makes. */
const allocations = (run: () => void): number => {
  const { Uint8Array: Original } = globalThis
  let bytes = 0
  globalThis.Uint8Array = new Proxy(Original, {
    construct(target, args, newTarget) {
      if (typeof args[0] === "number") bytes += args[0]
      return Reflect.construct(target, args, newTarget)
    }
  })
  try {
    run()
  } finally {
    globalThis.Uint8Array = Original
  }
  return bytes
}
