/** The writer: what it writes, when it waits, and what its release does. */
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { Socket } from "effect/socket"
import { alike, all, both, byteStreams, differ, type Row } from "./Row.ts"
import { accepting, fromBothEnds, how, reads, readsAll, resettable, turns } from "./world.ts"

export const writing: ReadonlyArray<Row> = [
  {
    what: "acquiring a writer cannot fail, and a write waits for the first connection",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const accept = yield* accepting(world)
        const client = yield* world.client
        const { write, writeAll } = yield* client.writer
        const first = yield* Effect.forkChild(how(write("one ")), { startImmediately: true })
        const second = yield* Effect.forkChild(how(writeAll(["two ", "three"])), { startImmediately: true })
        const waited = first.pollUnsafe() === undefined && second.pollUnsafe() === undefined
        yield* client.reader
        const server = yield* accept
        const heard = yield* reads({ reader: yield* server.reader }, 13)
        return { waited, heard, first: yield* Fiber.join(first), second: yield* Fiber.join(second) }
      }),
    expected: both({ waited: true, heard: "one two three", first: "success", second: "success" })
  },
  {
    what: "a write after the end of a client's reader waits for the next connection",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const accept = yield* accepting(world)
        const client = yield* world.client
        const { write } = yield* client.writer
        const scope = yield* Scope.make()
        yield* Scope.provide(client.reader, scope)
        const first = yield* accept
        const firstReader = yield* first.reader
        yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
        const writing = yield* Effect.forkChild(write("hello"), { startImmediately: true })
        const end = yield* readsAll({ reader: firstReader })
        const waited = writing.pollUnsafe() === undefined
        yield* client.reader
        const second = yield* accept
        return { waited, end: end.text, heard: yield* reads({ reader: yield* second.reader }, 5) }
      }),
    expected: both({ waited: true, end: "", heard: "hello" })
  },
  {
    what: "the release of the writer ends its direction, and reading goes on",
    // Node's TLS closes both directions when the first has ended: whether Effect's still answers is a matter of timing.
    over: ["tcp", "unix"],
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        yield* near.writer.write("question")
        yield* near.closeWriter
        const question = yield* readsAll(far)
        yield* far.writer.write("answer")
        return { question, answer: yield* reads(near, 6) }
      })
    ),
    expected: both(alike({ question: { text: "question", end: "SocketCloseError 1000" }, answer: "answer" }))
  },
  {
    what: "a write after the release of the writer",
    over: byteStreams,
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        yield* near.closeWriter
        yield* readsAll(far)
        return yield* how(near.writer.write("more"))
      })
    ),
    expected: both(alike("SocketWriteError"))
  },
  {
    what: "the release of the writer over a pipe that cannot end one direction: both go on",
    over: ["websocket"],
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        yield* near.closeWriter
        yield* near.writer.write("question")
        const question = yield* reads(far, 8)
        yield* far.writer.write("answer")
        return { question, answer: yield* reads(near, 6) }
      })
    ),
    expected: both(alike({ question: "question", answer: "answer" }))
  },
  {
    what: "writeAll writes in order, text and bytes",
    over: all,
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        yield* near.writer.writeAll(["a", new Uint8Array([98]), "ž", new Uint8Array([99, 100])])
        yield* near.writer.writeAll(["e"])
        return yield* reads(far, 6)
      })
    ),
    expected: both(alike("abžcde"))
  },
  {
    what: "nothing is written by a write of nothing",
    over: byteStreams,
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        yield* near.writer.write("")
        yield* near.writer.write(new Uint8Array(0))
        yield* near.writer.writeAll(["", "x", new Uint8Array(0)])
        return (yield* far.reader.pull).map((frame) => frame.length)
      })
    ),
    expected: both(alike([1]))
  },
  {
    what: "a writer waits for a peer that does not read, and has lost nothing when it does",
    over: ["tcp", "unix", "tls"],
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        const chunk = new Uint8Array(1024 * 1024)
        const waits = yield* Deferred.make<number>()
        let chunks = 0
        const writing = yield* Effect.forkChild(
          Effect.gen(function* () {
            // Until one has to wait: loopback holds a few of them.
            while (true) {
              const write = yield* Effect.forkChild(near.writer.write(chunk), { startImmediately: true })
              chunks++
              if (write.pollUnsafe() !== undefined) continue
              yield* Deferred.succeed(waits, chunks)
              return yield* Fiber.join(write)
            }
          }),
          { startImmediately: true }
        )
        const written = yield* Deferred.await(waits)
        let bytes = 0
        while (bytes < written * chunk.length) for (const frame of yield* far.reader.pull) bytes += frame.length
        yield* Fiber.join(writing)
        return bytes === written * chunk.length
      })
    ),
    expected: both(alike(true))
  },
  {
    what: "a close event with code 1000 closes the connection, behind what was written",
    // What the peer of a destroyed TLS socket hears depends on what was on its way.
    over: ["tcp", "unix", "websocket"],
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        const pulling = yield* Effect.forkChild(how(near.reader.pull), { startImmediately: true })
        yield* near.writer.write("bye")
        const closing = yield* how(near.writer.write(new Socket.CloseEvent(1000, "enough")))
        const heard = yield* readsAll(far)
        yield* far.closeReader
        return { closing, near: yield* Fiber.join(pulling), heard }
      })
    ),
    expected: both(
      alike({
        closing: "success",
        near: "SocketCloseError 1000",
        heard: { text: "bye", end: "SocketCloseError 1000" }
      })
    )
  },
  {
    what: "a close event with another code closes the connection, and says it where that can be said",
    over: ["tcp", "unix", "websocket"],
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        const pulling = yield* Effect.forkChild(how(near.reader.pull), { startImmediately: true })
        yield* near.writer.write(new Socket.CloseEvent(4000, "enough"))
        const heard = yield* Effect.flip(far.reader.pull)
        yield* far.closeReader
        const { reason } = heard
        return {
          near: yield* Fiber.join(pulling),
          far: reason._tag === "SocketCloseError" ? `${reason.code} ${reason.closeReason}` : reason._tag
        }
      })
    ),
    expected: (transport) =>
      transport === "websocket"
        ? { both: alike({ near: "SocketCloseError 4000", far: "4000 enough" }) }
        : {
            effect: alike({ near: "SocketReadError", far: "1000 undefined" }),
            finwait: alike({ near: "SocketCloseError 1000", far: "1000 undefined" }),
            because: "it closes, and does not destroy with an error"
          }
  },
  {
    what: "a write after a close event",
    over: all,
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        yield* near.writer.write(new Socket.CloseEvent(1000))
        const reading = yield* Effect.forkChild(readsAll(near), { startImmediately: true })
        yield* readsAll(far)
        yield* far.closeReader
        yield* Fiber.join(reading)
        const writing = yield* Effect.forkChild(how(near.writer.write("more")), { startImmediately: true })
        yield* turns
        return writing.pollUnsafe() === undefined ? "waits" : yield* Fiber.join(writing)
      })
    ),
    expected: (transport) =>
      transport === "websocket"
        ? {
            effect: alike("success"),
            finwait: alike("SocketWriteError"),
            because: "a message that nobody will hear is not written"
          }
        : {
            effect: alike("waits"),
            finwait: alike("SocketWriteError"),
            because: "Effect's waits for a destroyed socket to have room, for ever"
          }
  },
  {
    what: "a write to a connection that is accepted, before there is a reader",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const accept = yield* accepting(world)
        const client = yield* world.client
        const clientReader = yield* client.reader
        const server = yield* accept
        const { write } = yield* server.writer
        const writing = yield* Effect.forkChild(write("hello"), { startImmediately: true })
        const waited = writing.pollUnsafe() === undefined
        yield* server.reader
        return { waited, heard: yield* reads({ reader: clientReader }, 5) }
      }),
    expected: differ(
      "a connection that was accepted is connected",
      { waited: true, heard: "hello" },
      { waited: false, heard: "hello" }
    )
  },
  {
    what: "a write after the peer has reset the connection",
    over: ["tcp"],
    see: (world) =>
      Effect.gen(function* () {
        const { server, reset } = yield* resettable(world)
        const { pull } = yield* server.reader
        const { write } = yield* server.writer
        yield* reset
        return { pull: yield* how(pull), write: yield* how(write("more")) }
      }),
    expected: both({ pull: "SocketReadError", write: "SocketWriteError" })
  }
]
