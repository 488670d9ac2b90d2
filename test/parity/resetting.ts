/** Aborts, and what the other side sees of them. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import {
  account,
  beginning,
  endingOf,
  pair,
  patient,
  pattern,
  politely,
  readSome,
  type Scenario,
  text,
  without
} from "./observe.ts"

const megabyte = 1024 * 1024

export const resetting: ReadonlyArray<Scenario> = [
  {
    name: "an abort while the peer reads",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const heard = yield* beginning(politely(client))
      const outcome = account(yield* server.abort)
      return [outcome, yield* Fiber.join(heard)]
    })
  },
  {
    name: "an abort while the peer waits for room to write",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const writing = yield* beginning(endingOf(client.write(pattern(32 * megabyte))))
      const outcome = account(yield* server.abort)
      const written = yield* Fiber.join(writing)
      // How much had left is the system's affair.
      const { bytesUnsent, bytesWritten, ...rest } = account(yield* client.close)
      return [outcome, written, rest, bytesUnsent > 0, bytesUnsent + bytesWritten]
    })
  },
  {
    name: "an abort while the peer does nothing: it learns of it when it reads",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const outcome = account(yield* server.abort)
      return [outcome, yield* politely(client)]
    })
  },
  {
    name: "an abort while the peer does nothing: it learns of it when it closes",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      yield* server.abort
      // When a program learns of a reset that is there already depends on when its system is asked: the real one when it
      // is read from, which is in the course of the close, the simulated one tells at once.
      return without(account(yield* client.close), "closedFirst", "stage")
    })
  },
  {
    name: "an abort right behind what was written: what is read is the beginning of it",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      yield* server.write("last words")
      yield* server.abort
      const [heard, end] = yield* text(client)
      // Over TCP a reset may destroy what has arrived: nobody may count on it. A Unix socket loses nothing.
      return world.kind === "Unix" ? [heard, end] : ["last words".startsWith(heard), end]
    })
  },
  {
    name: "an abort with the peer's bytes unread",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      yield* client.write("never read")
      yield* server.write("an answer")
      yield* server.abort
      const [heard, end] = yield* text(client)
      return world.kind === "Unix" ? [heard, end] : ["an answer".startsWith(heard), end]
    })
  },
  {
    name: "an abort cuts a linger short",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: patient })
      yield* server.write("welcome")
      const closing = yield* beginning(server.close)
      // The peer has heard the FIN: the close lingers.
      const heard = yield* text(client)
      const outcome = account(yield* server.abort)
      return [heard, outcome, (yield* Fiber.join(closing)) === (yield* server.close)]
    })
  },
  {
    name: "an abort cuts a flush short",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: patient })
      const length = 32 * megabyte
      const writing = yield* beginning(endingOf(server.write(pattern(length))))
      yield* beginning(server.close)
      const { bytesUnsent, bytesWritten, ...rest } = account(yield* server.abort)
      const [, end] = yield* text(client)
      return [rest, bytesUnsent > 0, bytesUnsent + bytesWritten === length, yield* Fiber.join(writing), end]
    })
  },
  {
    name: "an abort cuts a farewell short",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: { ...patient, farewell: () => Effect.never } })
      yield* beginning(server.close)
      return [account(yield* server.abort), yield* text(client)]
    })
  },
  {
    name: "an abort ends this side's own reads and writes",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const read = yield* beginning(endingOf(server.pull))
      const written = yield* beginning(endingOf(server.write(pattern(32 * megabyte))))
      yield* server.abort
      yield* text(client)
      return [yield* Fiber.join(read), yield* Fiber.join(written), yield* endingOf(server.write("x"))]
    })
  },
  {
    name: "a peer that aborts while it is being closed towards",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { server: patient })
      yield* server.write("welcome")
      const closing = yield* beginning(server.close)
      yield* readSome(client, 7)
      yield* client.abort
      return account(yield* Fiber.join(closing))
    })
  },
  {
    name: "abort after a close that has ended changes nothing",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world)
      const closing = yield* beginning(server.close)
      yield* politely(client)
      const outcome = yield* Fiber.join(closing)
      return [account(outcome), (yield* server.abort) === outcome, (yield* client.abort)._tag]
    })
  },
  {
    name: "a write to a peer that has closed and gone breaks the connection",
    run: Effect.fnUntraced(function* (world) {
      const { client, server } = yield* pair(world, { client: { lingerIdleTimeout: 0 } })
      const gone = account(yield* client.close)
      const heard = yield* text(server)
      // The first one is what the system finds out with; how many more it takes is its own affair.
      const writing = Effect.forever(Effect.andThen(server.write("anybody?"), Effect.yieldNow))
      const written = yield* endingOf(writing)
      return [gone, heard, written.startsWith("write "), (yield* server.close)._tag]
    })
  }
]
