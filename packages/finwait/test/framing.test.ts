import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Connection from "finwait/Connection"
import * as Framing from "finwait/Framing"
import { connected, FakeTransport } from "./support/FakeTransport.ts"
import { ending, pair, passing, politely, settled, text, utf8 } from "./support/network.ts"
import { adding, serve } from "./support/server.ts"

const frame = (...payload: Array<number>) => Uint8Array.from(payload)

/** What was written to a fake pipe, write by write. */
const writes = (transport: FakeTransport) => transport.written.map(text)

describe("framings", () => {
  it.effect("lines: CR is dropped, empty lines are messages, characters are never cut", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      for (const byte of utf8("one\r\n\nzwei 世界\n")) {
        yield* peer.write(frame(byte))
        yield* settled
      }
      yield* peer.closeWrite
      assert.deepStrictEqual(
        [...(yield* Stream.runCollect(Framing.stream(Framing.lines(here))))],
        ["one", "", "zwei 世界"]
      )
    })
  )

  for (const headerBytes of [1, 2, 4] as const) {
    for (const endian of ["big", "little"] as const) {
      it.effect(`length-prefixed by ${headerBytes} bytes, ${endian} endian`, () =>
        Effect.gen(function* () {
          const { here, peer } = yield* pair()
          const messages = Framing.lengthPrefixed(here, { headerBytes, endian })
          yield* Framing.write(Framing.lengthPrefixed(peer, { headerBytes, endian }), utf8("abc"))
          yield* Framing.lengthPrefixed(peer, { headerBytes, endian }).pipe(Framing.write(new Uint8Array(0)))
          yield* peer.closeWrite
          assert.strictEqual(text(yield* messages.pull), "abc")
          assert.strictEqual((yield* messages.pull).length, 0)
          assert.strictEqual(ending(yield* Effect.exit(messages.pull)), "done")
          const header = Array.from({ length: headerBytes }, () => 0)
          header[endian === "big" ? headerBytes - 1 : 0] = 3
          assert.deepStrictEqual([...messages.encode(utf8("abc"))], [...header, 0x61, 0x62, 0x63])
        })
      )
    }
  }

  it.effect("length-prefixed by default: 4 bytes, big endian", () =>
    Effect.gen(function* () {
      const { here } = yield* pair()
      assert.deepStrictEqual([...Framing.lengthPrefixed(here).encode(utf8("a"))], [0, 0, 0, 1, 0x61])
    })
  )

  it.effect("delimited by one byte or several", () =>
    Effect.gen(function* () {
      for (const delimiter of ["\0", "\r\n\r\n", utf8("|")]) {
        const { here, peer } = yield* pair()
        const sending = Framing.delimited(peer, delimiter)
        yield* Framing.write(sending, utf8("one"))
        yield* Framing.write(sending, utf8("two"))
        yield* peer.closeWrite
        const messages = yield* Stream.runCollect(Framing.stream(Framing.delimited(here, delimiter)))
        assert.deepStrictEqual(messages.map(text), ["one", "two"])
      }
    })
  )

  it.effect("what cannot be one message is refused before a byte of it is written", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      const exit = yield* Effect.exit(Framing.write(Framing.lines(here), "two\nlines"))
      assert.strictEqual(ending(exit), 'encode line: the text contains "\\n" at index 3 and would end there')
      assert.deepStrictEqual(transport.told, [])
    })
  )

  it.effect("a framing knows its connection and can be piped", () =>
    Effect.gen(function* () {
      const { here } = yield* pair()
      assert.strictEqual(
        Framing.lines(here).pipe((framed) => framed.connection),
        here
      )
    })
  )
})

