/** Servers that come to their end while clients are in the middle of things. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Connection from "finwait/Connection"
import * as Framing from "finwait/Framing"
import {
  account,
  beginning,
  budget,
  dial,
  endingOf,
  patient,
  politely,
  readSome,
  reported,
  type Scenario,
  serve,
  text
} from "./observe.ts"

/** Answers every line in capitals. */
const upper = (connection: Connection.Connection) =>
  Framing.lines(connection).pipe(Framing.respond((line) => Effect.succeed(line.toUpperCase())))

const bye = { ...patient, farewell: Connection.sendLine("BYE") }

export const draining: ReadonlyArray<Scenario> = [
  {
    name: "nobody is there: a drain is done at once",
    run: Effect.fnUntraced(function* (world) {
      const server = yield* serve(world, { handler: upper, drain: budget })
      const report = reported(yield* server.drain.begin)
      return [report, yield* endingOf(Effect.scoped(world.network.connect(server.address)))]
    })
  },
  {
    name: "idle clients are told, and close",
    run: Effect.fnUntraced(function* (world) {
      const server = yield* serve(world, { handler: upper, close: bye, drain: budget })
      const clients = yield* Effect.forEach(Array.from({ length: 5 }), () => dial(world, server))
      for (const client of clients) {
        yield* client.write("hello\n")
        yield* readSome(client, 6)
      }
      const draining = yield* beginning(server.drain.begin)
      const heard = yield* Effect.forEach(clients, politely, { concurrency: "unbounded" })
      return [heard, reported(yield* Fiber.join(draining)), yield* server.drain.phase]
    })
  },
  {
    name: "a handler in the middle of its work finishes it, and the client gets its answer",
    run: Effect.fnUntraced(function* (world) {
      const working = yield* Deferred.make<void>()
      const finish = yield* Deferred.make<void>()
      const server = yield* serve(world, {
        close: bye,
        drain: budget,
        handler: (connection) =>
          Framing.lines(connection).pipe(
            Framing.respond((line) =>
              Effect.andThen(Deferred.succeed(working, undefined), Effect.as(Deferred.await(finish), line))
            )
          )
      })
      const client = yield* dial(world, server)
      yield* client.write("question\n")
      yield* Deferred.await(working)
      const draining = yield* beginning(server.drain.begin)
      yield* Effect.repeat(Effect.yieldNow, {
        until: () => Effect.map(server.drain.phase, (phase) => phase === "Waiting")
      })
      yield* Deferred.succeed(finish, undefined)
      return [yield* politely(client), reported(yield* Fiber.join(draining))]
    })
  },
  {
    name: "a message whose first half has arrived is waited for, and answered",
    run: Effect.fnUntraced(function* (world) {
      const server = yield* serve(world, { handler: upper, close: bye, drain: budget })
      const client = yield* dial(world, server)
      yield* client.write("one\ntw")
      yield* readSome(client, 4)
      const draining = yield* beginning(server.drain.begin)
      yield* Effect.repeat(Effect.yieldNow, {
        until: () => Effect.map(server.drain.phase, (phase) => phase === "Waiting")
      })
      yield* client.write("o\n")
      return [yield* politely(client), reported(yield* Fiber.join(draining))]
    })
  },
  {
    name: "messages that had arrived when the drain began are answered, and nothing is lost",
    run: Effect.fnUntraced(function* (world) {
      const working = yield* Deferred.make<void>()
      const finish = yield* Deferred.make<void>()
      let first = true
      const server = yield* serve(world, {
        close: bye,
        drain: budget,
        handler: (connection) =>
          Framing.lines(connection).pipe(
            Framing.respond((line) => {
              if (!first) return Effect.succeed(line.toUpperCase())
              first = false
              return Effect.andThen(Deferred.succeed(working, undefined), Effect.as(Deferred.await(finish), line))
            })
          )
      })
      const client = yield* dial(world, server)
      yield* client.write("one\n")
      yield* Deferred.await(working)
      yield* client.write("two\nthree\n")
      // Another client's round trip through the same server: what was written before has come as far by then.
      const other = yield* dial(world, server)
      yield* other.write("other\n")
      yield* readSome(other, 6)
      const draining = yield* beginning(server.drain.begin)
      yield* Effect.repeat(Effect.yieldNow, {
        until: () => Effect.map(server.drain.phase, (phase) => phase === "Waiting")
      })
      yield* Deferred.succeed(finish, undefined)
      return [yield* politely(client), yield* politely(other), reported(yield* Fiber.join(draining))]
    })
  },
  {
    name: "whoever has connected when the drain begins is served",
    run: Effect.fnUntraced(function* (world) {
      const server = yield* serve(world, { handler: (connection) => connection.write("welcome"), drain: budget })
      const clients = yield* Effect.forEach(Array.from({ length: 20 }), () => dial(world, server))
      const draining = yield* beginning(server.drain.begin)
      const heard = yield* Effect.forEach(clients, politely, { concurrency: "unbounded" })
      const { clean, outcomes } = yield* Fiber.join(draining)
      // How many of them had been accepted already, and how many had ended before the drain began, is a question of
      // time; that nobody was forced, or came to another end, is not.
      return [heard, clean, outcomes.Aborted + outcomes.LingerExpired + outcomes.ResetByPeer]
    })
  },
  {
    name: "a client that resets meanwhile is counted as such",
    run: Effect.fnUntraced(function* (world) {
      const told: Array<string> = []
      const server = yield* serve(world, {
        drain: budget,
        handler: (connection) =>
          Effect.andThen(
            connection.each((chunk) => connection.write(chunk)),
            Effect.map(endingOf(connection.pull), (end) => told.push(end))
          ),
        close: patient
      })
      const client = yield* dial(world, server)
      yield* client.write("hello")
      yield* readSome(client, 5)
      const draining = yield* beginning(server.drain.begin)
      const heard = yield* text(client)
      yield* client.abort
      return [told, heard, reported(yield* Fiber.join(draining))]
    })
  },
  {
    name: "a handler that does not end is interrupted at the deadline, and its client hears goodbye",
    run: Effect.fnUntraced(function* (world) {
      const begun = yield* Deferred.make<void>()
      const server = yield* serve(world, {
        handler: () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never),
        close: bye,
        drain: { ...budget, deadline: 20 }
      })
      const client = yield* dial(world, server)
      yield* Deferred.await(begun)
      const draining = yield* beginning(server.drain.begin)
      return [yield* politely(client), reported(yield* Fiber.join(draining))]
    })
  },
  {
    name: "a client that does not say goodbye is reset when the time for closing is over",
    run: Effect.fnUntraced(function* (world) {
      const server = yield* serve(world, {
        handler: upper,
        close: bye,
        drain: { ...budget, deadline: 20, close: 20 }
      })
      const client = yield* dial(world, server)
      yield* client.write("hello\n")
      yield* readSome(client, 6)
      const report = reported(yield* server.drain.begin)
      const [heard, end] = yield* text(client)
      // Over TCP a reset may destroy the farewell, and the FIN behind it, which the client had not read.
      return world.kind === "Unix" ? [report, heard, end] : [report, "BYE\n".startsWith(heard)]
    })
  },
  {
    name: "a drain that is cut resets at once",
    run: Effect.fnUntraced(function* (world) {
      const begun = yield* Deferred.make<void>()
      const server = yield* serve(world, {
        handler: () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never),
        drain: budget
      })
      const client = yield* dial(world, server)
      yield* Deferred.await(begun)
      const draining = yield* beginning(server.drain.begin)
      yield* server.drain.cut
      const report = reported(yield* Fiber.join(draining))
      return [report, yield* text(client)]
    })
  },
  {
    name: "handlers that fail cost nobody else anything, and are counted",
    run: Effect.fnUntraced(function* (world) {
      const server = yield* serve(world, {
        close: bye,
        drain: budget,
        handler: (connection) =>
          Framing.lines(connection).pipe(
            Framing.respond((line) => (line === "bad" ? Effect.fail("a reason") : Effect.succeed(line)))
          )
      })
      const [good, bad] = [yield* dial(world, server), yield* dial(world, server)]
      yield* good.write("good\nba")
      yield* bad.write("bad\n")
      const ended = yield* politely(bad)
      yield* readSome(good, 5)
      const draining = yield* beginning(server.drain.begin)
      yield* Effect.repeat(Effect.yieldNow, {
        until: () => Effect.map(server.drain.phase, (phase) => phase === "Waiting")
      })
      yield* good.write("d\n")
      const failed = yield* politely(good)
      // Whether the first one's close was over when the drain began is a question of time.
      const { clean, handlersFailed } = reported(yield* Fiber.join(draining))
      return [ended, failed, { clean, handlersFailed }]
    })
  },
  {
    name: "the end of the server's scope is its drain",
    run: Effect.fnUntraced(function* (world) {
      const scope = yield* Scope.make()
      const told: Array<unknown> = []
      const server = yield* Scope.provide(
        serve(world, {
          handler: upper,
          close: bye,
          drain: budget,
          onDrained: (report) => Effect.sync(() => told.push(reported(report)))
        }),
        scope
      )
      const client = yield* dial(world, server)
      yield* client.write("hello\n")
      yield* readSome(client, 6)
      const [heard] = yield* Effect.all([politely(client), Scope.close(scope, Exit.void)], { concurrency: 2 })
      return [heard, told]
    })
  },
  {
    name: "a connection knows that its server drains",
    run: Effect.fnUntraced(function* (world) {
      const told: Array<unknown> = []
      const begun = yield* Deferred.make<void>()
      const server = yield* serve(world, {
        drain: budget,
        handler: (connection) =>
          Effect.gen(function* () {
            told.push(connection.isDraining)
            yield* Deferred.succeed(begun, undefined)
            yield* connection.draining
            told.push(connection.isDraining, yield* endingOf(connection.pull))
            yield* connection.write("we are closing")
            yield* beginning(Effect.map(connection.outcome, (outcome) => told.push(account(outcome))))
          })
      })
      const client = yield* dial(world, server)
      yield* Deferred.await(begun)
      const draining = yield* beginning(server.drain.begin)
      return [yield* politely(client), reported(yield* Fiber.join(draining)), told]
    })
  }
]
