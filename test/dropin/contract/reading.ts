/** The reader: pulls, and what ends them. */
import { Deferred, Effect, Fiber } from "effect"
import { alike, all, both, byteStreams, differ, type Row } from "./Row.ts"
import { accepting, fromBothEnds, how, pair, reads, readsAll, turns } from "./world.ts"

const heard = (code: string) => ({ text: "last words", end: `SocketCloseError ${code}` })

export const reading: ReadonlyArray<Row> = [
  {
    what: "the end of the reader's scope fails a pull that waits, and every one after it",
    over: all,
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        const pulling = yield* Effect.forkChild(how(near.reader.pull), { startImmediately: true })
        yield* Effect.forkChild(near.closeReader, { startImmediately: true })
        const seen = { waiting: yield* Fiber.join(pulling), later: yield* how(near.reader.pull) }
        yield* far.closeReader
        return seen
      })
    ),
    expected: both(alike({ waiting: "SocketCloseError 1006", later: "SocketCloseError 1006" }))
  },
  {
    what: "the end of a client's reader scope, while the peer does not close",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const { client, server } = yield* pair(world, yield* accepting(world))
        const closing = yield* Effect.forkChild(client.closeReader, { startImmediately: true })
        yield* turns
        const seen = closing.pollUnsafe() === undefined ? "waits for the peer's end" : "is over at once"
        yield* server.closeReader
        yield* Fiber.join(closing)
        return seen
      }),
    expected: differ("the close is over when the peer has closed", "is over at once", "waits for the peer's end")
  },
  {
    what: "the end of the reader's scope closes the connection, and the peer hears an end",
    over: all,
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        yield* near.writer.write("last words")
        const reading = yield* Effect.forkChild(readsAll(far), { startImmediately: true })
        // Finwait's close waits for the peer to close as well.
        yield* Effect.forkChild(near.closeReader, { startImmediately: true })
        const read = yield* Fiber.join(reading)
        yield* far.closeReader
        return read
      })
    ),
    expected: (transport) =>
      transport === "websocket"
        ? {
            effect: { client: heard("1000"), server: heard("1005") },
            finwait: alike(heard("1000")),
            because: "a server says 1000, where Effect's says no code at all"
          }
        : { both: alike(heard("1000")) }
  },
  {
    what: "the peer's half-close is a close error after all that it has said, again and again, and never Done",
    over: byteStreams,
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        yield* far.writer.write("all of it")
        yield* far.closeWriter
        const { text, end } = yield* readsAll(near)
        return { text, end, again: yield* how(near.reader.pull) }
      })
    ),
    expected: both(alike({ text: "all of it", end: "SocketCloseError 1000", again: "SocketCloseError 1000" }))
  },
  {
    what: "an interrupted pull loses nothing",
    over: all,
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        const pulling = yield* Effect.forkChild(near.reader.pull, { startImmediately: true })
        yield* Fiber.interrupt(pulling)
        yield* far.writer.write("hello")
        return yield* reads(near, 5)
      })
    ),
    expected: both(alike("hello"))
  },
  {
    what: "a second reader on a connection that is read",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const { client, server } = yield* pair(world, yield* accepting(world))
        const second = yield* server.socket.reader
        yield* client.writer.write("hello")
        return yield* reads({ reader: second }, 5)
      }),
    expected: both("hello")
  },
  {
    what: "a second reader, one after the other, on a connection that is accepted",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const accept = yield* accepting(world)
        const client = yield* world.client
        const { write } = yield* client.writer
        const clientReader = yield* client.reader
        const socket = yield* accept
        yield* write("hello")
        const first = yield* Effect.scoped(Effect.flatMap(socket.reader, (reader) => reads({ reader }, 5)))
        yield* how(clientReader.pull)
        return { first, second: yield* how(Effect.flatMap(socket.reader, ({ pull }) => pull)) }
      }),
    expected: (transport) =>
      transport === "websocket"
        ? {
            effect: { first: "hello", second: "SocketCloseError 1006" },
            finwait: { first: "hello", second: "SocketCloseError 1000" },
            because: "it is this side that has closed, and well"
          }
        : { both: { first: "hello", second: "SocketCloseError 1000" } }
  },
  {
    what: "each acquisition of a client's reader dials anew, and the writer writes to the latest",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const accept = yield* accepting(world)
        const client = yield* world.client
        const { write } = yield* client.writer
        const heard: Array<string> = []
        for (const greeting of ["first", "second"]) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const reader = yield* client.reader
              const server = yield* accept
              const serverReader = yield* server.reader
              const serverWriter = yield* server.writer
              yield* write(greeting)
              heard.push(yield* reads({ reader: serverReader }, greeting.length))
              yield* serverWriter.write("yes")
              heard.push(yield* reads({ reader }, 3))
            })
          )
        }
        return heard
      }),
    expected: both(["first", "yes", "second", "yes"])
  },
  {
    what: "two pulls at a time",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const { client, server } = yield* pair(world, yield* accepting(world))
        const first = yield* Effect.forkChild(how(server.reader.pull), { startImmediately: true })
        const second = yield* Effect.forkChild(how(server.reader.pull), { startImmediately: true })
        yield* client.writer.write("hello")
        const [ended] = yield* Effect.raceFirst(
          Effect.map(Fiber.join(first), (end) => [`first: ${end}`]),
          Effect.map(Fiber.join(second), (end) => [`second: ${end}`])
        )
        return ended
      }),
    expected: differ(
      "the second fails and says so, where with Effect's the first waits for ever",
      "second: success",
      "second: SocketReadError"
    )
  },
  {
    what: "what comes before there is a reader waits for it, and so does the end",
    over: byteStreams,
    see: (world) =>
      Effect.gen(function* () {
        const go = yield* Deferred.make<void>()
        const heard = yield* Deferred.make<unknown>()
        yield* world.serve((socket) =>
          Effect.gen(function* () {
            yield* Deferred.await(go)
            yield* Deferred.succeed(heard, yield* readsAll({ reader: yield* socket.reader }))
          }).pipe(Effect.scoped)
        )
        const client = yield* world.client
        const { pull } = yield* client.reader
        yield* Effect.scoped(Effect.flatMap(client.writer, ({ write }) => write("early")))
        yield* Deferred.succeed(go, void 0)
        const seen = yield* Deferred.await(heard)
        return { seen, client: yield* how(pull) }
      }),
    expected: both({ seen: { text: "early", end: "SocketCloseError 1000" }, client: "SocketCloseError 1000" })
  }
]
