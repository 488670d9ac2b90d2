import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Logger from "effect/Logger"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as Address from "finwait/Address"
import * as Connection from "finwait/Connection"
import type { CloseOutcome } from "finwait/CloseOutcome"
import * as Framing from "finwait/Framing"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import * as Shutdown from "finwait/Shutdown"
import * as ShutdownBudget from "finwait/ShutdownBudget"
import * as SimNetwork from "finwait/testing/SimNetwork"
import type * as Transport from "finwait/Transport"
import { address, ending, now, passing, politely, settled, text } from "./support/network.ts"
import { adding, budget, patient, serve } from "./support/server.ts"

const echo = (connection: Connection.Connection) => connection.each((chunk) => connection.write(chunk))
const where = Address.tcp("127.0.0.1", 7000)

describe("serving", () => {
  it.effect("every connection has a handler, and is closed when it ends", () =>
    Effect.gen(function* () {
      const { dial, server, sim } = yield* serve({ handler: (connection) => connection.write("welcome") })
      for (let round = 0; round < 3; round++) {
        const client = yield* dial
        assert.strictEqual(yield* Connection.readText(client), "welcome")
        assert.strictEqual((yield* client.close)._tag, "Graceful")
      }
      yield* settled
      assert.strictEqual(yield* server.connections, 0)
      assert.strictEqual(yield* sim.socketsOpen, 0)
    })
  )

  it.effect("it tells where it listens, once it does", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const { server } = yield* serve({
        handler: echo,
        onListening: (at) => Effect.sync(() => told.push(Address.format(at)))
      })
      assert.deepStrictEqual(told, [address])
      assert.strictEqual(Address.format(server.address), address)
    })
  )

  it.effect("a port of 0 is any free port, and the server knows which", () =>
    Effect.gen(function* () {
      const first = yield* Server.make({ listen: "tcp://127.0.0.1:0", handler: (connection) => connection.write("1") })
      const second = yield* Server.make({ listen: "tcp://127.0.0.1:0", handler: (connection) => connection.write("2") })
      assert.notDeepEqual(first.address, second.address)
      const client = yield* Network.connect(second.address)
      assert.strictEqual(yield* Connection.readText(client), "2")
    }).pipe(Effect.scoped, Effect.provide(SimNetwork.layer()))
  )

  it.effect("it cannot listen where another one does", () =>
    Effect.gen(function* () {
      const { sim } = yield* serve({ handler: echo })
      const error = yield* Effect.flip(
        Effect.provideService(Server.make({ listen: address, handler: echo }), Network.Network, sim.network)
      )
      assert.strictEqual(error.message, "listen tcp 127.0.0.1:7000: the address is in use by another listener")
    })
  )

  const own = { none: "fails", defect: "dies", throws: "throws" } as const
  for (const [kind, what] of Object.entries(own)) {
    it.effect(`a handler that ${what} is logged with its cause and counted, and touches no other connection`, () =>
      Effect.gen(function* () {
        const { dial, logged, metrics, server } = yield* serve({
          handler: (connection) =>
            Effect.flatMap(connection.pull, (chunk): Effect.Effect<void, unknown> => {
              if (text(chunk) !== "bad") return Effect.andThen(connection.write(chunk), echo(connection))
              if (kind === "throws") throw new Error("the reason")
              return kind === "none" ? Effect.fail("the reason") : Effect.die(new Error("the reason"))
            })
        })
        const good = yield* dial
        yield* good.write("one ")
        const bad = yield* dial
        yield* bad.write("bad")
        assert.strictEqual(yield* Connection.readText(bad), "")
        assert.strictEqual((yield* bad.close)._tag, "Graceful")
        const errors = logged.filter(({ level }) => level !== "Debug")
        assert.deepStrictEqual(
          errors.map(({ level }) => level),
          ["Error"]
        )
        assert.strictEqual(errors[0]!.message, "handler of tcp 127.0.0.1:49153: failed; the connection is closed")
        assert.strictEqual((yield* metrics).handlersFailed, 1)
        yield* good.write("two")
        yield* good.closeWrite
        assert.strictEqual(yield* Connection.readText(good), "one two")
        yield* good.close
        const report = adding(yield* server.drain.begin)
        assert.strictEqual(report.handlersFailed, 0, "failures before the drain are not the drain's")
      })
    )
  }

  it.effect("a handler that throws before it gives an effect is a handler that failed", () =>
    Effect.gen(function* () {
      const { dial, metrics } = yield* serve({
        handler: () => {
          throw new Error("no effect")
        }
      })
      const client = yield* dial
      assert.strictEqual(yield* Connection.readText(client), "")
      assert.strictEqual((yield* metrics).handlersFailed, 1)
    })
  )

  it.effect("a handler that pulls until the input ends has ended, not failed", () =>
    Effect.gen(function* () {
      const { dial, logged, metrics, server } = yield* serve({
        handler: Effect.fnUntraced(function* (connection) {
          while (true) yield* connection.write(yield* connection.pull)
        })
      })
      const client = yield* dial
      yield* client.write("hello")
      yield* client.closeWrite
      assert.strictEqual(yield* Connection.readText(client), "hello")
      assert.strictEqual((yield* client.close)._tag, "Graceful")
      assert.isTrue((yield* server.drain.begin).clean)
      assert.strictEqual((yield* metrics).handlersFailed, 0)
      assert.deepStrictEqual(
        logged.filter(({ message }) => message.startsWith("handler of")),
        []
      )
    })
  )

  it.effect("what a peer brings about is no failure of the handler's", () =>
    Effect.gen(function* () {
      const { dial, logged, metrics, server } = yield* serve({ handler: echo })
      const client = yield* dial
      yield* client.write("hello")
      yield* client.abort
      yield* settled
      assert.strictEqual((yield* metrics).handlersFailed, 0)
      assert.deepStrictEqual((yield* metrics).closed["ResetByPeer"], 1)
      assert.isTrue(logged.some(({ level, message }) => level === "Debug" && message.startsWith("handler of")))
      assert.isFalse(logged.some(({ level }) => level === "Error"))
      assert.strictEqual(yield* server.connections, 0)
    })
  )

  it.effect("nothing is logged above Debug for connections that come and go", () =>
    Effect.gen(function* () {
      const { dial, logged } = yield* serve({ handler: echo })
      for (let round = 0; round < 5; round++) {
        const client = yield* dial
        yield* client.write("x")
        yield* client.closeWrite
        yield* Connection.readText(client)
        yield* client.close
      }
      yield* settled
      assert.deepStrictEqual(new Set(logged.map(({ level }) => level)), new Set(["Debug"]))
      assert.deepStrictEqual(
        logged.map(({ message }) => message),
        [0, 1, 2, 3, 4].map((n) => `closed tcp 127.0.0.1:${49152 + n}: Graceful`)
      )
    })
  )

  it.effect("nobody who logs less than Debug pays for it", () =>
    Effect.gen(function* () {
      const { server } = yield* Effect.gen(function* () {
        const server = yield* Server.make({ listen: address, handler: () => Effect.void })
        const client = yield* Network.connect(address)
        yield* Connection.readText(client)
        return { server }
      }).pipe(Effect.scoped, Effect.provide(SimNetwork.layer()))
      assert.strictEqual(yield* server.connections, 0)
    })
  )
})

