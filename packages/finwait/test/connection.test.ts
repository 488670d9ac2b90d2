import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import * as Address from "finwait/Address"
import * as Connection from "finwait/Connection"
import { connected, FakeTransport } from "./support/FakeTransport.ts"
import { bytes, ending, pair, passing, politely, settled, text, utf8 } from "./support/network.ts"

const reset = "read tcp 127.0.0.1:7000: reset by the peer"

describe("pull", () => {
  it.effect("gives what arrived, in order, then ends, and goes on ending", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      for (const part of ["one ", "two ", "three"]) {
        yield* peer.write(part)
        yield* settled
      }
      yield* peer.closeWrite
      const chunks: Array<string> = []
      while (true) {
        const exit = yield* Effect.exit(here.pull)
        if (Exit.isFailure(exit)) {
          assert.strictEqual(ending(exit), "done")
          break
        }
        assert.isAbove(exit.value.length, 0)
        chunks.push(text(exit.value))
      }
      assert.deepStrictEqual(chunks, ["one ", "two ", "three"])
      assert.strictEqual(ending(yield* Effect.exit(here.pull)), "done")
      assert.strictEqual(ending(yield* Effect.exit(here.pullRest)), "done")
    })
  )

  it.effect("an empty write is no chunk", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      yield* here.write("")
      yield* here.write(new Uint8Array(0))
      assert.deepStrictEqual(transport.told, [])
    })
  )

  it.effect("what arrived before a reset is still read, then the reset is told", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      const first = yield* Effect.forkChild(here.pull)
      yield* settled
      transport.receiver.onData(utf8("a"))
      transport.receiver.onData(utf8("b"))
      transport.receiver.onBroken("ECONNRESET")
      assert.strictEqual(text(yield* Fiber.join(first)), "a")
      assert.strictEqual(text(yield* here.pull), "b")
      assert.strictEqual(ending(yield* Effect.exit(here.pull)), "read tcp 127.0.0.1:2: reset by the peer")
    })
  )

  it.effect("a waiting reader hears of a reset, and of this side's own close", () =>
    Effect.gen(function* () {
      const first = yield* pair()
      const waiting = yield* Effect.forkChild(Effect.exit(first.here.pull))
      yield* settled
      yield* first.peer.abort
      assert.strictEqual(ending(yield* Fiber.join(waiting)), reset)

      const second = yield* pair()
      const reading = yield* Effect.forkChild(Effect.exit(second.here.pull))
      yield* settled
      yield* Effect.forkChild(second.here.close)
      assert.strictEqual(ending(yield* Fiber.join(reading)), "read tcp 127.0.0.1:7000: closed by this side")
      assert.strictEqual(ending(yield* Effect.exit(second.here.pull)), "read tcp 127.0.0.1:7000: closed by this side")
    })
  )

  it.effect("other breakages are told by the system's word", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      transport.receiver.onBroken("ETIMEDOUT")
      assert.strictEqual(ending(yield* Effect.exit(here.pull)), "read tcp 127.0.0.1:2: broken (ETIMEDOUT)")
    })
  )

  it.effect("a second reader is refused, and the first one reads on", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const busy = "read tcp 127.0.0.1:7000: another fiber is reading already"
      for (const first of [here.pull, here.pullRest]) {
        const reading = yield* Effect.forkChild(first)
        yield* settled
        const seconds: Array<Effect.Effect<unknown, unknown>> = [
          here.pull,
          here.pullRest,
          here.each(() => Effect.void),
          Connection.readAll(here)
        ]
        for (const second of seconds) {
          assert.strictEqual(ending(yield* Effect.exit(second)), busy)
        }
        yield* peer.write("for the first")
        assert.strictEqual(text(yield* Fiber.join(reading)), "for the first")
      }
      const each = yield* Effect.forkChild(here.each(() => Effect.void))
      yield* settled
      assert.strictEqual(ending(yield* Effect.exit(here.pull)), busy)
      assert.strictEqual(ending(yield* Effect.exit(here.each(() => Effect.void))), busy)
      yield* peer.closeWrite
      yield* Fiber.join(each)
    })
  )

  it.effect("a reader that does not read holds the writer back, and one that does lets it go on", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const writing = yield* Effect.forkChild(peer.write(bytes(300_000)))
      yield* passing("1 hour")
      assert.isUndefined(writing.pollUnsafe())
      let read = (yield* here.pull).length
      yield* settled
      // What is not asked for stays with the system: at most one chunk more than was pulled is in this program's hands.
      assert.isUndefined(writing.pollUnsafe())
      while (read < 300_000) read += (yield* here.pull).length
      yield* Fiber.join(writing)
      assert.strictEqual(read, 300_000)
    })
  )

  it.effect("bytes that nobody asks for are not taken from the system", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      assert.deepStrictEqual(transport.acts, [])
      const reading = yield* Effect.forkChild(here.pull)
      yield* settled
      assert.deepStrictEqual(transport.acts, ["resume"])
      transport.receiver.onData(utf8("a"))
      yield* Fiber.join(reading)
      transport.receiver.onData(utf8("b"))
      assert.deepStrictEqual(transport.acts, ["resume", "pause"])
      assert.strictEqual(text(yield* here.pull), "b")
      assert.deepStrictEqual(transport.acts, ["resume", "pause"], "what is held is given before more is asked for")
      yield* Effect.forkChild(here.pull)
      yield* settled
      assert.deepStrictEqual(transport.acts, ["resume", "pause", "resume"])
    })
  )
})