describe("reading messages", () => {
  it.effect("pull gives one at a time, then the end", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* peer.write("1\n2\n3\n")
      yield* peer.closeWrite
      const lines = Framing.lines(here)
      for (const line of ["1", "2", "3"]) assert.strictEqual(yield* lines.pull, line)
      assert.strictEqual(ending(yield* Effect.exit(lines.pull)), "done")
    })
  )

  it.effect("forEach hands them over in order, one at a time, in both of its forms", () =>
    Effect.gen(function* () {
      for (const dataLast of [false, true]) {
        const { here, peer } = yield* pair()
        yield* peer.write("1\n2\n3\n")
        yield* peer.closeWrite
        const got: Array<string> = []
        const take = (line: string) =>
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => got.push(line))
          )
        yield* dataLast ? Framing.lines(here).pipe(Framing.forEach(take)) : Framing.forEach(Framing.lines(here), take)
        assert.deepStrictEqual(got, ["1", "2", "3"])
        yield* here.abort
      }
    })
  )

  it.effect("forEach writes nothing, whatever its function gives", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      const reading = yield* Effect.forkChild(
        Framing.forEach(Framing.lines(here), (line) =>
          line === "1" ? Effect.succeed("no answer") : Effect.as(Effect.yieldNow, "none")
        )
      )
      yield* settled
      transport.receiver.onData(utf8("1\n2\n"))
      yield* settled
      transport.receiver.onEnd()
      yield* Fiber.join(reading)
      assert.deepStrictEqual(transport.told, [])
    })
  )

  it.effect("forEach ends with its function's failure", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* peer.write("1\n2\n3\n")
      const got: Array<string> = []
      const exit = yield* Effect.exit(
        Framing.forEach(Framing.lines(here), (line) => {
          got.push(line)
          return line === "2" ? Effect.fail("no twos") : Effect.void
        })
      )
      assert.deepStrictEqual(exit, Exit.fail("no twos"))
      assert.deepStrictEqual(got, ["1", "2"])
    })
  )

  it.effect("messages that a pull left over are answered first", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* peer.write("hello\nanswer me\n")
      yield* peer.closeWrite
      const lines = Framing.lines(here)
      assert.strictEqual(yield* lines.pull, "hello")
      yield* Framing.respond(lines, (line) => Effect.succeed(line.toUpperCase()))
      yield* here.closeWrite
      assert.strictEqual(yield* Connection.readText(peer), "ANSWER ME\n")
    })
  )
})