describe("metrics and spans", () => {
  it.effect("they count what happened, and the open ones go back to none", () =>
    Effect.gen(function* () {
      const { dial, metrics, server } = yield* serve({ handler: echo, connectionsMax: 2, overflow: "refuse" })
      const first = yield* dial
      const second = yield* dial
      const refused = yield* dial
      yield* first.write("12345")
      yield* settled
      assert.strictEqual((yield* metrics).open, 2)
      assert.strictEqual((yield* refused.close)._tag, "ResetByPeer")
      yield* second.abort
      yield* settled
      yield* first.closeWrite
      yield* Connection.readText(first)
      yield* first.close
      yield* settled
      yield* server.drain.begin
      assert.deepStrictEqual(yield* metrics, {
        open: 0,
        accepted: 2,
        refused: 1,
        handlersFailed: 0,
        bytesRead: 5,
        bytesWritten: 5,
        closed: { Graceful: 1, ResetByPeer: 1 },
        drains: { count: 1, sum: 0 }
      })
    })
  )

  it.effect("the duration of a drain is measured", () =>
    Effect.gen(function* () {
      const { dial, metrics, server } = yield* serve({ handler: () => Effect.sleep(1234) })
      yield* Effect.forkChild(Effect.flatMap(dial, politely))
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(2000)
      assert.strictEqual(adding(yield* Fiber.join(draining)).durationMillis, 1234)
      assert.deepStrictEqual((yield* metrics).drains, { count: 1, sum: 1234 })
    })
  )

  const tracing = () => {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span(options) {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    return { spans, tracer }
  }

  it.effect("a tracer sees a span for each connection and each drain", () =>
    Effect.gen(function* () {
      const { spans, tracer } = tracing()
      yield* Effect.gen(function* () {
        yield* Server.make({ listen: address, handler: echo })
        for (let round = 0; round < 2; round++) {
          const client = yield* Network.connect(address)
          yield* client.closeWrite
          yield* Connection.readText(client)
          yield* client.close
        }
      }).pipe(Effect.scoped, Effect.provide(SimNetwork.layer()), Effect.provideService(Tracer.Tracer, tracer))
      const ours = spans.filter(({ name }) => name.startsWith("finwait."))
      assert.deepStrictEqual(
        ours.map(({ name }) => name),
        ["finwait.connection", "finwait.connection", "finwait.drain"]
      )
      assert.deepStrictEqual(Object.fromEntries(ours[0]!.attributes), {
        "network.peer.address": "tcp 127.0.0.1:49152",
        "network.local.address": "tcp 127.0.0.1:7000"
      })
      assert.deepStrictEqual(Object.fromEntries(ours[2]!.attributes), { "server.address": "tcp 127.0.0.1:7000" })
      for (const { status } of ours) assert.strictEqual(status._tag, "Ended")
    })
  )

  it.effect("without a tracer there are none", () =>
    Effect.gen(function* () {
      let span: Option.Option<Tracer.Span> | undefined
      const { dial } = yield* serve({
        handler: () => Effect.map(Effect.option(Effect.currentSpan), (current) => (span = current))
      })
      yield* politely(yield* dial)
      assert.isTrue(Option.isNone(span!))
    })
  )
})

describe("limits", () => {
  it.effect("who is beyond connectionsMax waits, unread, and is served in order", () =>
    Effect.gen(function* () {
      const served: Array<string> = []
      const { dial, metrics, server } = yield* serve({
        connectionsMax: 1,
        handler: (connection) =>
          Effect.gen(function* () {
            served.push(text(yield* connection.pull))
            yield* Effect.sleep(1000)
            yield* connection.write("served")
          })
      })
      const clients = yield* Effect.forEach([0, 1, 2], () => dial)
      for (const [index, client] of clients.entries()) yield* client.write(`${index}`)
      yield* Effect.forEach(clients, (client) => Effect.forkChild(politely(client)))
      yield* settled
      assert.deepStrictEqual(served, ["0"])
      assert.strictEqual(yield* server.connections, 1)
      yield* passing(999)
      assert.deepStrictEqual(served, ["0"])
      yield* passing(1)
      assert.deepStrictEqual(served, ["0", "1"])
      yield* passing(1000)
      assert.deepStrictEqual(served, ["0", "1", "2"])
      yield* passing(1000)
      assert.strictEqual((yield* metrics).refused, 0)
      for (const client of clients) assert.strictEqual((yield* client.outcome)._tag, "Graceful")
    })
  )

  it.effect("thousands that wait are all served when there is room again", () =>
    Effect.gen(function* () {
      const waiting = 20_000
      let served = 0
      const { dial, sim, server } = yield* serve({
        waitingMax: waiting,
        handler: () => Effect.sync(() => void served++)
      })
      yield* dial
      yield* settled
      yield* sim.failAccept(server.address, "EMFILE")
      for (let n = 0; n < waiting; n++) yield* Effect.forkDetach(Effect.scoped(Effect.flatMap(dial, politely)))
      yield* settled
      assert.strictEqual(served, 1)
      yield* passing(1000)
      assert.strictEqual(served, 1 + waiting)
    })
  )

  it.effect("one that gives up while it waits gives up its place", () =>
    Effect.gen(function* () {
      const { dial, metrics } = yield* serve({ connectionsMax: 1, waitingMax: 2, handler: echo })
      const first = yield* dial
      for (const client of [yield* dial, yield* dial]) {
        yield* settled
        yield* client.abort
      }
      yield* settled
      const others = [yield* dial, yield* dial]
      yield* settled
      assert.strictEqual((yield* metrics).refused, 0)
      for (const client of [first, ...others]) {
        yield* client.write("hello")
        yield* client.closeWrite
        assert.strictEqual(yield* Connection.readText(client), "hello")
        yield* client.close
        yield* settled
      }
      assert.deepStrictEqual((yield* metrics).closed, { Graceful: 3, ResetByPeer: 2 })
      assert.strictEqual((yield* metrics).open, 0)
    })
  )

  it.effect("one that waits is held back, and what it has sent is served when its turn comes", () =>
    Effect.gen(function* () {
      const { dial } = yield* serve({ connectionsMax: 1, handler: echo })
      const first = yield* dial
      yield* settled
      const second = yield* dial
      const writing = yield* Effect.forkChild(second.write(new Uint8Array(600_000)))
      yield* settled
      assert.isUndefined(writing.pollUnsafe(), "nobody reads it all")
      yield* first.closeWrite
      yield* first.close
      const reading = yield* Effect.forkChild(Connection.readAll(second))
      yield* Fiber.join(writing)
      yield* second.closeWrite
      assert.strictEqual((yield* Fiber.join(reading)).length, 600_000)
    })
  )

  it.effect("one that gives up while it waits is counted like everybody", () =>
    Effect.gen(function* () {
      const { dial, metrics, server } = yield* serve({ connectionsMax: 1, handler: echo })
      const first = yield* dial
      const second = yield* dial
      yield* settled
      yield* second.abort
      yield* settled
      yield* first.closeWrite
      yield* first.close
      yield* settled
      assert.strictEqual(yield* server.connections, 0)
      assert.deepStrictEqual((yield* metrics).closed, { Graceful: 1, ResetByPeer: 1 })
      assert.strictEqual((yield* metrics).open, 0)
    })
  )

  it.effect("with overflow refuse they are reset at once, and the server goes on", () =>
    Effect.gen(function* () {
      const { dial, logged, metrics } = yield* serve({ connectionsMax: 1, overflow: "refuse", handler: echo })
      const first = yield* dial
      const second = yield* dial
      assert.strictEqual(ending(yield* Effect.exit(second.pull)), "read tcp 127.0.0.1:7000: reset by the peer")
      yield* dial
      yield* settled
      assert.strictEqual((yield* metrics).refused, 2)
      assert.strictEqual((yield* metrics).accepted, 1)
      const warnings = logged.filter(({ level }) => level === "Warn")
      assert.deepStrictEqual(
        warnings.map(({ message }) => message),
        ["accept tcp 127.0.0.1:7000: 1 refused, connectionsMax 1 reached; 1 open"]
      )
      yield* first.closeWrite
      yield* first.close
      yield* settled
      const third = yield* dial
      yield* third.write("hello")
      yield* third.closeWrite
      assert.strictEqual(yield* Connection.readText(third), "hello")
    })
  )

  it.effect("the warning is repeated after 5 seconds, not before", () =>
    Effect.gen(function* () {
      const { dial, logged } = yield* serve({ connectionsMax: 1, overflow: "refuse", handler: echo })
      const warnings = () => logged.filter(({ level }) => level === "Warn").length
      yield* dial
      yield* dial
      yield* passing(4999)
      yield* dial
      yield* settled
      assert.strictEqual(warnings(), 1)
      yield* passing(1)
      yield* dial
      yield* settled
      assert.strictEqual(warnings(), 2)
    })
  )

  it.effect("more than waitingMax are refused", () =>
    Effect.gen(function* () {
      const { dial, metrics } = yield* serve({ connectionsMax: 1, waitingMax: 2, handler: echo })
      const clients = yield* Effect.forEach([0, 1, 2, 3], () => dial)
      yield* settled
      assert.strictEqual((yield* metrics).refused, 1)
      assert.strictEqual((yield* clients[3]!.close)._tag, "ResetByPeer")
      yield* clients[0]!.closeWrite
      yield* clients[0]!.close
      yield* clients[1]!.write("served")
      assert.strictEqual(text(yield* clients[1]!.pull), "served")
    })
  )

  it.effect("of one host come connectionsPerPeerMax, and as many again when they have gone", () =>
    Effect.gen(function* () {
      const { dial, metrics } = yield* serve({ connectionsPerPeerMax: 2, handler: echo })
      const first = yield* dial
      yield* dial
      const third = yield* dial
      assert.strictEqual((yield* third.close)._tag, "ResetByPeer")
      assert.strictEqual((yield* metrics).refused, 1)
      yield* first.closeWrite
      yield* first.close
      yield* settled
      const fourth = yield* dial
      yield* fourth.write("x")
      assert.strictEqual(text(yield* fourth.pull), "x")
      for (const client of [fourth]) yield* client.abort
      yield* settled
      assert.strictEqual((yield* metrics).accepted, 3)
      // Refused connections are closed connections like any other: nothing stays open of them.
      assert.strictEqual((yield* metrics).open, 1)
    })
  )

  it.effect("the peers of Unix sockets are not counted by host: they have none", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({
        listen: "unix:///run/app.sock",
        connectionsPerPeerMax: 1,
        handler: (connection) => connection.write("welcome")
      })
      for (let round = 0; round < 3; round++) {
        const client = yield* Network.connect(server.address)
        assert.strictEqual(yield* Connection.readText(client), "welcome")
        yield* client.close
      }
    }).pipe(Effect.scoped, Effect.provide(SimNetwork.layer()))
  )

  it.effect(
    "a message longer than maxFrameBytes ends its connection, gracefully, and is no failure of the server's",
    () =>
      Effect.gen(function* () {
        const { dial, logged, metrics } = yield* serve({
          maxFrameBytes: 5,
          handler: (connection) => Framing.lines(connection).pipe(Framing.respond((line) => Effect.succeed(line)))
        })
        const client = yield* dial
        yield* client.write("12345\n123456\n")
        assert.strictEqual(yield* Connection.readText(client), "12345\n")
        assert.strictEqual((yield* client.close)._tag, "Graceful")
        yield* settled
        assert.strictEqual((yield* metrics).handlersFailed, 0)
        const ended = logged.find(({ message }) => message.startsWith("handler of"))
        assert.strictEqual(ended!.level, "Debug")
      })
  )
})