describe("stream", () => {
  it.effect("is everything that arrives, to the end", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* peer.write("hello ")
      yield* settled
      yield* peer.write("world")
      yield* peer.closeWrite
      assert.strictEqual(yield* here.stream.pipe(Stream.decodeText(), Stream.mkString), "hello world")
    })
  )

  it.effect("fails with the connection", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const reading = yield* Effect.forkChild(Effect.exit(Stream.runDrain(here.stream)))
      yield* settled
      yield* peer.abort
      assert.strictEqual(ending(yield* Fiber.join(reading)), reset)
    })
  )

  it.effect("that is left early leaves the rest", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      for (const part of ["1", "2", "3"]) {
        yield* peer.write(part)
        yield* settled
      }
      yield* peer.closeWrite
      assert.strictEqual(text((yield* Stream.runCollect(Stream.take(here.stream, 1)))[0]!), "1")
      assert.strictEqual(yield* Connection.readText(here), "23")
    })
  )
})

describe("each", () => {
  it.effect("hands over every chunk, in order, and ends with the input", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const got: Array<string> = []
      const reading = yield* Effect.forkChild(here.each((chunk) => Effect.sync(() => got.push(text(chunk)))))
      for (const part of ["1", "2", "3"]) {
        yield* peer.write(part)
        yield* settled
      }
      assert.deepStrictEqual(got, ["1", "2", "3"])
      assert.isUndefined(reading.pollUnsafe())
      yield* peer.closeWrite
      assert.isUndefined(yield* Fiber.join(reading))
    })
  )

  it.effect("what arrived before it began comes first", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* peer.write("1")
      assert.strictEqual(text(yield* here.pull), "1")
      yield* peer.write("2")
      yield* peer.closeWrite
      yield* settled
      const got: Array<string> = []
      yield* here.each((chunk) => Effect.sync(() => got.push(text(chunk))))
      assert.deepStrictEqual(got, ["2"])
    })
  )

  it.effect("a handler that suspends gets one chunk at a time, and holds the writer back", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      let working = 0
      let workingMax = 0
      let read = 0
      const reading = yield* Effect.forkChild(
        here.each((chunk) =>
          Effect.gen(function* () {
            workingMax = Math.max(workingMax, ++working)
            yield* Effect.sleep(1000)
            read += chunk.length
            working--
          })
        )
      )
      const writing = yield* Effect.forkChild(Effect.andThen(peer.write(bytes(400_000)), peer.closeWrite))
      yield* passing(999)
      assert.isUndefined(writing.pollUnsafe())
      yield* passing(60_000)
      yield* Fiber.join(writing)
      yield* Fiber.join(reading)
      assert.strictEqual(read, 400_000)
      assert.strictEqual(workingMax, 1)
    })
  )

  it.effect("a handler sees the services and the fiber of who reads", () =>
    Effect.gen(function* () {
      class Greeting extends Context.Service<Greeting, string>()("test/Greeting") {}
      const { here, peer } = yield* pair()
      yield* peer.write("x")
      yield* peer.closeWrite
      const got: Array<string> = []
      yield* here
        .each(() =>
          Effect.gen(function* () {
            yield* Effect.yieldNow
            got.push(yield* Greeting)
          })
        )
        .pipe(Effect.provideService(Greeting, "hello"))
      assert.deepStrictEqual(got, ["hello"])
    })
  )

  for (const suspends of [false, true]) {
    const before = suspends ? Effect.yieldNow : Effect.void
    const when = suspends ? "after it suspended" : "at once"

    it.effect(`a handler that fails ${when} ends the reading with its failure, and the next reader goes on`, () =>
      Effect.gen(function* () {
        const { here, peer } = yield* pair()
        for (const part of ["1", "2", "3"]) {
          yield* peer.write(part)
          yield* settled
        }
        yield* peer.closeWrite
        const exit = yield* Effect.exit(
          here.each((chunk) => (text(chunk) === "2" ? Effect.andThen(before, Effect.fail("no twos")) : before))
        )
        assert.deepStrictEqual(exit, Exit.fail("no twos"))
        assert.strictEqual(yield* Connection.readText(here), "3")
      })
    )

    it.effect(`a handler that dies ${when} ends it with the defect`, () =>
      Effect.gen(function* () {
        const { here, peer } = yield* pair()
        yield* peer.write("1")
        const exit = yield* Effect.exit(here.each(() => Effect.andThen(before, Effect.die("a defect"))))
        assert.deepStrictEqual(exit, Exit.die("a defect"))
        assert.strictEqual(here.stage, "Open")
      })
    )
  }

  it.effect("a handler that throws ends it with a defect, and the transport never hears of it", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      const error = new Error("thrown")
      const reading = yield* Effect.forkChild(
        Effect.exit(
          here.each((): Effect.Effect<void> => {
            throw error
          })
        )
      )
      yield* settled
      transport.receiver.onData(utf8("x"))
      assert.deepStrictEqual(yield* Fiber.join(reading), Exit.die(error))
    })
  )

  it.effect("its interruption interrupts the running handler and waits for its finalizers", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const events: Array<string> = []
      const reading = yield* Effect.forkChild(
        here.each(() =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.andThen(
              Effect.sleep(1000),
              Effect.sync(() => events.push("finalized"))
            )
          )
        )
      )
      yield* peer.write("1")
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
      yield* peer.write("2")
      assert.strictEqual(text(yield* here.pull), "2")
    })
  )

  it.effect("its interruption while it waits takes the handler away", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      let called = 0
      const reading = yield* Effect.forkChild(here.each(() => Effect.sync(() => called++)))
      yield* settled
      yield* Fiber.interrupt(reading)
      yield* peer.write("1")
      assert.strictEqual(text(yield* here.pull), "1")
      assert.strictEqual(called, 0)
    })
  )

  it.effect("a close while the handler works: it is let finish, then the reading fails", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      let finished = false
      const reading = yield* Effect.forkChild(
        Effect.exit(
          here.each(() =>
            Effect.andThen(
              Effect.sleep(1000),
              Effect.sync(() => (finished = true))
            )
          )
        )
      )
      yield* peer.write("1")
      yield* settled
      const closing = yield* Effect.forkChild(here.close)
      yield* politely(peer)
      yield* Fiber.join(closing)
      assert.isFalse(finished)
      yield* passing(1000)
      assert.isTrue(finished)
      assert.strictEqual(ending(yield* Fiber.join(reading)), "read tcp 127.0.0.1:7000: closed by this side")
    })
  )

  it.effect("a handler may close the connection it reads", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const reading = yield* Effect.forkChild(politely(peer))
      yield* peer.write("quit")
      let outcome = ""
      const exit = yield* Effect.exit(here.each(() => Effect.map(here.close, ({ _tag }) => (outcome = _tag))))
      assert.strictEqual(outcome, "Graceful")
      assert.strictEqual(ending(exit), "read tcp 127.0.0.1:7000: closed by this side")
      yield* Fiber.join(reading)
    })
  )

  it.effect("a handler that writes costs no fiber, and is held back all the same", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      const reading = yield* Effect.forkChild(here.each((chunk) => here.write(chunk)))
      yield* settled
      transport.receiver.onData(utf8("a"))
      assert.deepStrictEqual(transport.acts, ["resume", "write 1"], "inside the event")
      transport.hasRoom = false
      transport.receiver.onData(utf8("bb"))
      assert.deepStrictEqual(transport.acts, ["resume", "write 1", "write 2", "pause"])
      transport.hasRoom = true
      transport.receiver.onWritable()
      assert.deepStrictEqual(transport.acts, ["resume", "write 1", "write 2", "pause", "resume"])
      transport.receiver.onEnd()
      yield* Fiber.join(reading)
    })
  )
})

