/** Bytes both ways, and where they end. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import {
  account,
  beginning,
  both,
  endingOf,
  pair,
  pattern,
  patterned,
  politely,
  readSome,
  type Scenario,
  text,
  without
} from "./observe.ts"

const megabyte = 1024 * 1024

export const talking: ReadonlyArray<Scenario> = [
  {
    name: "an echo comes back, and both close gracefully",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const echoing = yield* beginning(
        Effect.andThen(
          server.each((chunk) => server.write(chunk)),
          server.close
        )
      )
      yield* client.write("hello")
      const heard = yield* readSome(client, 5)
      yield* client.closeWrite
      return [heard, yield* politely(client), account(yield* Fiber.join(echoing))]
    })
  },
  {
    name: "who has said FIN still reads: the client's half-close",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      yield* client.write("question")
      yield* client.closeWrite
      const question = yield* text(server)
      yield* server.write("answer")
      const closing = yield* beginning(server.close)
      return [question, yield* politely(client), account(yield* Fiber.join(closing))]
    })
  },
  {
    name: "who has said FIN still reads: the server's half-close",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      yield* server.write("what is your name?")
      yield* server.closeWrite
      const question = yield* text(client)
      yield* client.write("Ada")
      const closing = yield* beginning(client.close)
      return [question, yield* politely(server), account(yield* Fiber.join(closing))]
    })
  },
  {
    name: "a half-close is said once, however often; a write behind it fails, and reading goes on",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const said = [yield* endingOf(client.closeWrite), yield* endingOf(client.closeWrite)]
      const written = yield* endingOf(client.write("too late"))
      const heard = yield* text(server)
      yield* server.write("still here")
      return [said, written, heard, yield* readSome(client, 10)]
    })
  },
  {
    name: "the end comes behind all bytes, and stays",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      for (let part = 0; part < 100; part++) yield* server.write(`${part} `)
      yield* server.closeWrite
      return [yield* text(client), yield* endingOf(client.pull), yield* endingOf(client.pull)]
    })
  },
  {
    name: "a stream and each end where the input ends",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      yield* client.write("to the server")
      yield* server.write("to the client")
      yield* both(client.closeWrite, server.closeWrite)
      let heard = ""
      const decoder = new TextDecoder()
      yield* server.each((chunk) => Effect.sync(() => (heard += decoder.decode(chunk))))
      return [heard, yield* Stream.mkString(Stream.decodeText(client.stream))]
    })
  },
  {
    name: "ten thousand small writes arrive whole and in order",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const writing = Effect.gen(function* () {
        for (let from = 0; from < 70_000; from += 7) yield* client.write(pattern(7, from))
        yield* client.closeWrite
      })
      const [heard] = yield* both(patterned(server), writing)
      return heard
    })
  },
  {
    name: "large transfers both ways at once arrive whole",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const end = (connection: typeof client, length: number) =>
        both(patterned(connection), Effect.andThen(connection.write(pattern(length)), connection.closeWrite))
      const [[clients], [servers]] = yield* both(end(client, 5 * megabyte), end(server, 3 * megabyte))
      const outcomes = yield* both(client.close, server.close)
      // Who was first to the end is a question of time.
      return [clients, servers, ...outcomes.map((outcome) => without(account(outcome), "closedFirst"))]
    })
  },
  {
    name: "a writer waits until the peer reads",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const other = yield* pair(world)
      // More than any system holds for one connection: it cannot end before somebody reads.
      const length = 32 * megabyte
      const writing = yield* beginning(client.write(pattern(length)))
      // Meanwhile there is time enough on another connection.
      for (let round = 0; round < 50; round++) {
        yield* other.client.write("ping")
        yield* readSome(other.server, 4)
        yield* other.server.write("pong")
        yield* readSome(other.client, 4)
      }
      const waits = writing.pollUnsafe() === undefined
      const [heard] = yield* both(patterned(server), Effect.andThen(Fiber.join(writing), client.closeWrite))
      return { waits, heard }
    })
  },
  {
    name: "of two who read at once the second is refused, and the first goes on",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const first = yield* beginning(readSome(client, 5))
      const second = yield* endingOf(client.pull)
      yield* server.write("hello")
      return [second, yield* Fiber.join(first)]
    })
  },
  {
    name: "what several fibers write at once does not mix",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const letters = "abcdefgh"
      const writing = Effect.andThen(
        Effect.forEach(letters, (letter) => client.write(letter.repeat(300_000)), { concurrency: "unbounded" }),
        client.closeWrite
      )
      const [[heard, end]] = yield* both(text(server), writing)
      const runs = heard.match(/(.)\1*/g)!.map((run) => [run[0], run.length])
      return [runs, end]
    })
  },
  {
    name: "each end's remote address is the other's local one",
    run: Effect.fnUntraced(function* (world) {
      const { client, listener, server } = yield* pair(world)
      return {
        same: [
          JSON.stringify(client.remoteAddress) === JSON.stringify(listener.address),
          JSON.stringify(server.localAddress) === JSON.stringify(listener.address),
          JSON.stringify(server.remoteAddress) === JSON.stringify(client.localAddress)
        ],
        tags: [client.localAddress._tag, server.remoteAddress._tag]
      }
    })
  }
]