describe("idleTimeout", () => {
  it.effect("a silent connection ends, a twentieth late at most", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({ idleTimeout: 1000, handler: echo })
      const reading = yield* Effect.forkChild(Effect.flatMap(dial, politely))
      yield* passing(1000)
      assert.strictEqual(yield* server.connections, 1)
      assert.isUndefined(reading.pollUnsafe())
      yield* passing(50)
      assert.strictEqual(yield* Fiber.join(reading), "")
      yield* settled
      assert.strictEqual(yield* server.connections, 0)
    })
  )

  it.effect("bytes in either direction count", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({
        idleTimeout: 1000,
        handler: (connection) =>
          Effect.scoped(
            Effect.gen(function* () {
              yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(900), connection.write("tick"))))
              yield* connection.each(() => Effect.void)
            })
          )
      })
      const client = yield* dial
      yield* Effect.forkChild(Effect.exit(Connection.readAll(client)))
      yield* passing(10_000)
      assert.strictEqual(yield* server.connections, 1)

      const talking = yield* serve({ idleTimeout: 1000, handler: (connection) => connection.each(() => Effect.void) })
      const talker = yield* talking.dial
      for (let round = 0; round < 10; round++) {
        yield* talker.write("tick")
        yield* passing(900)
      }
      assert.strictEqual(yield* talking.server.connections, 1)
      yield* passing(1100)
      assert.strictEqual(yield* Connection.readText(talker), "")
    })
  )

  it.effect("a handler that works is not idle", () =>
    Effect.gen(function* () {
      const { dial } = yield* serve({
        idleTimeout: 1000,
        handler: (connection) => connection.each((chunk) => Effect.andThen(Effect.sleep(5000), connection.write(chunk)))
      })
      const client = yield* dial
      yield* client.write("work")
      yield* passing(5000)
      assert.strictEqual(text(yield* client.pull), "work")
      const end = yield* Effect.forkChild(Effect.exit(client.pull))
      yield* passing(999)
      assert.isUndefined(end.pollUnsafe())
      yield* passing(51)
      assert.strictEqual(ending(yield* Fiber.join(end)), "done")
    })
  )

  it.effect("half a message and no more is idle too: the connection ends gracefully", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({
        idleTimeout: 1000,
        handler: (connection) => Framing.lines(connection).pipe(Framing.respond(Effect.succeed)),
        close: { farewell: Connection.sendLine("BYE") }
      })
      const client = yield* dial
      yield* client.write("half")
      const reading = yield* Effect.forkChild(politely(client))
      yield* passing(1000)
      assert.isUndefined(reading.pollUnsafe())
      yield* passing(100)
      assert.strictEqual(yield* Fiber.join(reading), "BYE\n")
      assert.strictEqual((yield* client.outcome)._tag, "Graceful")
      assert.strictEqual(yield* server.connections, 0)
    })
  )

  it.effect("a peer that takes nothing is reset, with a cause of its own, and nothing was forced by a drain", () =>
    Effect.gen(function* () {
      const outcomes: Array<CloseOutcome> = []
      const { dial, server } = yield* serve({
        idleTimeout: 1000,
        handler: (connection) =>
          Effect.andThen(
            Effect.forkDetach(Effect.tap(connection.outcome, (outcome) => Effect.sync(() => outcomes.push(outcome)))),
            connection.write(new Uint8Array(900_000))
          )
      })
      const client = yield* dial
      yield* passing(1000)
      assert.strictEqual(yield* server.connections, 1)
      yield* passing(100)
      assert.strictEqual(yield* server.connections, 0)
      assert.deepInclude(outcomes[0], { _tag: "Aborted", cause: "idle" })
      assert.strictEqual(ending(yield* Effect.exit(client.pull)), "read tcp 127.0.0.1:7000: reset by the peer")
    })
  )

  it.effect("a slow reader that goes on reading is not idle", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({
        idleTimeout: 1000,
        handler: (connection) => connection.write(new Uint8Array(900_000))
      })
      const client = yield* dial
      let bytes = 0
      while (bytes < 900_000) {
        bytes += (yield* client.pull).length
        yield* passing(bytes < 900_000 ? 300 : 0)
      }
      assert.strictEqual(bytes, 900_000)
      assert.strictEqual(ending(yield* Effect.exit(client.pull)), "done")
      yield* client.close
      yield* settled
      assert.strictEqual(yield* server.connections, 0)
    })
  )
})

describe("accept errors", () => {
  it.effect("one that says nothing about the next accept is passed over", () =>
    Effect.gen(function* () {
      const { dial, logged, sim } = yield* serve({ handler: echo })
      yield* sim.failAccept(where, "ECONNABORTED")
      const client = yield* dial
      yield* client.write("x")
      assert.strictEqual(text(yield* client.pull), "x")
      assert.deepStrictEqual(
        logged.map(({ level, message }) => `${level} ${message}`),
        ["Debug accept tcp 127.0.0.1:7000: ECONNABORTED; going on"]
      )
    })
  )

  it.effect("without descriptors it rests for a second, then goes on with those who waited", () =>
    Effect.gen(function* () {
      const { dial, logged, sim } = yield* serve({ handler: echo })
      yield* sim.failAccept(where, "EMFILE")
      const client = yield* dial
      yield* client.write("x")
      const answer = yield* Effect.forkChild(client.pull)
      yield* passing(999)
      assert.isUndefined(answer.pollUnsafe())
      yield* passing(1)
      assert.strictEqual(text(yield* Fiber.join(answer)), "x")
      assert.deepStrictEqual(
        logged.map(({ level, message }) => `${level} ${message}`),
        ["Warn accept tcp 127.0.0.1:7000: EMFILE; resting for 1s, 0 open"]
      )
    })
  )

  it.effect("a rest does not lift connectionsMax", () =>
    Effect.gen(function* () {
      const { dial, server, sim } = yield* serve({ connectionsMax: 1, handler: echo })
      yield* dial
      yield* settled
      yield* sim.failAccept(where, "EMFILE")
      yield* dial
      yield* passing(2000)
      assert.strictEqual(yield* server.connections, 1)
    })
  )

  it.effect("a drain does not wait for the rest to be over: who waits is served", () =>
    Effect.gen(function* () {
      const { dial, server, sim } = yield* serve({ handler: echo })
      yield* sim.failAccept(where, "EMFILE")
      const client = yield* dial
      yield* client.write("hello")
      const reading = yield* Effect.forkChild(politely(client))
      yield* settled
      const report = adding(yield* server.drain.begin)
      assert.strictEqual(report.connections, 1)
      assert.strictEqual(report.durationMillis, 0)
      assert.isTrue(report.clean)
      assert.strictEqual(yield* Fiber.join(reading), "hello")
    })
  )

  it.effect("a place that becomes free does not end the rest", () =>
    Effect.gen(function* () {
      const { dial, server, sim } = yield* serve({ connectionsMax: 2, handler: echo })
      const first = yield* dial
      yield* settled
      yield* sim.failAccept(where, "EMFILE")
      yield* dial
      yield* first.closeWrite
      yield* first.close
      yield* settled
      assert.strictEqual(yield* server.connections, 0)
      yield* passing(1000)
      assert.strictEqual(yield* server.connections, 1)
    })
  )

  for (const code of ["ECANCELED", "EWHATEVER"]) {
    it.effect(`after ${code} the server cannot go on: it drains, and asks for the end of the process`, () =>
      Effect.gen(function* () {
        const { dial, logged, server, shutdown, sim } = yield* serve({ handler: echo })
        const asked: Array<string> = []
        shutdown.onRequest((why) => asked.push(why))
        const reading = yield* Effect.forkChild(Effect.flatMap(dial, politely))
        yield* settled
        yield* sim.failAccept(where, code)
        assert.deepStrictEqual(asked, [`accept tcp 127.0.0.1:7000: ${code}`])
        const report = adding(yield* server.drain.report)
        assert.isTrue(report.clean)
        assert.strictEqual(report.outcomes.Graceful, 1)
        assert.strictEqual(yield* Fiber.join(reading), "")
        assert.include(
          logged.map(({ level, message }) => `${level} ${message}`),
          `Fatal accept tcp 127.0.0.1:7000: ${code}; the server cannot go on and drains`
        )
      })
    )
  }
})