describe("respond", () => {
  /** Reads lines over a fake pipe. */
  const responding = Effect.fnUntraced(function* <E>(
    f: (line: string) => Effect.Effect<string | undefined, E>,
    options?: Framing.Options
  ) {
    const transport = new FakeTransport()
    const here = yield* connected(transport)
    const fiber = yield* Effect.forkChild(Effect.exit(Framing.lines(here, options).pipe(Framing.respond(f))))
    yield* settled
    return { fiber, transport }
  })

  it.effect("what arrived together is answered in one write, inside the event that brought it", () =>
    Effect.gen(function* () {
      const { fiber, transport } = yield* responding((line) => Effect.succeed(line.toUpperCase()))
      transport.receiver.onData(utf8("a\nb\nc\nd"))
      assert.deepStrictEqual(writes(transport), ["A\nB\nC\n"])
      transport.receiver.onData(utf8("e\n"))
      assert.deepStrictEqual(writes(transport), ["A\nB\nC\n", "DE\n"])
      transport.receiver.onEnd()
      assert.deepStrictEqual(yield* Fiber.join(fiber), Exit.void)
    })
  )

  it.effect("what a handler writes by itself comes behind the answers before it", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      const answer = (line: string) =>
        line === "b" ? Effect.as(here.write("raw\n"), "B") : Effect.succeed(line.toUpperCase())
      yield* Effect.forkChild(Effect.exit(Framing.lines(here).pipe(Framing.respond(answer))))
      yield* settled
      transport.receiver.onData(utf8("a\nb\nc\n"))
      assert.strictEqual(writes(transport).join(""), "A\nraw\nB\nC\n")
    })
  )

  it.effect("one that has to wait sends the answers before it first, and holds those behind it", () =>
    Effect.gen(function* () {
      const { fiber, transport } = yield* responding((line) =>
        line === "slow" ? Effect.as(Effect.sleep(1000), "SLOW") : Effect.succeed(line.toUpperCase())
      )
      transport.receiver.onData(utf8("a\nb\nslow\nc\nd\n"))
      assert.deepStrictEqual(writes(transport), ["A\nB\n"])
      transport.receiver.onData(utf8("e\n"))
      yield* passing(999)
      assert.deepStrictEqual(writes(transport), ["A\nB\n"])
      assert.strictEqual(transport.acts.at(-1), "pause")
      yield* passing(1)
      assert.deepStrictEqual(writes(transport), ["A\nB\n", "SLOW\nC\nD\n", "E\n"])
      transport.receiver.onEnd()
      yield* Fiber.join(fiber)
    })
  )

  it.effect("long answers are written as they come, 64 KiB at a time", () =>
    Effect.gen(function* () {
      const { fiber, transport } = yield* responding(() => Effect.succeed("x".repeat(30_000)))
      transport.receiver.onData(utf8("1\n2\n3\n4\n"))
      assert.deepStrictEqual(
        transport.written.map(({ length }) => length),
        [90_003, 30_001]
      )
      transport.receiver.onEnd()
      yield* Fiber.join(fiber)
    })
  )

  it.effect("a peer that does not read its answers holds the reading back", () =>
    Effect.gen(function* () {
      const { fiber, transport } = yield* responding(() => Effect.succeed("x".repeat(70_000)))
      transport.hasRoom = false
      transport.receiver.onData(utf8("1\n2\n"))
      yield* settled
      assert.strictEqual(transport.written.length, 1)
      assert.strictEqual(transport.acts.at(-1), "pause")
      transport.hasRoom = true
      transport.receiver.onWritable()
      yield* settled
      assert.strictEqual(transport.written.length, 2)
      transport.receiver.onEnd()
      yield* Fiber.join(fiber)
    })
  )

  it.effect("undefined is no answer", () =>
    Effect.gen(function* () {
      const { fiber, transport } = yield* responding((line) => Effect.succeed(line === "quiet" ? undefined : line))
      transport.receiver.onData(utf8("quiet\na\nquiet\n"))
      transport.receiver.onData(utf8("quiet\n"))
      assert.deepStrictEqual(writes(transport), ["a\n"])
      transport.receiver.onEnd()
      yield* Fiber.join(fiber)
    })
  )

  for (const suspends of [false, true]) {
    it.effect(`a handler that fails ${suspends ? "later" : "at once"}: what was answered before is written first`, () =>
      Effect.gen(function* () {
        const { fiber, transport } = yield* responding((line) => {
          if (line !== "bad") return Effect.succeed(line.toUpperCase())
          return suspends ? Effect.andThen(Effect.yieldNow, Effect.fail("the failure")) : Effect.fail("the failure")
        })
        transport.receiver.onData(utf8("a\nb\nbad\nc\n"))
        assert.deepStrictEqual(yield* Fiber.join(fiber), Exit.fail("the failure"))
        assert.deepStrictEqual(writes(transport), ["A\nB\n"])
      })
    )
  }

  it.effect("a handler that dies is a defect", () =>
    Effect.gen(function* () {
      const { fiber, transport } = yield* responding(() => Effect.die("a defect"))
      transport.receiver.onData(utf8("a\n"))
      assert.deepStrictEqual(yield* Fiber.join(fiber), Exit.die("a defect"))
    })
  )

  it.effect("a handler that throws, or answers what cannot be a message, is a defect", () =>
    Effect.gen(function* () {
      const throwing = yield* responding((): Effect.Effect<string> => {
        throw new Error("thrown")
      })
      throwing.transport.receiver.onData(utf8("a\n"))
      assert.strictEqual(ending(yield* Fiber.join(throwing.fiber)), "thrown")

      const invalid = yield* responding(() => Effect.succeed("two\nlines"))
      invalid.transport.receiver.onData(utf8("a\n"))
      assert.include(ending(yield* Fiber.join(invalid.fiber)), "encode line")
    })
  )

  const mishaps: Record<string, (line: string) => Effect.Effect<string>> = {
    throws: () => {
      throw new Error("thrown")
    },
    dies: () => Effect.die(new Error("dead")),
    "answers what cannot be a message": () => Effect.succeed("two\nlines"),
    "answers what cannot be a message, later": () => Effect.as(Effect.yieldNow, "two\nlines")
  }
  for (const [how, mishap] of Object.entries(mishaps)) {
    it.effect(`a handler that ${how}: what was answered before is written first`, () =>
      Effect.gen(function* () {
        const { fiber, transport } = yield* responding((line) =>
          line === "bad" ? mishap(line) : Effect.succeed(line.toUpperCase())
        )
        transport.receiver.onData(utf8("a\nb\nbad\nc\n"))
        assert.isTrue(Exit.hasDies(yield* Fiber.join(fiber)))
        assert.deepStrictEqual(writes(transport), ["A\nB\n"])
      })
    )
  }

  it.effect("work that has begun does not go on alone when its peer is lost while earlier answers are written", () =>
    Effect.gen(function* () {
      let ended = false
      const { fiber, transport } = yield* responding((line) =>
        line === "slow"
          ? Effect.onInterrupt(Effect.never, () => Effect.sync(() => (ended = true)))
          : Effect.succeed(line)
      )
      transport.hasRoom = false
      transport.receiver.onData(utf8("a\nslow\n"))
      assert.isFalse(ended)
      transport.receiver.onBroken("ECONNRESET")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
      assert.isTrue(ended)
    })
  )

  it.effect("its interruption reaches the running handler and waits for its finalizers", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const events: Array<string> = []
      const reading = yield* Effect.forkChild(
        Framing.lines(here).pipe(
          Framing.respond(() =>
            Effect.onInterrupt(Effect.never as Effect.Effect<string>, () =>
              Effect.andThen(
                Effect.sleep(1000),
                Effect.sync(() => events.push("finalized"))
              )
            )
          )
        )
      )
      yield* peer.write("1\n")
      yield* settled
      const interrupting = yield* Effect.forkChild(
        Effect.andThen(
          Fiber.interrupt(reading),
          Effect.sync(() => events.push("interrupted"))
        )
      )
      yield* passing(999)
      assert.deepStrictEqual(events, [])
      yield* passing(1)
      yield* Fiber.join(interrupting)
      assert.deepStrictEqual(events, ["finalized", "interrupted"])
    })
  )
})

