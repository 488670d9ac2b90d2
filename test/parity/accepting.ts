/** Who may listen where, who gets in, and who does not. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type * as Connection from "finwait/Connection"
import * as Network from "finwait/Network"
import {
  account,
  beginning,
  dial,
  endingOf,
  masked,
  politely,
  readSome,
  type Scenario,
  serve,
  text,
  turnedAway,
  until
} from "./observe.ts"

const echo = (connection: Connection.Connection) => connection.each((chunk) => connection.write(chunk))

export const accepting: ReadonlyArray<Scenario> = [
  {
    name: "nobody listens there: refused",
    run: Effect.fnUntraced(function* (world) {
      const listener = yield* world.network.listen(world.address())
      yield* listener.stop
      return yield* endingOf(Effect.scoped(world.network.connect(listener.address)))
    })
  },
  {
    name: "an address is listened to once, and again when the first has stopped",
    run: Effect.fnUntraced(function* (world) {
      const first = yield* world.network.listen(world.address())
      const second = yield* endingOf(world.network.listen(first.address))
      yield* first.stop
      const third = yield* world.network.listen(first.address)
      return [second, JSON.stringify(third.address) === JSON.stringify(first.address)]
    })
  },
  {
    name: "the end of the scope stops listening",
    run: Effect.fnUntraced(function* (world) {
      const scope = yield* Scope.make()
      const listener = yield* Scope.provide(world.network.listen(world.address()), scope)
      yield* Scope.close(scope, Exit.void)
      return yield* endingOf(Effect.scoped(world.network.connect(listener.address)))
    })
  },
  {
    name: "a port of 0 is a port that can be dialled",
    kinds: ["Tcp"],
    run: Effect.fnUntraced(function* (world) {
      const server = yield* serve(world, { handler: (connection) => connection.write("welcome") })
      const client = yield* dial(world, server)
      return [masked(JSON.stringify(server.address)).replace(/\d+\}$/, "PORT}"), yield* politely(client)]
    })
  },
  {
    name: "an address that is none",
    run: (world) =>
      Effect.all(
        ["nonsense", "tcp://127.0.0.1:99999", "unix://"].map((address) =>
          endingOf(Effect.scoped(world.network.connect(address)))
        )
      )
  },
  {
    name: "a listener that is suspended lets wait, and hands over when it goes on",
    run: Effect.fnUntraced(function* (world) {
      const listener = yield* world.network.listen(world.address(), { waitingMax: 2 })
      const accepted: Array<Connection.Connection> = []
      const refused: Array<string> = []
      listener.attach({
        onConnection: (connection) => accepted.push(connection),
        onRefused: (limit) => refused.push(limit),
        onError: () => {}
      })
      listener.suspend()
      const clients: Array<Connection.Connection> = []
      for (let n = 1; n <= 2; n++) {
        clients.push(yield* world.network.connect(listener.address))
        yield* until(() => listener.waiting === n)
      }
      const third = yield* turnedAway(world, listener.address)
      const before = [accepted.length, listener.waiting, ...refused]
      listener.resume()
      const after = [accepted.length, listener.waiting]
      for (const connection of [...accepted, ...clients]) yield* connection.abort
      return [before, third, after]
    })
  },
  {
    name: "one that waits and gives up is not handed over",
    // A Unix socket's client that gives up is not told apart from one that has half-closed: it keeps its place.
    kinds: ["Tcp"],
    run: Effect.fnUntraced(function* (world) {
      const listener = yield* world.network.listen(world.address())
      const accepted: Array<Connection.Connection> = []
      listener.attach({ onConnection: (c) => accepted.push(c), onRefused: () => {}, onError: () => {} })
      listener.suspend()
      const impatient = yield* world.network.connect(listener.address)
      yield* until(() => listener.waiting === 1)
      yield* impatient.abort
      yield* until(() => listener.waiting === 0)
      listener.resume()
      return accepted.length
    })
  },
  {
    name: "whoever waits at a listener that nobody serves is told when it ends",
    // Over a Unix socket it depends on whether the process had accepted already: an end then, ECONNRESET else.
    kinds: ["Tcp"],
    run: Effect.fnUntraced(function* (world) {
      const listener = yield* world.network.listen(world.address())
      const clients = yield* Effect.forEach([1, 2, 3], () => world.network.connect(listener.address))
      listener.abort()
      const ends = yield* Effect.forEach(clients, (client) => text(client))
      for (const client of clients) yield* client.abort
      return [ends, yield* endingOf(Effect.scoped(world.network.connect(listener.address)))]
    })
  },
  {
    name: "a stop hands over whoever waits in the backlog",
    run: Effect.fnUntraced(function* (world) {
      const listener = yield* world.network.listen(world.address())
      const clients = yield* Effect.forEach(Array.from({ length: 10 }), () => world.network.connect(listener.address))
      const accepted: Array<Connection.Connection> = []
      listener.attach({ onConnection: (c) => accepted.push(c), onRefused: () => {}, onError: () => {} })
      yield* listener.stop
      const count = accepted.length
      yield* Effect.forEach(accepted, (server) => Effect.andThen(server.write("welcome"), beginning(server.close)))
      const heard = yield* Effect.forEach(clients, (client) => politely(client))
      return [count, heard]
    })
  },
  {
    name: "connectionsMax: the next one waits, unread, until another has ended",
    run: Effect.fnUntraced(function* (world) {
      const server = yield* serve(world, { handler: echo, connectionsMax: 1 })
      const happened: Array<string> = []
      const first = yield* dial(world, server)
      yield* first.write("first")
      yield* readSome(first, 5)
      const second = yield* dial(world, server)
      yield* second.write("second")
      const answered = yield* beginning(
        Effect.map(readSome(second, 6), (answer) => void happened.push(`${answer} is answered`))
      )
      for (let round = 0; round < 20; round++) {
        yield* first.write("again")
        yield* readSome(first, 5)
      }
      happened.push("first closes")
      yield* first.closeWrite
      yield* politely(first)
      yield* Fiber.join(answered)
      return happened
    })
  },
  {
    name: "connectionsMax: the next one is refused",
    run: Effect.fnUntraced(function* (world) {
      const server = yield* serve(world, { handler: echo, connectionsMax: 1, overflow: "refuse" })
      const first = yield* dial(world, server)
      yield* first.write("first")
      yield* readSome(first, 5)
      const refused = yield* turnedAway(world, server.address)
      yield* first.closeWrite
      yield* politely(first)
      yield* Effect.repeat(Effect.yieldNow, { until: () => Effect.map(server.connections, (open) => open === 0) })
      const third = yield* dial(world, server)
      yield* third.write("third")
      return [refused, yield* readSome(third, 5)]
    })
  },
  {
    name: "connectionsPerPeerMax counts hosts; Unix sockets have none",
    run: Effect.fnUntraced(function* (world) {
      const server = yield* serve(world, { handler: echo, connectionsPerPeerMax: 1 })
      const first = yield* dial(world, server)
      yield* first.write("first")
      yield* readSome(first, 5)
      if (world.kind === "Tcp") return yield* turnedAway(world, server.address)
      const second = yield* dial(world, server)
      yield* second.write("second")
      return yield* readSome(second, 6)
    })
  },
  {
    name: "idleTimeout ends the input of a silent client's handler",
    run: Effect.fnUntraced(function* (world) {
      const server = yield* serve(world, {
        idleTimeout: 50,
        handler: (connection) => Effect.andThen(echo(connection), connection.write("you were silent"))
      })
      const client = yield* dial(world, server)
      yield* client.write("hello ")
      return yield* politely(client)
    })
  },
  {
    name: "the scope of whoever dialled closes its connection",
    run: Effect.fnUntraced(function* (world) {
      const heard: Array<unknown> = []
      const server = yield* serve(world, {
        handler: (connection) => Effect.map(text(connection), (read) => heard.push(read))
      })
      const outcome = yield* Effect.scoped(
        Effect.gen(function* () {
          const client = yield* Network.connect(server.address)
          yield* client.write("hello")
          return client.outcome
        })
      ).pipe(Effect.provideService(Network.Network, world.network), Effect.flatten)
      return [heard, account(outcome)]
    })
  }
]