describe("write", () => {
  it.effect("text is UTF-8", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* here.write("grüß dich, 世界")
      yield* here.closeWrite
      assert.strictEqual(yield* Connection.readText(peer), "grüß dich, 世界")
    })
  )

  it.effect("a long one is given in slices of 256 KiB, each when there is room, and arrives whole", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      transport.hasRoom = false
      const writing = yield* Effect.forkChild(here.write(bytes(600_000)))
      yield* settled
      assert.deepStrictEqual(transport.told, ["write 262144"])
      transport.receiver.onWritable()
      assert.deepStrictEqual(transport.told, ["write 262144", "write 262144"])
      yield* settled
      assert.isUndefined(writing.pollUnsafe())
      transport.receiver.onWritable()
      assert.deepStrictEqual(transport.told, ["write 262144", "write 262144", "write 75712"])
      yield* settled
      assert.isUndefined(writing.pollUnsafe())
      transport.receiver.onWritable()
      yield* Fiber.join(writing)

      const { here: real, peer } = yield* pair()
      const data = Uint8Array.from({ length: 1_000_003 }, (_, index) => (index * 31) % 251)
      yield* Effect.forkChild(Effect.andThen(real.write(data), real.closeWrite))
      assert.deepStrictEqual(yield* Connection.readAll(peer), data)
    })
  )

  it.effect("it waits while the peer does not keep up, and no longer", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const fits = yield* Effect.forkChild(here.write(bytes(64 * 1024)))
      yield* settled
      assert.isTrue(Exit.isSuccess(fits.pollUnsafe()!))
      yield* here.write(bytes(64 * 1024))
      const waits = yield* Effect.forkChild(here.write("x"))
      yield* passing("1 hour")
      assert.isUndefined(waits.pollUnsafe())
      yield* peer.pull
      yield* Fiber.join(waits)
    })
  )

  it.effect("writes of several fibers do not mix", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const writers = yield* Effect.forEach([0x61, 0x62, 0x63, 0x64], (fill) =>
        Effect.forkChild(Effect.forEach([1, 2, 3], (n) => here.write(bytes(n * 150_000, fill))))
      )
      const reading = yield* Effect.forkChild(Connection.readAll(peer))
      yield* Effect.forEach(writers, Fiber.join)
      yield* here.closeWrite
      const read = yield* Fiber.join(reading)
      const runs: Array<[byte: number, length: number]> = []
      for (const byte of read) {
        const last = runs.at(-1)
        if (last !== undefined && last[0] === byte) last[1]++
        else runs.push([byte, 1])
      }
      const sizes = new Map([0x61, 0x62, 0x63, 0x64].map((fill) => [fill, 0]))
      for (const [byte, length] of runs) {
        assert.include([150_000, 300_000, 450_000, 750_000, 900_000], length)
        sizes.set(byte, sizes.get(byte)! + length)
      }
      assert.deepStrictEqual([...sizes.values()], [900_000, 900_000, 900_000, 900_000])
    })
  )

  it.effect("after closeWrite, close, abort and a reset it says what, where and why", () =>
    Effect.gen(function* () {
      const closed = "write tcp 127.0.0.1:7000: closed by this side"
      const { here, peer } = yield* pair()
      yield* here.closeWrite
      assert.strictEqual(ending(yield* Effect.exit(here.write("x"))), closed)
      const reading = yield* Effect.forkChild(politely(peer))
      yield* here.close
      yield* Fiber.join(reading)
      assert.strictEqual(ending(yield* Effect.exit(here.write("x"))), closed)

      const aborted = yield* pair()
      yield* aborted.here.abort
      assert.strictEqual(ending(yield* Effect.exit(aborted.here.write("x"))), closed)

      const broken = yield* pair()
      yield* broken.peer.abort
      yield* settled
      assert.strictEqual(
        ending(yield* Effect.exit(broken.here.write("x"))),
        "write tcp 127.0.0.1:7000: reset by the peer"
      )
      assert.strictEqual(
        ending(yield* Effect.exit(broken.here.closeWrite)),
        "closeWrite tcp 127.0.0.1:7000: reset by the peer"
      )
    })
  )

  it.effect("writers that wait hear of a reset", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const writers = yield* Effect.forEach([300_000, 1, 1], (length) =>
        Effect.forkChild(Effect.exit(here.write(bytes(length))))
      )
      yield* settled
      for (const writer of writers) assert.isUndefined(writer.pollUnsafe())
      yield* peer.abort
      for (const writer of writers) {
        assert.strictEqual(ending(yield* Fiber.join(writer)), "write tcp 127.0.0.1:7000: reset by the peer")
      }
    })
  )

  it.effect("writers that wait when the close begins still succeed when it is flushed", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const writing = yield* Effect.forkChild(here.write(bytes(300_000)))
      yield* settled
      const closing = yield* Effect.forkChild(here.close)
      assert.strictEqual((yield* Connection.readAll(peer)).length, 300_000)
      yield* peer.close
      yield* Fiber.join(writing)
      assert.strictEqual((yield* Fiber.join(closing))._tag, "Graceful")
    })
  )
})