describe("answers of a loop that pulls", () => {
  /** Answers lines over a fake pipe, one by one. */
  const pulling = Effect.fnUntraced(function* <E>(
    answer: (framed: Framing.Framed<string, string>, line: string) => Effect.Effect<unknown, E>
  ) {
    const transport = new FakeTransport()
    const here = yield* connected(transport)
    const framed = Framing.lines(here)
    const loop = Effect.gen(function* () {
      while (true) yield* answer(framed, yield* framed.pull)
    })
    const fiber = yield* Effect.forkChild(Effect.exit(loop))
    yield* settled
    return { fiber, framed, here, transport }
  })

  it.effect("leave in one write when what arrived has been read, and one alone leaves at once", () =>
    Effect.gen(function* () {
      const { transport } = yield* pulling((framed, line) => Framing.write(framed, line.toUpperCase()))
      transport.receiver.onData(utf8("a\nb\nc\nd"))
      assert.deepStrictEqual(writes(transport), ["A\nB\nC\n"])
      transport.receiver.onData(utf8("e\n"))
      assert.deepStrictEqual(writes(transport), ["A\nB\nC\n", "DE\n"])
    })
  )

  it.effect("do not wait for a loop that waits: they leave at the end of the turn", () =>
    Effect.gen(function* () {
      const { transport } = yield* pulling((framed, line) =>
        Effect.andThen(Framing.write(framed, line), line === "b" ? Effect.sleep(1000) : Effect.void)
      )
      transport.receiver.onData(utf8("a\nb\nc\n"))
      assert.deepStrictEqual(writes(transport), [])
      yield* settled
      assert.deepStrictEqual(writes(transport), ["a\nb\n"])
      yield* passing(1000)
      assert.deepStrictEqual(writes(transport), ["a\nb\n", "c\n"])
    })
  )

  it.effect("keep their place among other writes, and among another framing's", () =>
    Effect.gen(function* () {
      const { here, transport } = yield* pulling((framed, line) =>
        Effect.gen(function* () {
          yield* Framing.write(framed, line)
          if (line === "a") yield* framed.connection.write("raw\n")
          if (line === "b") yield* Framing.write(other, utf8("x"))
        })
      )
      const other = Framing.lengthPrefixed(here, { headerBytes: 1 })
      transport.receiver.onData(utf8("a\nb\nc\n"))
      yield* settled
      assert.strictEqual(writes(transport).join(""), "a\nraw\nb\n\u0001xc\n")
    })
  )

  it.effect("are written before the close, and before a half-close", () =>
    Effect.gen(function* () {
      for (const end of ["close", "closeWrite"] as const) {
        const { transport } = yield* pulling((framed, line) =>
          Effect.andThen(Framing.write(framed, line), line === "b" ? framed.connection[end] : Effect.void)
        )
        transport.receiver.onData(utf8("a\nb\nc\n"))
        yield* settled
        assert.deepStrictEqual(transport.told.slice(0, 2), ["write 4", "closeWrite"])
      }
    })
  )

  it.effect("that an abort takes back were not sent, and are counted so", () =>
    Effect.gen(function* () {
      const { here, transport } = yield* pulling((framed, line) =>
        Effect.andThen(Framing.write(framed, line), line === "b" ? framed.connection.abort : Effect.void)
      )
      transport.receiver.onData(utf8("a\nb\nc\n"))
      const outcome = yield* here.outcome
      assert.deepStrictEqual(writes(transport), [])
      assert.deepStrictEqual([outcome.bytesWritten, outcome.bytesUnsent], [0, 4])
    })
  )

  it.effect("that leave at the end of a turn to a peer that does not read make the next one wait", () =>
    Effect.gen(function* () {
      // Always in the middle of a message: there is more to come, and so more to gather.
      const seen: Array<string> = []
      const { transport } = yield* pulling((framed, line) => {
        seen.push(line)
        return Effect.andThen(Effect.yieldNow, Framing.write(framed, line))
      })
      transport.hasRoom = false
      transport.receiver.onData(utf8("a\nb\nc\nd\ne"))
      yield* passing(1000)
      assert.deepStrictEqual(seen, ["a", "b"])
      transport.hasRoom = true
      transport.receiver.onWritable()
      yield* passing(1000)
      assert.strictEqual(writes(transport).join(""), "a\nb\nc\nd\n")
    })
  )

  it.effect("are written as they come when they are long, and wait for a peer that does not read", () =>
    Effect.gen(function* () {
      const { transport } = yield* pulling((framed) => Framing.write(framed, "x".repeat(40_000)))
      transport.hasRoom = false
      transport.receiver.onData(utf8("1\n2\n3\n4\n5\n"))
      yield* settled
      assert.deepStrictEqual(
        transport.written.map(({ length }) => length),
        [80_002]
      )
      transport.hasRoom = true
      transport.receiver.onWritable()
      yield* settled
      assert.deepStrictEqual(
        transport.written.map(({ length }) => length),
        [80_002, 80_002, 40_001]
      )
    })
  )

  it.effect("that cannot be messages are a defect, and those before them are written", () =>
    Effect.gen(function* () {
      const { fiber, here, transport } = yield* pulling((framed, line) =>
        Framing.write(framed, line === "b" ? "b\nb" : line)
      )
      transport.receiver.onData(utf8("a\nb\nc\n"))
      assert.isTrue(Exit.hasDies(yield* Fiber.join(fiber)))
      yield* here.closeWrite
      assert.deepStrictEqual(writes(transport), ["a\n"])
    })
  )
})