describe("a drain", () => {
  const stubborn = () => Effect.uninterruptible(Effect.never)

  it.effect("goes through its phases at their times, and tells each", () =>
    Effect.gen(function* () {
      const { dial, server, shutdown } = yield* serve({
        handler: stubborn,
        drain: { grace: 30_000, lameDuck: 3000, deadline: 10_000, close: 5000, margin: 2000 }
      })
      yield* dial
      yield* settled
      assert.strictEqual(yield* server.drain.phase, "Serving")
      assert.isTrue(yield* server.drain.isReady)
      const watching = yield* Effect.forkChild(Stream.runCollect(server.drain.progress))
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      const at = Effect.fnUntraced(function* (phase: string) {
        yield* settled
        assert.strictEqual(yield* server.drain.phase, phase)
        assert.isFalse(yield* server.drain.isReady)
      })
      yield* at("LameDuck")
      yield* passing(2999)
      yield* at("LameDuck")
      yield* passing(1)
      yield* at("Waiting")
      yield* passing(9999)
      yield* at("Waiting")
      yield* passing(1)
      yield* at("Interrupting")
      yield* passing(4999)
      yield* at("Interrupting")
      yield* passing(1)
      yield* at("Done")
      const report = adding(yield* Fiber.join(draining))
      assert.deepStrictEqual(report, {
        clean: false,
        address,
        connections: 1,
        backlog: 0,
        outcomes: { Graceful: 0, LingerExpired: 0, ResetByPeer: 0, Aborted: 1 },
        handlersInterrupted: 1,
        handlersFailed: 0,
        handlersAbandoned: 1,
        forcedAt: "Interrupting",
        durationMillis: 18_000,
        slowest: [{ peer: "tcp 127.0.0.1:49152", millis: 18_000, outcome: "Aborted", stage: "Open" }]
      })
      assert.deepStrictEqual(
        (yield* Fiber.join(watching)).map(({ elapsedMillis, left, phase }) => [phase, elapsedMillis, left]),
        [
          ["Serving", 0, 1],
          ["LameDuck", 0, 1],
          ["Backlog", 3000, 1],
          ["Waiting", 3000, 1],
          ["Interrupting", 13_000, 1],
          ["Resetting", 18_000, 1],
          ["Done", 18_000, 1]
        ]
      )
      assert.deepStrictEqual(shutdown.reports, [report])
    })
  )

  it.effect("a lame duck still serves, whoever comes", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({ handler: echo, drain: { grace: 30_000, lameDuck: 3000 } })
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(1000)
      const client = yield* dial
      yield* client.write("still here")
      assert.strictEqual(text(yield* client.pull), "still here")
      assert.isFalse(yield* server.drain.isReady)
      const end = yield* Effect.forkChild(politely(client))
      yield* passing(1999)
      assert.isUndefined(end.pollUnsafe())
      yield* passing(1)
      assert.strictEqual(yield* Fiber.join(end), "")
      const report = adding(yield* Fiber.join(draining))
      assert.strictEqual(report.connections, 1)
      assert.strictEqual(report.durationMillis, 3000)
      assert.isTrue(report.clean)
    })
  )

  it.effect("of a server without connections takes no time but the lame duck's", () =>
    Effect.gen(function* () {
      const { server, sim } = yield* serve({ handler: echo })
      const report = adding(yield* server.drain.begin)
      assert.strictEqual(report.connections, 0)
      assert.strictEqual(report.durationMillis, 0)
      const error = yield* Effect.flip(sim.network.connect(address))
      assert.strictEqual(error.message, "connect tcp 127.0.0.1:7000: refused: nobody listens there")
    })
  )

  it.effect("connections that closed before it are not its own", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({ handler: () => Effect.void })
      yield* politely(yield* dial)
      yield* settled
      assert.strictEqual(adding(yield* server.drain.begin).connections, 0)
    })
  )

  it.effect("every connection is told at once, side by side", () =>
    Effect.gen(function* () {
      const told: Array<number> = []
      const { dial, server } = yield* serve({
        handler: (connection) =>
          Effect.gen(function* () {
            assert.isFalse(connection.isDraining)
            yield* connection.draining
            assert.isTrue(connection.isDraining)
            yield* connection.draining
            told.push(yield* now)
            yield* Effect.sleep(1000)
            yield* connection.write("BYE\n")
          })
      })
      const reading = yield* Effect.forEach([0, 1, 2], () => Effect.forkChild(Effect.flatMap(dial, politely)))
      yield* passing(500)
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(1000)
      assert.deepStrictEqual(told, [500, 500, 500])
      const report = adding(yield* Fiber.join(draining))
      assert.strictEqual(report.durationMillis, 1000)
      assert.strictEqual(report.outcomes.Graceful, 3)
      for (const fiber of reading) assert.strictEqual(yield* Fiber.join(fiber), "BYE\n")
    })
  )

  it.effect("what had arrived is answered, and what comes after is not", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({
        handler: (connection) => connection.each((chunk) => Effect.andThen(Effect.sleep(100), connection.write(chunk)))
      })
      const client = yield* dial
      for (const message of ["1", "2", "3"]) {
        yield* client.write(message)
        yield* settled
      }
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* settled
      yield* client.write("4")
      const reading = yield* Effect.forkChild(politely(client))
      yield* passing(300)
      assert.strictEqual(yield* Fiber.join(reading), "123")
      const report = adding(yield* Fiber.join(draining))
      assert.isTrue(report.clean)
      assert.strictEqual(report.durationMillis, 300)
    })
  )

  it.effect("half a message is waited for, and answered", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({
        handler: (connection) =>
          Framing.lines(connection).pipe(Framing.respond((line) => Effect.succeed(line.toUpperCase()))),
        close: { farewell: Connection.sendLine("BYE") }
      })
      const client = yield* dial
      yield* client.write("one\ntw")
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      const reading = yield* Effect.forkChild(politely(client))
      yield* passing(5000)
      assert.isUndefined(draining.pollUnsafe())
      // Another one that has only begun is nobody's concern any more: a peer that never stops would never be done.
      yield* client.write("o\nthr")
      assert.strictEqual(yield* Fiber.join(reading), "ONE\nTWO\nBYE\n")
      assert.isTrue(adding(yield* Fiber.join(draining)).clean)
    })
  )

  it.effect("half a message that does not go on is waited for until the deadline", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({
        handler: (connection) =>
          Framing.lines(connection).pipe(Framing.respond((line) => Effect.succeed(line.toUpperCase())))
      })
      const client = yield* dial
      yield* client.write("tw")
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* Effect.forkChild(politely(client))
      yield* passing(9999)
      assert.isUndefined(draining.pollUnsafe())
      yield* passing(1)
      const report = adding(yield* Fiber.join(draining))
      assert.strictEqual(report.handlersInterrupted, 1)
      assert.strictEqual(report.forcedAt, "Interrupting")
      assert.strictEqual(report.outcomes.Graceful, 1)
    })
  )

  it.effect("a client that connects after it began is refused", () =>
    Effect.gen(function* () {
      const { dial, server, sim } = yield* serve({ handler: () => Effect.sleep(1000) })
      yield* Effect.forkChild(Effect.flatMap(dial, politely))
      yield* settled
      yield* Effect.forkChild(server.drain.begin)
      yield* settled
      assert.strictEqual((yield* Effect.flip(sim.network.connect(address))).reason._tag, "Refused")
    })
  )

  it.effect("handlers that still run at the deadline are interrupted, and their finalizers run side by side", () =>
    Effect.gen(function* () {
      const ended: Array<number> = []
      const { dial, logged, server } = yield* serve({
        handler: () =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.andThen(
              Effect.sleep(1000),
              Effect.flatMap(now, (time) => Effect.sync(() => ended.push(time)))
            )
          )
      })
      yield* Effect.forEach([0, 1, 2], () => Effect.forkChild(Effect.flatMap(dial, politely)))
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(10_000)
      assert.deepStrictEqual(ended, [])
      yield* passing(1000)
      assert.deepStrictEqual(ended, [11_000, 11_000, 11_000])
      const report = adding(yield* Fiber.join(draining))
      assert.strictEqual(report.handlersFailed, 0, "an interruption is no failure")
      assert.isFalse(logged.some(({ level }) => level === "Error"))
      assert.strictEqual(report.handlersInterrupted, 3)
      assert.strictEqual(report.handlersAbandoned, 0)
      assert.strictEqual(report.outcomes.Graceful, 3)
      assert.strictEqual(report.forcedAt, "Interrupting")
      assert.strictEqual(report.durationMillis, 11_000)
    })
  )

  it.effect("a peer that does not say goodbye is reset at the hard deadline", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({ handler: echo, close: patient })
      const client = yield* dial
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(14_999)
      assert.isUndefined(draining.pollUnsafe())
      yield* passing(1)
      const report = adding(yield* Fiber.join(draining))
      assert.strictEqual(report.forcedAt, "Resetting")
      assert.strictEqual(report.handlersInterrupted, 0)
      assert.strictEqual(report.outcomes.Aborted, 1)
      assert.deepStrictEqual(report.slowest[0], {
        peer: "tcp 127.0.0.1:49152",
        millis: 15_000,
        outcome: "Aborted",
        stage: "Lingering"
      })
      assert.strictEqual(ending(yield* Effect.exit(client.pull)), "read tcp 127.0.0.1:7000: reset by the peer")
    })
  )

  it.effect("handlers that failed during it are counted", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({
        handler: (connection) => Effect.andThen(connection.draining, Effect.fail("too late"))
      })
      yield* Effect.forEach([0, 1], () => Effect.forkChild(Effect.flatMap(dial, politely)))
      yield* settled
      const report = adding(yield* server.drain.begin)
      assert.strictEqual(report.handlersFailed, 2)
      assert.isTrue(report.clean)
    })
  )

  it.effect("what the application itself aborts was not forced by the drain", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({
        handler: (connection) => Effect.andThen(connection.draining, connection.abort)
      })
      yield* dial
      yield* settled
      const report = adding(yield* server.drain.begin)
      assert.strictEqual(report.outcomes.Aborted, 1)
      assert.isTrue(report.clean)
    })
  )

  it.effect("a close that ran out of its own deadline was forced", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({ handler: echo, close: { ...patient, deadline: 2000 } })
      yield* dial
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(2000)
      const report = adding(yield* Fiber.join(draining))
      assert.strictEqual(report.forcedAt, "Waiting")
      assert.strictEqual(report.outcomes.Aborted, 1)
    })
  )

  it.effect("the report counts every kind of ending and names the five slowest, the slowest first", () =>
    Effect.gen(function* () {
      let handlers = 0
      const { dial, server } = yield* serve({
        handler: (connection) =>
          Effect.suspend(() => Effect.andThen(connection.draining, Effect.sleep(++handlers * 100)))
      })
      for (let n = 1; n <= 8; n++) {
        const client = yield* dial
        if (n === 8) yield* Effect.forkChild(Effect.andThen(Effect.sleep(750), client.abort))
        else if (n !== 7) yield* Effect.forkChild(politely(client))
      }
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(9000)
      const report = adding(yield* Fiber.join(draining))
      assert.deepStrictEqual(report.outcomes, { Graceful: 6, LingerExpired: 1, ResetByPeer: 1, Aborted: 0 })
      assert.deepStrictEqual(
        report.slowest.map(({ millis, outcome }) => [millis, outcome]),
        [
          [5700, "LingerExpired"],
          [800, "ResetByPeer"],
          [600, "Graceful"],
          [500, "Graceful"],
          [400, "Graceful"]
        ]
      )
      assert.strictEqual(report.durationMillis, 5700)
      assert.isTrue(report.clean)
    })
  )

  it.effect("who watches its progress and does not keep up sees the latest of it, and its end", () =>
    Effect.gen(function* () {
      let handlers = 0
      const { dial, server } = yield* serve({
        handler: (connection) =>
          Effect.suspend(() => Effect.andThen(connection.draining, Effect.sleep(++handlers * 10)))
      })
      for (let n = 0; n < 40; n++) yield* Effect.forkChild(Effect.flatMap(dial, politely))
      yield* settled
      const watch = (pause: number) =>
        Effect.forkChild(Stream.runCollect(Stream.tap(server.drain.progress, () => Effect.sleep(pause))))
      const quick = yield* watch(0)
      const slow = yield* watch(500)
      const left = yield* Effect.forkChild(Stream.runCollect(Stream.take(server.drain.progress, 1)))
      yield* settled
      assert.strictEqual((yield* Fiber.join(left)).length, 1)
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(9000)
      adding(yield* Fiber.join(draining))
      const seen = yield* Fiber.join(quick)
      assert.deepStrictEqual(
        seen.filter(({ phase }) => phase === "Waiting").map(({ left }) => left),
        Array.from({ length: 41 }, (_, gone) => 40 - gone)
      )
      const seenLate = yield* Fiber.join(slow)
      assert.isBelow(seenLate.length, 20)
      assert.strictEqual(seenLate.at(-1)!.phase, "Done")
      assert.strictEqual(seenLate.at(-1)!.left, 0)
    })
  )

  it.effect("those who waited for room are served, in order, and counted", () =>
    Effect.gen(function* () {
      const served: Array<number> = []
      const { dial, server } = yield* serve({
        connectionsMax: 1,
        handler: (connection) =>
          Effect.gen(function* () {
            yield* Effect.sleep(100)
            served.push(yield* now)
            yield* connection.each((chunk) => connection.write(chunk))
          })
      })
      const clients = yield* Effect.forEach([0, 1, 2], () => dial)
      for (const [index, client] of clients.entries()) yield* client.write(`request ${index}`)
      const reading = yield* Effect.forEach(clients, (client) => Effect.forkChild(politely(client)))
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(1000)
      const report = adding(yield* Fiber.join(draining))
      assert.deepStrictEqual(served, [100, 200, 300])
      assert.strictEqual(report.connections, 3)
      assert.strictEqual(report.outcomes.Graceful, 3)
      for (const [index, fiber] of reading.entries()) {
        assert.strictEqual(yield* Fiber.join(fiber), `request ${index}`)
      }
    })
  )

  it.effect("those for whom there never was room are turned away at the deadline, and counted", () =>
    Effect.gen(function* () {
      const { dial, server, sim } = yield* serve({ connectionsMax: 1, handler: () => Effect.never })
      const clients = yield* Effect.forEach([0, 1, 2], () => dial)
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* Effect.forkChild(politely(clients[0]!))
      yield* passing(10_000)
      const report = adding(yield* Fiber.join(draining))
      assert.strictEqual(report.connections, 3)
      assert.deepStrictEqual(report.outcomes, { Graceful: 1, LingerExpired: 0, ResetByPeer: 0, Aborted: 2 })
      assert.strictEqual(report.handlersInterrupted, 1)
      assert.strictEqual((yield* clients[1]!.close)._tag, "ResetByPeer")
      assert.strictEqual((yield* clients[2]!.close)._tag, "ResetByPeer")
      assert.strictEqual(yield* sim.socketsOpen, 0)
    })
  )

  it.effect("it is one, whoever begins it, and everybody gets its report", () =>
    Effect.gen(function* () {
      let drained = 0
      const { dial, server, shutdown } = yield* serve({
        handler: () => Effect.sleep(1000),
        onDrained: () => Effect.sync(() => drained++)
      })
      yield* Effect.forkChild(Effect.flatMap(dial, politely))
      yield* settled
      const fibers = yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.forkChild(server.drain.begin))
      const waiting = yield* Effect.forkChild(server.drain.report)
      yield* settled
      yield* Fiber.interrupt(fibers.pop()!)
      yield* passing(1000)
      const report = adding(yield* Fiber.join(waiting))
      for (const fiber of fibers) assert.strictEqual(yield* Fiber.join(fiber), report)
      assert.strictEqual(yield* server.drain.begin, report)
      assert.strictEqual(drained, 1)
      assert.strictEqual(shutdown.reports.length, 1)
      assert.deepStrictEqual(
        (yield* Stream.runCollect(server.drain.progress)).map(({ phase }) => phase),
        ["Done"]
      )
    })
  )

  it.effect("the end of its scope is the same drain", () =>
    Effect.gen(function* () {
      const { dial, scope, server, shutdown } = yield* serve({ handler: () => Effect.sleep(1000) })
      const reading = yield* Effect.forkChild(Effect.flatMap(dial, politely))
      yield* settled
      const stopping = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* passing(999)
      assert.isUndefined(stopping.pollUnsafe())
      yield* passing(1)
      assert.isTrue(Exit.isSuccess(stopping.pollUnsafe()!))
      yield* Fiber.join(reading)
      assert.deepStrictEqual(shutdown.reports, [adding(yield* server.drain.report)])
    })
  )

  it.effect("the interruption of a launched layer is the same drain", () =>
    Effect.gen(function* () {
      const shutdown = Shutdown.make()
      const sim = yield* SimNetwork.make()
      const layer = Server.layer({ listen: address, handler: () => Effect.sleep(1000) })
      const running = yield* Effect.forkChild(
        Layer.launch(layer).pipe(
          Effect.provideService(Network.Network, sim.network),
          Effect.provideService(Shutdown.CurrentShutdown, shutdown)
        )
      )
      yield* settled
      const reading = yield* Effect.forkChild(Effect.scoped(Effect.flatMap(sim.network.connect(address), politely)))
      yield* settled
      const stopping = yield* Effect.forkChild(Fiber.interrupt(running))
      yield* passing(999)
      assert.isUndefined(stopping.pollUnsafe())
      yield* passing(1)
      yield* Fiber.join(stopping)
      yield* Fiber.join(reading)
      const report = adding(shutdown.reports[0]!)
      assert.isTrue(report.clean)
      assert.strictEqual(report.outcomes.Graceful, 1)
      assert.strictEqual(report.durationMillis, 1000)
      assert.strictEqual(yield* sim.socketsOpen, 0)
    })
  )

  it.effect("onDrained gets the report, and no more time than the margin", () =>
    Effect.gen(function* () {
      let told: unknown
      const { server } = yield* serve({
        handler: echo,
        onDrained: (report) =>
          Effect.andThen(
            Effect.sync(() => (told = report)),
            Effect.never
          )
      })
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(1999)
      assert.isUndefined(draining.pollUnsafe())
      yield* passing(1)
      assert.strictEqual(yield* Fiber.join(draining), told)
    })
  )

  it.effect("an onDrained that ends in time is waited for", () =>
    Effect.gen(function* () {
      let over = false
      const { server } = yield* serve({
        handler: echo,
        onDrained: () =>
          Effect.andThen(
            Effect.sleep(500),
            Effect.sync(() => (over = true))
          )
      })
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(500)
      assert.isTrue(over)
      assert.isTrue(Exit.isSuccess(draining.pollUnsafe()!))
    })
  )

  it.effect("several servers report to one shutdown, and are cut by it together", () =>
    Effect.gen(function* () {
      const shutdown = Shutdown.make()
      const sim = yield* SimNetwork.make()
      const make = (port: number, handler: (connection: Connection.Connection) => Effect.Effect<unknown>) =>
        Server.make({ listen: `tcp://127.0.0.1:${port}`, handler }).pipe(
          Effect.provideService(Network.Network, sim.network),
          Effect.provideService(Shutdown.CurrentShutdown, shutdown)
        )
      const first = yield* make(1, () => Effect.never)
      const second = yield* make(2, () => Effect.never)
      const third = yield* make(3, () => Effect.void)
      for (const server of [first, second]) yield* sim.network.connect(server.address, { close: { deadline: 0 } })
      yield* settled
      const draining = yield* Effect.forkChild(
        Effect.all([first.drain.begin, second.drain.begin, third.drain.begin], { concurrency: 3 })
      )
      yield* settled
      assert.strictEqual(shutdown.reports.length, 1)
      shutdown.cut()
      const reports = (yield* Fiber.join(draining)).map(adding)
      assert.deepStrictEqual(
        reports.map(({ clean }) => clean),
        [false, false, true]
      )
      assert.deepStrictEqual(
        reports.map(({ durationMillis }) => durationMillis),
        [0, 0, 0]
      )
      assert.strictEqual(shutdown.reports.length, 3)
    })
  )

  it.effect(
    "a server that names no budget takes the shutdown's, and one that names parts of its own the rest of it",
    () =>
      Effect.gen(function* () {
        const sim = yield* SimNetwork.make()
        const shutdown = Shutdown.make(yield* ShutdownBudget.make({ grace: 10_000, lameDuck: 1000, deadline: 2000 }))
        const make = (port: number, drain?: ShutdownBudget.Input) =>
          Server.make({ listen: `tcp://127.0.0.1:${port}`, handler: () => Effect.never, drain }).pipe(
            Effect.provideService(Network.Network, sim.network),
            Effect.provideService(Shutdown.CurrentShutdown, shutdown)
          )
        for (const [port, drain, millis] of [
          [1, undefined, 3000],
          [2, { grace: 8000, deadline: 4000 }, 5000]
        ] as const) {
          const server = yield* make(port, drain)
          const client = yield* sim.network.connect(server.address)
          yield* Effect.forkChild(politely(client))
          yield* settled
          const draining = yield* Effect.forkChild(server.drain.begin)
          yield* passing(millis - 1)
          assert.isUndefined(draining.pollUnsafe())
          yield* passing(1)
          assert.strictEqual(adding(yield* Fiber.join(draining)).durationMillis, millis)
        }
      })
  )

  it.effect("a budget that does not fit is an error when the server starts, and nothing listens", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const error = yield* Effect.flip(
        Effect.provideService(
          Server.make({ listen: address, handler: echo, drain: { deadline: "60 seconds" } }),
          Network.Network,
          sim.network
        )
      )
      assert.strictEqual(
        error.message,
        "shutdown budget: lameDuck 0s + deadline 60s + close 6s + margin 2s = 68s, 38s more than grace 30s, " +
          "Kubernetes' default; set grace if yours is longer"
      )
      yield* sim.network.listen(address)
    })
  )

  it.effect("an onDrained that throws is told, and ends nothing else", () =>
    Effect.gen(function* () {
      const { logged, server } = yield* serve({
        handler: echo,
        onDrained: () => {
          throw new Error("the reason")
        }
      })
      assert.isTrue(adding(yield* server.drain.begin).clean)
      yield* settled
      const told = logged.find(({ message }) => message === "drain tcp 127.0.0.1:7000: onDrained failed")
      assert.include(told?.cause, "Die")
    })
  )

  it.effect("loggers and tracers that throw keep no drain from its end, and no connection from its close", () =>
    Effect.gen(function* () {
      const failing = Logger.make<unknown, void>(() => {
        throw new Error("the logger's")
      })
      const sim = yield* SimNetwork.make()
      const broken = Tracer.make({
        span: () => {
          throw new Error("the tracer's")
        }
      })
      for (const [port, context] of [
        [7000, Context.make(Logger.CurrentLoggers, new Set([failing]))],
        [7001, Context.make(Tracer.Tracer, broken)]
      ] as const) {
        const listen = `tcp://127.0.0.1:${port}`
        const server = yield* Server.make({
          listen,
          handler: () => Effect.never,
          drain: { grace: 3000, deadline: 1000, close: 1000 },
          close: { farewell: () => Effect.fail("no words") }
        }).pipe(
          Effect.provideService(Network.Network, sim.network),
          Effect.provideService(References.MinimumLogLevel, "All"),
          Effect.provideContext(context)
        )
        const client = yield* sim.network.connect(listen)
        yield* Effect.forkChild(politely(client))
        yield* settled
        const following = yield* Effect.forkChild(Stream.runCollect(server.drain.progress))
        yield* settled
        const draining = yield* Effect.forkChild(server.drain.begin)
        yield* passing(3000)
        const report = yield* Fiber.join(draining)
        // Whoever follows hears of the end, and how long it took does not go on growing.
        yield* passing(1000)
        const last = [...(yield* Fiber.join(following))].at(-1)
        const [after] = yield* Stream.runCollect(server.drain.progress)
        for (const { elapsedMillis, phase } of [last!, after!]) {
          assert.deepStrictEqual({ elapsedMillis, phase }, { elapsedMillis: report.durationMillis, phase: "Done" })
        }
        assert.strictEqual(report.connections, 1)
        assert.isFalse(report.clean)
        assert.isDefined(report.forcedAt)
        assert.strictEqual(yield* server.drain.phase, "Done")
        assert.strictEqual(yield* server.connections, 0)
      }
    })
  )

  it.effect("servers of one scope drain side by side when the process begins to stop", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const shutdown = Shutdown.make()
      const scope = yield* Scope.make()
      const make = (port: number) =>
        Server.make({
          listen: `tcp://127.0.0.1:${port}`,
          handler: (connection) => connection.each(() => Effect.sleep(2000)),
          drain: budget
        }).pipe(
          Effect.provideService(Network.Network, sim.network),
          Effect.provideService(Shutdown.CurrentShutdown, shutdown),
          Scope.provide(scope)
        )
      for (const port of [7000, 7001, 7002]) {
        const server = yield* make(port)
        const client = yield* sim.network.connect(server.address)
        yield* client.write("work")
        yield* Effect.forkChild(politely(client))
      }
      yield* settled
      shutdown.begin()
      const ending = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* passing(1999)
      assert.isUndefined(ending.pollUnsafe())
      yield* passing(1)
      assert.isDefined(ending.pollUnsafe())
      assert.deepStrictEqual(
        shutdown.reports.map((report) => adding(report).durationMillis),
        [2000, 2000, 2000]
      )

      const late = yield* Effect.forkChild(make(7003).pipe(Effect.flatMap(({ drain }) => drain.report)))
      yield* settled
      assert.isDefined(late.pollUnsafe(), "a server that starts when the process stops drains at once")
    })
  )

  it.effect("its log lines tell when it begins, how long it may take, how it ended, and for whom it was forced", () =>
    Effect.gen(function* () {
      const clean = yield* serve({ handler: echo })
      yield* Effect.forkChild(Effect.flatMap(clean.dial, politely))
      yield* settled
      yield* clean.server.drain.begin
      const lines = (logged: typeof clean.logged) =>
        logged.filter(({ message }) => message.startsWith("drain")).map(({ level, message }) => `${level} ${message}`)
      assert.deepStrictEqual(lines(clean.logged), [
        "Info drain tcp 127.0.0.1:7000: 1 connection; handlers have 10s, closing 5s",
        "Info drain tcp 127.0.0.1:7000: clean after 0 ms, 1 connection, 1 Graceful"
      ])

      const forced = yield* serve({
        drain: { grace: 3000, deadline: 1000, close: 500 },
        close: patient,
        handler: (connection) =>
          Effect.flatMap(connection.pull, (chunk) =>
            text(chunk) === "fail"
              ? Effect.andThen(Effect.sleep(500), Effect.fail("the reason"))
              : text(chunk) === "stubborn"
                ? Effect.uninterruptible(Effect.never)
                : Effect.never
          )
      })
      for (const word of ["fail", "hang", "stubborn"]) {
        const client = yield* forced.dial
        yield* client.write(word)
        if (word !== "hang") yield* Effect.forkChild(politely(client))
      }
      yield* settled
      const draining = yield* Effect.forkChild(forced.server.drain.begin)
      yield* passing(1500)
      const report = adding(yield* Fiber.join(draining))
      assert.strictEqual(report.slowest.length, 3)
      assert.deepStrictEqual(lines(forced.logged), [
        "Info drain tcp 127.0.0.1:7000: 3 connections; handlers have 1s, closing 500ms",
        "Warn drain tcp 127.0.0.1:7000: forced at Interrupting after 1500 ms, 3 connections, 1 Graceful, 2 Aborted, " +
          "2 handlers interrupted, 1 handler failed, 1 handler abandoned, " +
          "tcp 127.0.0.1:49153 aborted at Lingering, tcp 127.0.0.1:49154 aborted at Open"
      ])
    })
  )

  it.effect("who follows the progress sees its end, although the report ends everything else", () =>
    Effect.gen(function* () {
      const { dial, scope, server } = yield* serve({ handler: echo })
      const client = yield* dial
      yield* Effect.forkChild(politely(client))
      const phases: Array<string> = []
      yield* Effect.forkDetach(
        Stream.runForEach(server.drain.progress, ({ left, phase }) =>
          Effect.sync(() => phases.push(`${phase} ${left}`))
        )
      )
      yield* settled
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(phases[0], "Serving 1")
      assert.strictEqual(phases.at(-1), "Done 0")
    })
  )

  it.effect("while a deadline of 0 is given, handlers are interrupted at once", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({ handler: () => Effect.never, drain: { deadline: 0 } })
      yield* Effect.forkChild(Effect.flatMap(dial, politely))
      yield* settled
      const report = adding(yield* server.drain.begin)
      assert.strictEqual(report.forcedAt, "Interrupting")
      assert.strictEqual(report.durationMillis, 0)
      assert.strictEqual(report.outcomes.Graceful, 1)
    })
  )

  it.effect("a handler that ends only after its connection was reset is not abandoned when it comes in time", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({
        handler: (connection) => Effect.uninterruptible(connection.outcome)
      })
      yield* dial
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(15_000)
      const report = adding(yield* Fiber.join(draining))
      assert.strictEqual(report.handlersInterrupted, 1)
      assert.strictEqual(report.handlersAbandoned, 0)
    })
  )
})