describe("a write that waits for room", () => {
  for (const end of ["closeWrite", "close"] as const) {
    it.effect(`goes on when the peer has read it, although somebody else has called ${end}`, () =>
      Effect.gen(function* () {
        const { here, peer } = yield* pair({ sim: { sendBufferBytes: 1000, receiveBufferBytes: 1000 } })
        const writing = yield* Effect.forkChild(here.write(bytes(5000)))
        yield* settled
        assert.isUndefined(writing.pollUnsafe())
        yield* Effect.forkChild(here[end])
        yield* settled
        assert.strictEqual((yield* Connection.readAll(peer)).length, 5000)
        yield* Fiber.join(writing)
      })
    )
  }
})

describe("closeWrite", () => {
  it.effect("sends FIN behind everything written, and reading goes on", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* Effect.forkChild(here.write(bytes(300_000)))
      yield* settled
      yield* here.closeWrite
      yield* here.closeWrite
      assert.strictEqual((yield* Connection.readAll(peer)).length, 300_000)
      yield* peer.write("still ")
      yield* peer.write("here")
      yield* peer.closeWrite
      assert.strictEqual(yield* Connection.readText(here), "still here")
      assert.strictEqual(here.stage, "Open")
      const outcomes = yield* Effect.all([here.close, peer.close], { concurrency: 2 })
      assert.deepStrictEqual(
        outcomes.map(({ _tag }) => _tag),
        ["Graceful", "Graceful"]
      )
    })
  )

  it.effect("is one act, however often it is asked for", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      yield* here.closeWrite
      yield* here.closeWrite
      const closing = yield* Effect.forkChild(here.close)
      yield* settled
      transport.receiver.onEnd()
      yield* Fiber.join(closing)
      assert.deepStrictEqual(transport.told, ["closeWrite", "release"])
    })
  )
})