describe("messages that are none", () => {
  const tooLong = "read tcp 127.0.0.1:7000: a message is longer than maxFrameBytes 5"

  const readers = {
    pull: (framed: Framing.Framed<string, string>) => Effect.forever(framed.pull),
    stream: (framed: Framing.Framed<string, string>) => Stream.runDrain(Framing.stream(framed)),
    respond: (framed: Framing.Framed<string, string>) => Framing.respond(framed, (line) => Effect.succeed(line)),
    forEach: (framed: Framing.Framed<string, string>) => Framing.forEach(framed, () => Effect.void)
  }

  for (const [style, read] of Object.entries(readers)) {
    it.effect(`${style}: one longer than the limit is known as soon as it is, and the exact limit is not`, () =>
      Effect.gen(function* () {
        const { here, peer } = yield* pair()
        const reading = yield* Effect.forkChild(
          Effect.exit(read(Framing.lines(here, { maxFrameBytes: 5 })) as Effect.Effect<unknown, unknown>)
        )
        yield* peer.write("12345\n12345")
        yield* settled
        assert.isUndefined(reading.pollUnsafe())
        yield* peer.write("6")
        const exit = yield* Fiber.join(reading)
        assert.strictEqual(ending(exit), tooLong)
        yield* here.abort
      })
    )

    it.effect(`${style}: a peer that ends in the middle of one`, () =>
      Effect.gen(function* () {
        const { here, peer } = yield* pair()
        yield* peer.write("whole\nhal")
        yield* peer.closeWrite
        const exit = yield* Effect.exit(read(Framing.lines(here)))
        assert.strictEqual(
          ending(exit),
          "read tcp 127.0.0.1:7000: the peer ended in the middle of a message, after 3 bytes of it"
        )
      })
    )

    it.effect(`${style}: a reset in the middle of one is a reset`, () =>
      Effect.gen(function* () {
        const { here, peer } = yield* pair()
        const reading = yield* Effect.forkChild(
          Effect.exit(read(Framing.lines(here)) as Effect.Effect<unknown, unknown>)
        )
        yield* peer.write("hal")
        yield* settled
        yield* peer.abort
        assert.strictEqual(ending(yield* Fiber.join(reading)), "read tcp 127.0.0.1:7000: reset by the peer")
      })
    )
  }

  it.effect("a length prefix tells how long it would have been, before a byte of it is there", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* peer.write(frame(0xff, 0xff, 0xff, 0xff))
      const messages = Framing.lengthPrefixed(here, { maxFrameBytes: 65_536 })
      for (let round = 0; round < 2; round++) {
        assert.strictEqual(
          ending(yield* Effect.exit(messages.pull)),
          "read tcp 127.0.0.1:7000: a message of 4294967295 bytes is longer than maxFrameBytes 65536"
        )
      }
    })
  )

  it.effect("half a length prefix is the middle of a message", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* peer.write(frame(0, 0))
      yield* peer.closeWrite
      const exit = yield* Effect.exit(Framing.lengthPrefixed(here).pull)
      assert.include(ending(exit), "in the middle of a message, after 2 bytes of it")
    })
  )

  it.effect("the limit without one of its own is the context's, 1 MiB by default", () =>
    Effect.gen(function* () {
      const first = yield* pair()
      yield* Effect.forkChild(Effect.exit(first.peer.write(new Uint8Array(1024 * 1024 + 1))))
      assert.strictEqual(
        ending(yield* Effect.exit(Framing.lines(first.here).pull)),
        "read tcp 127.0.0.1:7000: a message is longer than maxFrameBytes 1048576"
      )
      const second = yield* pair()
      yield* second.peer.write("123456")
      assert.strictEqual(
        ending(
          yield* Effect.exit(Effect.provideService(Framing.lines(second.here).pull, Framing.CurrentMaxFrameBytes, 5))
        ),
        tooLong
      )
    })
  )

  it.effect("one of these ends its connection gracefully, after the answers before it, and the server lives", () =>
    Effect.gen(function* () {
      const { dial, logged, metrics } = yield* serve({
        handler: (connection) =>
          Framing.lines(connection, { maxFrameBytes: 5 }).pipe(
            Framing.respond((line) => Effect.succeed(line.toUpperCase()))
          )
      })
      const tooLong = yield* dial
      yield* tooLong.write("one\ntoo long\n")
      assert.strictEqual(yield* Connection.readText(tooLong), "ONE\n")
      assert.strictEqual((yield* tooLong.close)._tag, "Graceful")
      const truncated = yield* dial
      yield* truncated.write("one\nhal")
      yield* truncated.closeWrite
      assert.strictEqual(yield* Connection.readText(truncated), "ONE\n")
      assert.strictEqual((yield* truncated.close)._tag, "Graceful")
      const good = yield* dial
      yield* good.write("fine\n")
      assert.strictEqual(text(yield* good.pull), "FINE\n")
      assert.strictEqual((yield* metrics).handlersFailed, 0)
      assert.isFalse(logged.some(({ level }) => level !== "Debug"))
    })
  )
})