describe("a drain that is cut", () => {
  /** How far virtual time has to go for a phase, and what was forced first when it is cut there. */
  const phases = [
    ["LameDuck", 0, "Resetting"],
    ["Waiting", 3000, "Resetting"],
    ["Interrupting", 13_000, "Interrupting"]
  ] as const
  for (const by of ["its own cut", "the shutdown's"]) {
    for (const [phase, millis, forcedAt] of phases) {
      it.effect(`in ${phase}, by ${by}: every connection is reset at once`, () =>
        Effect.gen(function* () {
          const outcomes: Array<CloseOutcome> = []
          const { dial, server, shutdown, sim } = yield* serve({
            drain: { grace: 30_000, lameDuck: 3000, deadline: 10_000, close: 5000, margin: 2000 },
            connectionsMax: 3,
            close: patient,
            handler: (connection) =>
              Effect.onInterrupt(Effect.never, () =>
                Effect.sync(() => {
                  Effect.runFork(Effect.map(connection.outcome, (outcome) => outcomes.push(outcome)))
                })
              )
          })
          // The last one waits for room.
          for (let n = 0; n < 4; n++) yield* dial
          yield* settled
          const draining = yield* Effect.forkChild(server.drain.begin)
          yield* passing(millis)
          assert.strictEqual(yield* server.drain.phase, phase)
          assert.isUndefined(draining.pollUnsafe())
          if (by === "its own cut") yield* server.drain.cut
          else shutdown.cut()
          yield* settled
          const report = adding(yield* draining.pollUnsafe()!)
          assert.strictEqual(report.forcedAt, forcedAt)
          assert.deepStrictEqual(report.outcomes, { Graceful: 0, LingerExpired: 0, ResetByPeer: 0, Aborted: 4 })
          assert.strictEqual(report.handlersInterrupted, 3)
          assert.strictEqual(report.handlersAbandoned, 0)
          assert.strictEqual(report.durationMillis, millis)
          assert.deepStrictEqual(
            outcomes.map((outcome) => outcome._tag === "Aborted" && outcome.cause),
            ["shutdown", "shutdown", "shutdown"]
          )
          yield* settled
          assert.strictEqual(yield* sim.socketsOpen, 0)
        })
      )
    }
  }

  it.effect("before it has begun: does nothing", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({ handler: () => Effect.sleep(1000) })
      yield* server.drain.cut
      const reading = yield* Effect.forkChild(Effect.flatMap(dial, politely))
      yield* settled
      assert.strictEqual(yield* server.drain.phase, "Serving")
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(1000)
      const report = adding(yield* Fiber.join(draining))
      assert.isTrue(report.clean)
      assert.strictEqual(report.durationMillis, 1000)
      yield* Fiber.join(reading)
    })
  )

  it.effect("in the middle of an answer: half of it is never called whole", () =>
    Effect.gen(function* () {
      const { dial, server } = yield* serve({
        handler: (connection) => Effect.andThen(connection.write("half an ans"), Effect.never)
      })
      const client = yield* dial
      const reading = yield* Effect.forkChild(Effect.exit(Connection.readText(client)))
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* settled
      yield* server.drain.cut
      adding(yield* Fiber.join(draining))
      assert.match(ending(yield* Fiber.join(reading)), /reset by the peer$/)
    })
  )

  it.effect("a shutdown that was cut before it: it takes no time at all", () =>
    Effect.gen(function* () {
      const { dial, server, shutdown } = yield* serve({ handler: () => Effect.never, close: patient })
      yield* dial
      yield* settled
      shutdown.cut()
      const report = adding(yield* server.drain.begin)
      assert.strictEqual(report.durationMillis, 0)
      assert.strictEqual(report.outcomes.Aborted, 1)
    })
  )

  it.effect("with handlers that ignore it: they are abandoned, their connections are not", () =>
    Effect.gen(function* () {
      const { dial, server, sim } = yield* serve({ handler: () => Effect.uninterruptible(Effect.never) })
      yield* dial
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* settled
      yield* server.drain.cut
      const report = adding(yield* Fiber.join(draining))
      assert.strictEqual(report.handlersInterrupted, 1)
      assert.strictEqual(report.handlersAbandoned, 1)
      assert.strictEqual(report.outcomes.Aborted, 1)
      yield* settled
      assert.strictEqual(yield* sim.socketsOpen, 0)
    })
  )
})