describe("reading to the end", () => {
  it.effect("as bytes, and as text whose characters were cut on the way", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      for (const byte of utf8("世界")) {
        yield* peer.write(Uint8Array.of(byte))
        yield* settled
      }
      yield* peer.closeWrite
      assert.strictEqual(yield* Connection.readText(here), "世界")
      assert.deepStrictEqual(yield* Connection.readAll(here), new Uint8Array(0))
    })
  )

  it.effect("more than bytesMax is too much, not a byte less", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* peer.write("12345")
      yield* peer.closeWrite
      assert.strictEqual(yield* Connection.readText(here, { bytesMax: 5 }), "12345")

      const more = yield* pair()
      yield* more.peer.write("123456")
      assert.strictEqual(
        ending(yield* Effect.exit(Connection.readText(more.here, { bytesMax: 5 }))),
        "read tcp 127.0.0.1:7000: more than bytesMax 5 bytes"
      )
    })
  )
})

describe("a connection", () => {
  it.effect("knows its addresses, is told from other things, and can be piped", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      assert.strictEqual(Address.format(here.remoteAddress), "tcp://127.0.0.1:7000")
      assert.strictEqual(Address.format(here.localAddress), Address.format(peer.remoteAddress))
      assert.isTrue(Connection.isConnection(here))
      assert.isFalse(Connection.isConnection({ pull: here.pull }))
      assert.isTrue(Socket.isSocket(here))
      assert.strictEqual(
        here.pipe((connection) => connection.stage),
        "Open"
      )
    })
  )
})