describe("messages and the drain", () => {
  /** Each reading style as a handler that answers lines with capitals. */
  const styles: Record<string, (connection: Connection.Connection) => Effect.Effect<unknown, unknown>> = {
    respond: (connection) =>
      Framing.lines(connection).pipe(Framing.respond((line) => Effect.succeed(line.toUpperCase()))),
    "respond, suspending": (connection) =>
      Framing.lines(connection).pipe(Framing.respond((line) => Effect.as(Effect.yieldNow, line.toUpperCase()))),
    forEach: (connection) => {
      const lines = Framing.lines(connection)
      return Framing.forEach(lines, (line) => Framing.write(lines, line.toUpperCase()))
    },
    stream: (connection) => {
      const lines = Framing.lines(connection)
      return Stream.runForEach(Framing.stream(lines), (line) => Framing.write(lines, line.toUpperCase()))
    },
    pull: (connection) => {
      const lines = Framing.lines(connection)
      return Effect.forever(Effect.flatMap(lines.pull, (line) => Framing.write(lines, line.toUpperCase()))).pipe(
        Effect.catchTag("Done", () => Effect.void)
      )
    }
  }

  for (const [style, handler] of Object.entries(styles)) {
    it.effect(`${style}: between messages the input ends at once`, () =>
      Effect.gen(function* () {
        const { dial, server } = yield* serve({ handler })
        const client = yield* dial
        yield* client.write("one\n")
        assert.strictEqual(text(yield* client.pull), "ONE\n")
        yield* Effect.forkChild(politely(client))
        const report = adding(yield* server.drain.begin)
        assert.isTrue(report.clean)
        assert.strictEqual(report.durationMillis, 0)
        assert.strictEqual(report.handlersFailed, 0)
      })
    )

    it.effect(`${style}: what had arrived is answered, a message that has begun is waited for, no other`, () =>
      Effect.gen(function* () {
        const { dial, server } = yield* serve({ handler })
        const client = yield* dial
        yield* client.write("one\ntwo\nthr")
        const draining = yield* Effect.forkChild(server.drain.begin)
        const reading = yield* Effect.forkChild(politely(client))
        yield* passing(1000)
        assert.isUndefined(draining.pollUnsafe())
        yield* client.write("e")
        yield* passing(1000)
        assert.isUndefined(draining.pollUnsafe())
        yield* client.write("e\nfour and mo")
        yield* settled
        assert.strictEqual(yield* Fiber.join(reading), "ONE\nTWO\nTHREE\n")
        const report = adding(yield* Fiber.join(draining))
        assert.isTrue(report.clean)
        assert.strictEqual(report.durationMillis, 2000)
        assert.strictEqual(report.handlersFailed, 0, "what is cut off then is nobody's mistake")
      })
    )

    it.effect(`${style}: a peer that ends in the middle of the message that is waited for has truncated it`, () =>
      Effect.gen(function* () {
        const { dial, logged, server } = yield* serve({ handler })
        const client = yield* dial
        yield* client.write("one\nhal")
        yield* settled
        const draining = yield* Effect.forkChild(server.drain.begin)
        yield* settled
        const closing = yield* Effect.forkChild(client.close)
        const report = adding(yield* Fiber.join(draining))
        assert.strictEqual(report.outcomes.Graceful, 1)
        yield* Fiber.join(closing)
        assert.isTrue(logged.some(({ cause }) => cause.includes("Truncated") || cause.includes("middle")))
      })
    )
  }

  it.effect(
    "what is cut off behind the message that was waited for is no truncation, even if the peer ends there",
    () =>
      Effect.gen(function* () {
        // Slow enough to see the peer's end before the input's.
        const slow = (line: string) => Effect.as(Effect.sleep(100), line.toUpperCase())
        const handlers: ReadonlyArray<(connection: Connection.Connection) => Effect.Effect<unknown, unknown>> = [
          (connection) => Framing.lines(connection).pipe(Framing.respond(slow)),
          (connection) => {
            const lines = Framing.lines(connection)
            return Stream.runForEach(Framing.stream(lines), (line) =>
              Effect.flatMap(slow(line), (answer) => Framing.write(lines, answer))
            )
          }
        ]
        for (const handler of handlers) {
          const { dial, logged, server } = yield* serve({ handler })
          const client = yield* dial
          yield* client.write("hal")
          yield* settled
          const draining = yield* Effect.forkChild(server.drain.begin)
          yield* settled
          yield* client.write("f\nand half ano")
          yield* client.closeWrite
          const reading = yield* Effect.forkChild(Connection.readText(client))
          yield* passing(100)
          assert.strictEqual(yield* Fiber.join(reading), "HALF\n")
          assert.isTrue(adding(yield* Fiber.join(draining)).clean)
          assert.isFalse(
            logged.some(({ message }) => message.startsWith("handler of")),
            "the handler succeeded"
          )
        }
      })
  )

  it.effect("more than a mebibyte that had arrived is swept in parts, and answered in full", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      const impl = here as unknown as { announce(): void }
      let read = 0
      const reading = yield* Effect.forkChild(
        here.each((chunk) =>
          Effect.andThen(
            Effect.sleep(100),
            Effect.sync(() => (read += chunk.length))
          )
        )
      )
      yield* settled
      transport.receiver.onData(new Uint8Array(1000))
      impl.announce()
      // The system holds more than a sweep gathers at once.
      for (let n = 0; n < 17; n++) transport.receiver.onData(new Uint8Array(64 * 1024))
      assert.strictEqual(transport.acts.at(-1), "pause", "the sweep waits for the reader")
      transport.caughtUp!()
      yield* passing(100 * 18)
      assert.strictEqual(read, 1000 + 17 * 64 * 1024)
      assert.strictEqual(transport.acts.at(-1), "resume", "then it goes on")
      assert.isUndefined(reading.pollUnsafe())
      transport.receiver.onData(new Uint8Array(500))
      transport.caughtUp!()
      yield* passing(100)
      yield* Fiber.join(reading)
      assert.strictEqual(read, 1500 + 17 * 64 * 1024)
    })
  )

  it.effect("a part of a sweep that was cut off does not end the next one", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      let read = 0
      const reading = yield* Effect.forkChild(
        here.each((chunk) =>
          Effect.andThen(
            Effect.sleep(100),
            Effect.sync(() => (read += chunk.length))
          )
        )
      )
      yield* settled
      transport.receiver.onData(new Uint8Array(1000))
      ;(here as unknown as { announce(): void }).announce()
      const stale = transport.caughtUp!
      for (let n = 0; n < 17; n++) transport.receiver.onData(new Uint8Array(64 * 1024))
      yield* passing(100 * 18)
      assert.notStrictEqual(transport.caughtUp, stale, "a second part has begun")
      stale()
      transport.receiver.onData(new Uint8Array(500))
      transport.caughtUp!()
      yield* passing(100)
      yield* Fiber.join(reading)
      assert.strictEqual(read, 1500 + 17 * 64 * 1024)
    })
  )

  for (const suspends of [false, true]) {
    it.effect(
      `a peer that never stops sending is swept only so far, by a handler that ${suspends ? "suspends" : "does not"}`,
      () =>
        Effect.gen(function* () {
          const transport = new FakeTransport()
          const here = yield* connected(transport)
          const handle = suspends ? () => Effect.yieldNow : () => Effect.void
          const reading = yield* Effect.forkChild(here.each(handle))
          yield* settled
          ;(here as unknown as { announce(): void }).announce()
          let sent = 0
          while (reading.pollUnsafe() === undefined && sent < 64) {
            sent++
            for (let n = 0; n < 16; n++) transport.receiver.onData(new Uint8Array(64 * 1024))
            yield* settled
          }
          assert.strictEqual(sent, 32, "mebibytes")
          yield* Fiber.join(reading)
        })
    )
  }
})