describe("the backlog", () => {
  /** A network whose listening socket the test plays. */
  const listening = Effect.gen(function* () {
    const sim = yield* SimNetwork.make()
    const accepted: Array<Transport.Transport> = []
    let receiver: Transport.AcceptReceiver | undefined
    let gone: (() => void) | undefined
    let aborts = 0
    const acceptor: Transport.Acceptor = {
      address: where,
      attach: (given) => void (receiver = given),
      stop: (callback) => void (gone = callback),
      abort: () => {
        aborts++
        gone?.()
      }
    }
    // Real pipes: dialled on the simulated network, taken before any connection is made of them.
    const listener = yield* sim.network.listen("tcp://127.0.0.1:7001")
    const raw = Reflect.get(listener, "acceptor") as Transport.Acceptor
    raw.attach({ onAccept: (pipe) => accepted.push(pipe), onAcceptError: () => {}, onOverflow: () => {} })
    return {
      network: Network.make({ connect: () => Effect.die("not here"), listen: () => Effect.succeed(acceptor) }),
      dial: sim.network.connect("tcp://127.0.0.1:7001"),
      /** Accepts everybody who has dialled. */
      accept: Effect.sync(() => {
        for (const pipe of accepted.splice(0)) receiver!.onAccept(pipe)
      }),
      overflow: Effect.sync(() => receiver!.onOverflow()),
      isStopping: () => gone !== undefined,
      /** How often it was told to stop at once. */
      aborts: () => aborts,
      stopped: Effect.sync(() => gone!())
    }
  })

  it.effect("what the system had accepted before the listener stopped is served, told to end, and counted", () =>
    Effect.gen(function* () {
      const kernel = yield* listening
      const { server } = yield* serve({ network: kernel.network, handler: echo })
      yield* settled
      const clients = yield* Effect.forEach([0, 1], () => kernel.dial)
      for (const [index, client] of clients.entries()) yield* client.write(`request ${index}`)
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(1000)
      assert.isTrue(kernel.isStopping())
      assert.strictEqual(yield* server.drain.phase, "Backlog")
      yield* kernel.accept
      const reading = yield* Effect.forEach(clients, (client) => Effect.forkChild(politely(client)))
      yield* settled
      yield* kernel.stopped
      const report = adding(yield* Fiber.join(draining))
      assert.strictEqual(report.backlog, 2)
      assert.strictEqual(report.connections, 2)
      assert.strictEqual(report.outcomes.Graceful, 2)
      for (const [index, fiber] of reading.entries()) {
        assert.strictEqual(yield* Fiber.join(fiber), `request ${index}`)
      }
    })
  )

  it.effect("a listener that never stops holds the drain no longer than its deadline", () =>
    Effect.gen(function* () {
      const kernel = yield* listening
      const { server } = yield* serve({ network: kernel.network, handler: echo })
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(9999)
      assert.strictEqual(yield* server.drain.phase, "Backlog")
      assert.strictEqual(kernel.aborts(), 0)
      yield* passing(1)
      assert.strictEqual(adding(yield* Fiber.join(draining)).durationMillis, 10_000)
      assert.strictEqual(kernel.aborts(), 1)
    })
  )

  it.effect("a cut ends the handing over, too", () =>
    Effect.gen(function* () {
      const kernel = yield* listening
      const { server } = yield* serve({ network: kernel.network, handler: () => Effect.never, close: patient })
      yield* settled
      yield* kernel.dial
      yield* settled
      yield* kernel.accept
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(1000)
      assert.strictEqual(yield* server.drain.phase, "Backlog")
      yield* server.drain.cut
      const report = adding(yield* Fiber.join(draining))
      assert.strictEqual(report.durationMillis, 1000)
      assert.strictEqual(report.outcomes.Aborted, 1)
      assert.strictEqual(report.forcedAt, "Resetting")
    })
  )

  it.effect("who is accepted after the time for serving is over is reset", () =>
    Effect.gen(function* () {
      const kernel = yield* listening
      const { server } = yield* serve({ network: kernel.network, handler: echo, close: patient })
      yield* settled
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(1000)
      yield* server.drain.cut
      adding(yield* Fiber.join(draining))
      const late = yield* kernel.dial
      yield* settled
      yield* kernel.accept
      assert.strictEqual(ending(yield* Effect.exit(late.pull)), "read tcp 127.0.0.1:7001: reset by the peer")
      yield* settled
      assert.strictEqual(yield* server.connections, 0)
    })
  )

  it.effect("in the very first step of a handler, that handler is interrupted like the others", () =>
    Effect.gen(function* () {
      let interrupted = false
      const world = yield* serve({
        handler: () =>
          Effect.sync(() => {
            Effect.runFork(world.server.drain.begin)
            Effect.runSync(world.server.drain.cut)
          }).pipe(
            Effect.andThen(Effect.never),
            Effect.onInterrupt(() => Effect.sync(() => void (interrupted = true)))
          )
      })
      yield* world.dial
      const report = adding(yield* world.server.drain.report)
      yield* settled
      assert.isTrue(interrupted)
      assert.strictEqual(report.handlersInterrupted, 1)
      assert.strictEqual(report.handlersAbandoned, 0)
      assert.deepStrictEqual(
        world.logged.filter(({ level }) => level === "Error"),
        []
      )
    })
  )

  it.effect("handing over the backlog and waiting share one deadline", () =>
    Effect.gen(function* () {
      const kernel = yield* listening
      const { server } = yield* serve({ network: kernel.network, handler: () => Effect.never, close: patient })
      yield* settled
      yield* kernel.dial
      yield* settled
      yield* kernel.accept
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* passing(6000)
      yield* kernel.stopped
      yield* passing(3999)
      assert.strictEqual(yield* server.drain.phase, "Waiting")
      yield* passing(1)
      assert.strictEqual(yield* server.drain.phase, "Interrupting")
      yield* passing(5000)
      adding(yield* Fiber.join(draining))
    })
  )

  it.effect("what the provider turned away is counted as refused", () =>
    Effect.gen(function* () {
      const kernel = yield* listening
      const { metrics } = yield* serve({ network: kernel.network, handler: echo })
      yield* kernel.overflow
      assert.strictEqual((yield* metrics).refused, 1)
    })
  )

  it.effect("a listener whose scope ends has stopped", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      yield* Effect.scoped(sim.network.listen(address))
      assert.strictEqual((yield* Effect.flip(sim.network.connect(address))).reason._tag, "Refused")
    })
  )
})