describe("as an Effect Socket", () => {
  const reason = (exit: Exit.Exit<unknown, Socket.SocketError>) => {
    assert.isTrue(Exit.isFailure(exit))
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.isTrue(Socket.isSocketError(error))
    return (error as Socket.SocketError).reason
  }
  const code = (exit: Exit.Exit<unknown, Socket.SocketError>) => {
    const why = reason(exit)
    return why._tag === "SocketCloseError" ? why.code : why._tag
  }

  it.effect("its reader ends with a close error, never with Done", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* peer.write("hello")
      yield* peer.closeWrite
      const pull = yield* Socket.readerString(here)
      assert.deepStrictEqual(yield* pull, ["hello"])
      for (let round = 0; round < 2; round++) assert.strictEqual(code(yield* Effect.exit(pull)), 1000)
    })
  )

  it.effect("its reader tells a reset with its cause, and this side's own close as an end", () =>
    Effect.gen(function* () {
      const first = yield* pair()
      const reader = yield* first.here.reader
      yield* first.peer.abort
      const why = reason(yield* Effect.exit(reader.pull))
      assert.strictEqual(why._tag, "SocketReadError")
      assert.strictEqual(why._tag === "SocketReadError" && (why.cause as Error).message, reset)

      const second = yield* pair()
      const pulling = yield* Effect.forkChild(
        Effect.exit(Effect.scoped(Effect.flatMap(second.here.reader, ({ pull }) => pull)))
      )
      yield* settled
      yield* Effect.forkChild(second.here.close)
      assert.strictEqual(code(yield* Fiber.join(pulling)), 1000)
    })
  )

  it.effect("the end of the reader's scope fails a suspended pull, and every later one, and closes nothing", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const scope = yield* Scope.make()
      const { pull } = yield* Scope.provide(here.reader, scope)
      const pulling = yield* Effect.forkChild(Effect.exit(pull))
      yield* settled
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(code(yield* Fiber.join(pulling)), 1006)
      assert.strictEqual(code(yield* Effect.exit(pull)), 1006)
      assert.strictEqual(here.stage, "Open")
      yield* peer.write("for the next reader")
      const next = yield* here.reader
      assert.deepStrictEqual(
        (yield* next.pull).map((chunk) => text(chunk as Uint8Array)),
        ["for the next reader"]
      )
    })
  )

  it.effect("the end of a reader's scope is nothing to somebody else who waits", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const scope = yield* Scope.make()
      yield* Scope.provide(here.reader, scope)
      const pulling = yield* Effect.forkChild(here.pull)
      yield* settled
      yield* Scope.close(scope, Exit.void)
      yield* peer.write("still here")
      assert.strictEqual(text(yield* Fiber.join(pulling)), "still here")
    })
  )

  it.effect("an interrupted pull stays an interruption", () =>
    Effect.gen(function* () {
      const { here } = yield* pair()
      const { pull } = yield* here.reader
      const pulling = yield* Effect.forkChild(pull)
      yield* settled
      yield* Fiber.interrupt(pulling)
      const exit = yield* Fiber.await(pulling)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    })
  )

  it.effect("its writer half-closes when it is released", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const writer = yield* here.writer
          yield* writer.write("one ")
          yield* writer.writeAll(["two ", utf8("three")])
        })
      )
      assert.strictEqual(yield* Connection.readText(peer), "one two three")
      assert.strictEqual(here.stage, "Open")
      yield* peer.write("back")
      assert.strictEqual(text(yield* here.pull), "back")
    })
  )

  it.effect("a close event closes, and what is written after it fails", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      const writer = yield* here.writer
      yield* writer.write("last words")
      yield* writer.write(new Socket.CloseEvent(1000))
      assert.strictEqual(yield* Connection.readText(peer), "last words")
      const why = reason(yield* Effect.exit(writer.write("more")))
      assert.strictEqual(why._tag, "SocketWriteError")
      assert.strictEqual(
        why._tag === "SocketWriteError" && (why.cause as Error).message,
        "write tcp 127.0.0.1:7000: closed by this side"
      )
    })
  )

  it.effect("what its writers write in one turn leaves in order, the first at once, the others together", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      const writer = yield* here.writer
      const long = bytes(100_000)
      for (const frame of ["a", "", utf8("b"), "c"]) yield* writer.write(frame)
      assert.deepStrictEqual(transport.told, ["write 1"])
      yield* settled
      assert.deepStrictEqual(transport.told, ["write 1", "write 2"])
      yield* writer.writeAll(["d", "e", long, "f"])
      yield* here.write("g")
      yield* writer.write("h")
      yield* settled
      assert.strictEqual(
        text(new Uint8Array(transport.written.flatMap((chunk) => [...chunk]))),
        `abcde${text(long)}fgh`
      )
      yield* writer.write("i")
      yield* writer.write("j")
      yield* here.closeWrite
      assert.deepStrictEqual(transport.told.slice(-3), ["write 1", "write 1", "closeWrite"])
    })
  )

  it.effect("an abort sends no FIN, though the handler that it ends lets go of its writer", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport()
      const here = yield* connected(transport)
      const handler = Effect.scoped(
        Effect.gen(function* () {
          yield* here.writer
          const { pull } = yield* here.reader
          yield* pull
        })
      )
      const handling = yield* Effect.forkChild(Effect.exit(handler))
      yield* settled
      yield* Effect.forkChild(here.abort)
      yield* Fiber.join(handling)
      yield* settled
      assert.deepStrictEqual(transport.told, ["reset", "release"])
    })
  )

  it.effect("the release of a writer on a broken pipe does no harm", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* Effect.scoped(Effect.andThen(here.writer, peer.abort))
      assert.strictEqual((yield* here.close)._tag, "ResetByPeer")
    })
  )

  it.effect("it has no TLS to upgrade to", () =>
    Effect.gen(function* () {
      const { here } = yield* pair()
      const { upgrade } = yield* here.reader
      assert.strictEqual(reason(yield* Effect.exit(upgrade())).message, "Socket does not support TLS upgrade")
    })
  )

  it.effect("toChannel carries both directions", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* Effect.forkChild(
        Effect.andThen(
          peer.each((chunk) => peer.write(text(chunk).toUpperCase())),
          peer.close
        )
      )
      const answers: Array<string> = []
      const exit = yield* Stream.make(utf8("hello "), utf8("world")).pipe(
        Stream.pipeThroughChannel(Socket.toChannel(here)),
        Stream.runForEach((chunk) => Effect.sync(() => answers.push(text(chunk)))),
        Effect.exit
      )
      assert.strictEqual(answers.join(""), "HELLO WORLD")
      assert.strictEqual(code(exit as Exit.Exit<unknown, Socket.SocketError>), 1000)
    })
  )

  it.effect("toStream reads to the end", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* peer.write("hello")
      yield* peer.closeWrite
      const got: Array<string> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(Socket.toStream(here), (chunk) => Effect.sync(() => got.push(text(chunk))))
      )
      assert.deepStrictEqual(got, ["hello"])
      assert.strictEqual(code(exit), 1000)
    })
  )
})
