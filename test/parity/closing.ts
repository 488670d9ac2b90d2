/** How connections close: gracefully, against whatever the peer does, and at their limits. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Connection from "finwait/Connection"
import {
  account,
  beginning,
  both,
  endingOf,
  pair,
  patient,
  pattern,
  patterned,
  politely,
  readSome,
  type Scenario,
  text
} from "./observe.ts"

const megabyte = 1024 * 1024

export const closing: ReadonlyArray<Scenario> = [
  {
    name: "a close says goodbye to a polite peer",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      yield* server.write("welcome")
      const closing = yield* beginning(server.close)
      return [yield* politely(client), account(yield* Fiber.join(closing))]
    })
  },
  {
    name: "the farewell is the last thing that the peer reads",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: { farewell: Connection.sendLine("BYE") } })
      yield* server.write("welcome ")
      const closing = yield* beginning(server.close)
      return [yield* politely(client), account(yield* Fiber.join(closing))]
    })
  },
  {
    name: "a farewell that fails does not stop the close",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: { farewell: () => Effect.fail("no words") } })
      yield* server.write("welcome")
      const closing = yield* beginning(server.close)
      return [yield* politely(client), account(yield* Fiber.join(closing))]
    })
  },
  {
    name: "a close with unread input costs the peer nothing of its answer",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: patient })
      yield* client.write("one two")
      yield* readSome(server, 7)
      yield* client.write(pattern(100_000))
      yield* server.write("an answer")
      const closing = yield* beginning(server.close)
      const heard = yield* politely(client)
      // All that arrived behind what was read is discarded, however much of it the connection held already.
      return [heard, account(yield* Fiber.join(closing))]
    })
  },
  {
    name: "a close lets a peer that is still uploading finish, and it reads its answer then",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: patient })
      yield* server.write("enough")
      const closing = yield* beginning(server.close)
      yield* client.write(pattern(4 * megabyte))
      return [yield* politely(client), account(yield* Fiber.join(closing))]
    })
  },
  {
    name: "a large answer right before the close arrives whole, at a peer that begins to read late",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: patient })
      const writing = yield* beginning(endingOf(server.write(pattern(6 * megabyte))))
      const closing = yield* beginning(server.close)
      const heard = yield* patterned(client)
      yield* client.close
      return [heard, yield* Fiber.join(writing), account(yield* Fiber.join(closing))]
    })
  },
  {
    name: "both close at once: both gracefully",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      yield* both(client.write("from the client"), server.write("from the server"))
      const outcomes = yield* both(client.close, server.close)
      return outcomes.map(account)
    })
  },
  {
    name: "whoever closes, however often, gets the same outcome",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const closing = yield* Effect.forEach(Array.from({ length: 20 }), () => beginning(server.close))
      yield* politely(client)
      const outcomes = [...(yield* Effect.forEach(closing, Fiber.join)), yield* server.close, yield* server.abort]
      return [new Set(outcomes).size, account(outcomes[0]!)]
    })
  },
  {
    name: "a close that nobody waits for goes on",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      yield* server.write("welcome")
      const closing = yield* beginning(server.close)
      yield* Fiber.interrupt(closing)
      return [yield* politely(client), account(yield* server.outcome)]
    })
  },
  {
    name: "who reads or writes on a closed connection is told so",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const waiting = yield* beginning(endingOf(server.pull))
      const closing = yield* beginning(server.close)
      const ends = [
        yield* Fiber.join(waiting),
        yield* endingOf(server.pull),
        yield* endingOf(server.write("x")),
        yield* endingOf(server.closeWrite)
      ]
      yield* politely(client)
      yield* Fiber.join(closing)
      return [...ends, yield* endingOf(server.pull), yield* endingOf(server.write("x"))]
    })
  },
  {
    name: "the outcome says who ended first",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      yield* client.closeWrite
      yield* text(server)
      yield* server.closeWrite
      yield* text(client)
      const outcomes = yield* both(client.close, server.close)
      return outcomes.map(account)
    })
  },
  {
    name: "a peer that never says goodbye: lingerIdleTimeout",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: { lingerIdleTimeout: 20 } })
      yield* server.write("welcome")
      const outcome = account(yield* server.close)
      return [outcome, yield* politely(client)]
    })
  },
  {
    name: "a peer that never says goodbye: lingerTimeout of none",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: { lingerTimeout: 0 } })
      yield* server.write("welcome")
      const outcome = account(yield* server.close)
      return [outcome, yield* politely(client)]
    })
  },
  {
    name: "a peer that never says goodbye: the deadline, at which it is reset",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: { ...patient, deadline: 20 } })
      const outcome = account(yield* server.close)
      // The reset comes behind a FIN. Linux reads that as an end to the last, as it reads bytes that had arrived before
      // a reset; the simulated network destroys both.
      return world.kind === "Unix" ? [outcome, yield* politely(client)] : outcome
    })
  },
  {
    name: "a peer that never stops sending: lingerBytesMax",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: { ...patient, lingerBytesMax: 100_000 } })
      const uploading = yield* beginning(endingOf(Effect.forever(client.write(pattern(10_000)))))
      const outcome = account(yield* server.close)
      // How much was discarded when the limit was noticed depends on how large the pieces are that arrive, and what the
      // upload meets, a reset or a broken pipe, on whether it writes or waits at that moment: the kernel's timing.
      const { bytesDiscarded, bytesRead, ...rest } = outcome
      yield* Fiber.join(uploading)
      return [rest, bytesDiscarded > 100_000, bytesDiscarded === bytesRead]
    })
  },
  {
    name: "a peer that reads nothing: the deadline, with bytes unsent",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: { deadline: 20 } })
      const length = 32 * megabyte
      const writing = yield* beginning(endingOf(server.write(pattern(length))))
      const outcome = account(yield* server.close)
      // How much a system takes is its own affair; that it adds up is ours.
      const { bytesUnsent, bytesWritten, ...rest } = outcome
      // Whether what had arrived before the reset can still be read is the kernel's affair as well.
      const { end } = yield* patterned(client)
      return [rest, bytesUnsent > 0, bytesUnsent + bytesWritten === length, yield* Fiber.join(writing), end]
    })
  }
]
