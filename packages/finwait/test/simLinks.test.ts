import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as fc from "fast-check"
import * as Address from "finwait/Address"
import type * as Connection from "finwait/Connection"
import type { ConnectionImpl } from "../src/internal/connection.ts"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import * as Fault from "finwait/testing/Fault"
import * as Netstat from "finwait/testing/Netstat"
import * as SimNetwork from "finwait/testing/SimNetwork"
import { address, bytes, ending, now, politely, settled } from "./support/network.ts"
import { befalls, inItsTime, reading, scene, summary } from "./support/scene.ts"

const unix = "unix:///run/app.sock"

/** A listener, and whom it has accepted. */
const listening = Effect.fnUntraced(function* (
  sim: SimNetwork.Sim,
  options: { readonly listen?: string; readonly backlog?: number; readonly attached?: boolean } = {}
) {
  const listener = yield* sim.network.listen(options.listen ?? address, { backlog: options.backlog })
  const accepted: Array<Connection.Connection> = []
  const attach = Effect.sync(() =>
    listener.attach({ onConnection: (c) => accepted.push(c), onRefused: () => {}, onError: () => {} })
  )
  if (options.attached !== false) yield* attach
  yield* Effect.addFinalizer(() => Effect.forEach(accepted, (connection) => connection.abort))
  return { listener, accepted, attach }
})

/** Dials; what becomes of it, and when. Who is connected is aborted at the end. */
const dialling = (sim: SimNetwork.Sim, where = address) =>
  sim.network.connect(where, { close: { deadline: 0 } }).pipe(
    Effect.exit,
    Effect.flatMap((exit) => Effect.map(now, (millis) => [millis, Exit.isSuccess(exit) ? "connected" : ending(exit)])),
    (dial) => Effect.forkChild(dial, { startImmediately: true })
  )

describe("latency", () => {
  it.effect("a refusal takes a round trip", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make({ latency: 250 })
      const begunAndEnded = Effect.gen(function* () {
        const begun = yield* now
        const error = yield* Effect.flip(sim.network.connect(address))
        return [error.reason._tag, (yield* now) - begun]
      })
      assert.deepStrictEqual(yield* inItsTime(Effect.scoped(begunAndEnded)), ["Refused", 500])
    })
  )

  it.effect("an interrupted dial leaves nothing behind", () =>
    Effect.gen(function* () {
      for (const patience of [1, 499, 500]) {
        const sim = yield* SimNetwork.make({ latency: 250 })
        const giving = Effect.gen(function* () {
          yield* listening(sim)
          const dial = yield* Effect.forkChild(Effect.scoped(sim.network.connect(address, { close: { deadline: 0 } })))
          yield* Effect.sleep(patience)
          yield* Fiber.interrupt(dial)
        })
        yield* inItsTime(Effect.scoped(giving))
        assert.strictEqual(yield* sim.socketsOpen, 0)
      }
    })
  )
})

describe("bandwidth", () => {
  const megabyte = 1_000_000

  for (const [bandwidth, latency] of [
    [100_000, 0],
    [100_000, 40],
    [3_000_000, 0]
  ] as const) {
    it.effect(`a megabyte at ${bandwidth} bytes a second with latency ${latency} takes as long as that takes`, () =>
      scene({ bandwidth, latency, pieceBytes: 1460 }, ({ client, server, since }) =>
        Effect.gen(function* () {
          const heard = yield* Effect.forkChild(reading(client, since))
          yield* server.write(bytes(megabyte))
          yield* server.closeWrite
          const { chunks, end, text } = yield* Fiber.join(heard)
          assert.strictEqual(text.length, megabyte)
          assert.closeTo(end[0], (megabyte / bandwidth) * 1000 + latency, 0.01)
          let read = 0
          for (const [millis, chunk] of chunks) {
            read += chunk.length
            assert.closeTo(millis, (read / bandwidth) * 1000 + latency, 0.01)
          }
        })
      )
    )
  }

  it.effect("the two directions have it each for itself", () =>
    scene({ bandwidth: 100_000 }, ({ client, server, since }) =>
      Effect.gen(function* () {
        const both = yield* Effect.forkChild(
          Effect.all([reading(client, since), reading(server, since)], { concurrency: 2 })
        )
        yield* Effect.forEach([client, server], (end) => Effect.andThen(end.write(bytes(megabyte)), end.closeWrite), {
          concurrency: 2
        })
        const [clients, servers] = yield* Fiber.join(both)
        assert.closeTo(clients.end[0], 10_000, 0.01)
        assert.closeTo(servers.end[0], 10_000, 0.01)
      })
    )
  )

  it.effect("a link that was idle is not faster afterwards", () =>
    scene({ bandwidth: 1000 }, ({ at, client, server, since }) =>
      Effect.gen(function* () {
        const heard = yield* Effect.forkChild(reading(client, since))
        for (const millis of [0, 5000]) {
          yield* at(millis)
          yield* server.write(bytes(1000))
        }
        yield* server.closeWrite
        assert.deepStrictEqual(
          (yield* Fiber.join(heard)).chunks.map(([millis]) => millis),
          [1000, 6000]
        )
      })
    )
  )
})

describe("a link between two hosts", () => {
  const options: SimNetwork.Options = {
    latency: 10,
    bandwidth: 1000,
    link: (from) => {
      if (from._tag === "Unix") return undefined
      return from.host === "10.0.0.7" ? { latency: 200 } : from.host === "10.0.0.8" ? { bandwidth: 100 } : undefined
    }
  }

  it.effect("has what is its own, and the rest from all links", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make(options)
      const times = Effect.gen(function* () {
        const { accepted } = yield* listening(sim)
        const networks = [sim.network, sim.from("10.0.0.7"), sim.from("10.0.0.8")]
        return yield* Effect.forEach(networks, (network, index) =>
          Effect.gen(function* () {
            const dialledAt = yield* now
            const client = yield* network.connect(address, { close: { deadline: 0 } })
            const connectedAt = yield* now
            yield* Effect.yieldNow
            const server = accepted[index]!
            const { host } = server.remoteAddress as Address.Tcp
            yield* client.write(bytes(1000))
            yield* client.closeWrite
            const { end } = yield* reading(
              server,
              Effect.map(now, (millis) => millis - connectedAt)
            )
            return [host, connectedAt - dialledAt, end[0]]
          })
        )
      })
      assert.deepStrictEqual(yield* inItsTime(Effect.scoped(times), sim), [
        ["127.0.0.1", 20, 1010],
        ["10.0.0.7", 400, 1200],
        ["10.0.0.8", 20, 10_010]
      ])
    })
  )

  it.effect("is asked for with both addresses", () =>
    Effect.gen(function* () {
      const asked: Array<ReadonlyArray<string>> = []
      const sim = yield* SimNetwork.make({
        link: (from, to) => {
          asked.push([Address.describe(from), Address.describe(to)])
          return undefined
        }
      })
      yield* listening(sim)
      yield* listening(sim, { listen: unix })
      yield* sim.from("client.example").connect(address, { close: { deadline: 0 } })
      yield* sim.network.connect(unix, { close: { deadline: 0 } })
      assert.deepStrictEqual(asked, [
        ["tcp client.example:49152", "tcp 127.0.0.1:7000"],
        ["unix (unnamed)", "unix /run/app.sock"]
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("a server's limit per peer counts each host for itself", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      yield* Server.make({
        listen: address,
        connectionsPerPeerMax: 1,
        handler: (connection) => connection.each((chunk) => connection.write(chunk))
      }).pipe(Effect.provideService(Network.Network, sim.network))
      const hosts = ["10.0.0.1", "10.0.0.1", "10.0.0.2"]
      const clients = yield* Effect.forEach(hosts, (host) => sim.from(host).connect(address))
      const ends = yield* Effect.forEach(clients, (client) =>
        Effect.gen(function* () {
          yield* settled
          yield* Effect.exit(Effect.andThen(client.write("hello"), client.closeWrite))
          return (yield* reading(client, Effect.succeed(0))).end[1]
        })
      )
      assert.deepStrictEqual(ends, ["done", "read tcp 127.0.0.1:7000: reset by the peer", "done"])
    }).pipe(Effect.scoped)
  )
})

describe("pieceBytes", () => {
  it.effect("is the largest piece that arrives at once, however much was written", () =>
    Effect.forEach([1, 7, 1460, 64 * 1024], (pieceBytes) =>
      scene({ pieceBytes }, ({ client, server, since }) =>
        Effect.gen(function* () {
          const length = Math.min(100_000, 1000 * pieceBytes)
          const heard = yield* Effect.forkChild(reading(client, since))
          yield* server.write(bytes(length))
          yield* server.closeWrite
          const { chunks, text } = yield* Fiber.join(heard)
          assert.strictEqual(text.length, length)
          assert.strictEqual(Math.max(...chunks.map(([, chunk]) => chunk.length)), Math.min(pieceBytes, length))
        })
      )
    )
  )

  const writings = fc.record({
    writes: fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 }),
    pieceBytes: fc.integer({ min: 1, max: 3000 }),
    sendBufferBytes: fc.integer({ min: 1, max: 3000 }),
    receiveBufferBytes: fc.integer({ min: 1, max: 3000 }),
    latency: fc.constantFrom(0, 3),
    bandwidth: fc.constantFrom(undefined, 777, 1_000_000)
  })

  it.effect("whatever the sizes are, all bytes arrive, in order", () =>
    Effect.forEach(fc.sample(writings, { numRuns: 25, seed: 5 }), (run) =>
      scene(run, ({ client, server, since }) =>
        Effect.gen(function* () {
          const heard = yield* Effect.forkChild(reading(server, since))
          for (const [index, length] of run.writes.entries()) yield* client.write(bytes(length, 0x61 + index))
          yield* client.closeWrite
          const expected = run.writes.map((length, index) => String.fromCharCode(0x61 + index).repeat(length)).join("")
          const { chunks, text } = yield* Fiber.join(heard)
          assert.strictEqual(text, expected, JSON.stringify(run))
          assert.isAtMost(Math.max(...chunks.map(([, chunk]) => chunk.length)), run.pieceBytes)
        })
      )
    )
  )
})

describe("a backlog", () => {
  it.effect("has a size: who comes too late tries again, and gets in when there is room", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const ends = Effect.gen(function* () {
        const begun = yield* now
        const { attach } = yield* listening(sim, { backlog: 2, attached: false })
        const dials = yield* Effect.forEach([1, 2, 3, 4], () => dialling(sim))
        yield* Effect.sleep(6999)
        assert.include(Netstat.format(yield* sim.netstat), "tcp 127.0.0.1:7000 listening, backlog 2 of 2\n")
        yield* attach
        const ended = yield* Effect.forEach(dials, Fiber.join)
        const tried = (yield* sim.history).filter(({ kind }) => kind === "overflow").map(({ millis }) => millis - begun)
        return { ended: ended.map(([millis, how]) => [Number(millis) - begun, how]), tried }
      })
      const { ended, tried } = yield* inItsTime(Effect.scoped(ends), sim)
      assert.deepStrictEqual(ended, [
        [0, "connected"],
        [0, "connected"],
        [7000, "connected"],
        [7000, "connected"]
      ])
      assert.deepStrictEqual(tried, [0, 0, 1000, 1000, 3000, 3000])
    })
  )

  for (const latency of [0, 100, 700]) {
    it.effect(
      `with latency ${latency}: who finds no room for 127 seconds gives up, like a SYN that nobody answers`,
      () =>
        Effect.gen(function* () {
          const sim = yield* SimNetwork.make({ latency })
          const ended = Effect.gen(function* () {
            const begun = yield* now
            yield* listening(sim, { backlog: 1, attached: false })
            const dials = [yield* dialling(sim), yield* dialling(sim)]
            const [first, second] = yield* Effect.forEach(dials, Fiber.join)
            assert.strictEqual(first![1], "connected")
            const tried = (yield* sim.history)
              .filter(({ kind }) => kind === "overflow")
              .map(({ millis }) => millis - begun)
            return { millis: Number(second![0]) - begun, how: second![1], tried }
          })
          const { how, millis, tried } = yield* inItsTime(Effect.scoped(ended), sim)
          assert.strictEqual(how, "connect tcp 127.0.0.1:7000: ETIMEDOUT: no answer")
          assert.strictEqual(millis, 127_000)
          // Each of them has been on its way; the first repeat does not overtake.
          const sent = tried.map((millis) => millis - 2 * latency)
          assert.deepStrictEqual(sent, [0, Math.max(1000, 2 * latency), 3000, 7000, 15_000, 31_000, 63_000])
        })
    )
  }

  it.effect("who dials a Unix socket whose backlog is full is told at once", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      yield* listening(sim, { listen: unix, backlog: 1, attached: false })
      yield* sim.network.connect(unix, { close: { deadline: 0 } })
      const error = yield* Effect.flip(sim.network.connect(unix))
      assert.strictEqual(error.message, "connect unix /run/app.sock: EAGAIN: the backlog is full")
    }).pipe(Effect.scoped)
  )

  it.effect("who gives up while it tries again leaves nothing behind", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const giving = Effect.gen(function* () {
        const { accepted, attach } = yield* listening(sim, { backlog: 1, attached: false })
        yield* dialling(sim)
        const late = yield* dialling(sim)
        yield* Effect.sleep(500)
        yield* Fiber.interrupt(late)
        yield* attach
        yield* Effect.sleep(10_000)
        assert.strictEqual(accepted.length, 1)
        assert.strictEqual(yield* sim.socketsOpen, 2)
      })
      yield* inItsTime(Effect.scoped(giving), sim)
    })
  )

  it.effect("is handed over one connection a turn", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const listener = yield* sim.network.listen(address)
      const clients = yield* Effect.forEach([1, 2, 3, 4, 5], () => sim.network.connect(address))
      let turn = 0
      const turns: Array<number> = []
      const accepted: Array<Connection.Connection> = []
      listener.attach({
        onConnection: (connection) => {
          turns.push(turn)
          accepted.push(connection)
        },
        onRefused: () => {},
        onError: () => {}
      })
      while (accepted.length < 5) {
        turn++
        yield* Effect.yieldNow
      }
      assert.deepStrictEqual(turns, [...new Set(turns)])
      for (const end of [...clients, ...accepted]) yield* end.abort
    }).pipe(Effect.scoped)
  )

  it.effect("who resets while it waits is handed over all the same, and whoever takes it learns of it", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const { accepted, attach } = yield* listening(sim, { attached: false })
      const client = yield* sim.network.connect(address)
      yield* client.abort
      yield* settled
      yield* attach
      yield* settled
      assert.strictEqual(ending(yield* Effect.exit(accepted[0]!.pull)), "read tcp 127.0.0.1:49152: reset by the peer")
      assert.strictEqual((yield* accepted[0]!.close)._tag, "ResetByPeer")
    }).pipe(Effect.scoped)
  )

  it.effect("who writes and says goodbye while it waits is read to the end", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const { accepted, attach } = yield* listening(sim, { attached: false })
      const client = yield* sim.network.connect(address)
      yield* client.write("patience")
      const closing = yield* Effect.forkChild(client.close)
      yield* settled
      yield* attach
      yield* settled
      assert.strictEqual(yield* politely(accepted[0]!), "patience")
      assert.strictEqual((yield* Fiber.join(closing))._tag, "Graceful")
    }).pipe(Effect.scoped)
  )

  it.effect("a stop hands it over first; who dials from then on is refused", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const { accepted, attach, listener } = yield* listening(sim, { attached: false })
      yield* Effect.forEach([1, 2, 3], () => sim.network.connect(address, { close: { deadline: 0 } }))
      yield* attach
      const stopping = yield* Effect.forkChild(listener.stop, { startImmediately: true })
      assert.strictEqual((yield* Effect.flip(sim.network.connect(address))).reason._tag, "Refused")
      assert.isUndefined(stopping.pollUnsafe())
      assert.isBelow(accepted.length, 3)
      yield* Fiber.join(stopping)
      assert.strictEqual(accepted.length, 3)
      yield* listener.stop
    }).pipe(Effect.scoped)
  )

  it.effect("an abort resets it, also when it comes in the middle of a stop, which it ends", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const { accepted, attach, listener } = yield* listening(sim, { attached: false })
      const clients = yield* Effect.forEach([1, 2, 3], () => sim.network.connect(address))
      yield* attach
      const stopping = yield* Effect.forkChild(listener.stop, { startImmediately: true })
      while (accepted.length === 0) yield* Effect.yieldNow
      listener.abort()
      yield* Fiber.join(stopping)
      yield* settled
      assert.strictEqual(accepted.length, 1)
      const ends = yield* Effect.forEach(clients.slice(1), (client) => Effect.exit(client.pull))
      assert.deepStrictEqual(
        ends.map(ending),
        Array.from({ length: 2 }, () => "read tcp 127.0.0.1:7000: reset by the peer")
      )
      yield* clients[0]!.write("hello")
      assert.strictEqual((yield* accepted[0]!.pull).length, 5)
      yield* clients[0]!.abort
      assert.strictEqual((yield* Effect.flip(sim.network.connect(address))).reason._tag, "Refused")
    }).pipe(Effect.scoped)
  )
})

describe("a Unix socket", () => {
  const toClient = "read unix /run/app.sock"
  const toServer = "read unix (unnamed)"

  it.effect("has no RST: after an abort the peer reads what was sent, and then an end", () =>
    scene({ listen: unix }, ({ client, server, since }) =>
      Effect.gen(function* () {
        yield* server.write("last words")
        yield* server.abort
        const { end, text } = yield* reading(client, since)
        assert.deepStrictEqual([text, end[1]], ["last words", "done"])
        assert.strictEqual((yield* client.close)._tag, "Graceful")
      })
    )
  )

  it.effect("that ends with input unread is an ECONNRESET, behind what it had sent", () =>
    scene({ listen: unix }, ({ client, server, since }) =>
      Effect.gen(function* () {
        yield* client.write("never read")
        yield* server.write("an answer")
        yield* Effect.sleep(1)
        yield* server.abort
        const { end, text } = yield* reading(client, since)
        assert.deepStrictEqual([text, end[1]], ["an answer", `${toClient}: reset by the peer`])
        assert.strictEqual((yield* client.close)._tag, "ResetByPeer")
      })
    )
  )

  it.effect("what was written in the turn in which the other ends is input that nobody read", () =>
    scene({ listen: unix }, ({ client, server, since }) =>
      Effect.gen(function* () {
        yield* client.write("never read")
        ;(server as ConnectionImpl).transport.release()
        const { end } = yield* reading(client, since)
        assert.strictEqual(end[1], `${toClient}: reset by the peer`)
      })
    )
  )

  it.effect("that has gone cannot be written to: EPIPE, at once", () =>
    scene({ listen: unix, latency: 50 }, ({ client, server, since }) =>
      Effect.gen(function* () {
        yield* client.abort
        const begun = yield* since
        yield* server.write("anybody?")
        const { end } = yield* reading(server, since)
        assert.deepStrictEqual(end, [begun, `${toServer}: broken (EPIPE)`])
        assert.strictEqual(summary(yield* server.close), "ResetByPeer EPIPE at Open after 0 ms")
      })
    )
  )

  it.effect("who waits for room is told when the other has gone", () =>
    scene({ listen: unix }, ({ at, client, server, since }) =>
      Effect.gen(function* () {
        const writing = yield* Effect.forkChild(
          Effect.exit(server.write(bytes(1_000_000))).pipe(
            Effect.flatMap((exit) => Effect.map(since, (t) => [t, exit] as const))
          )
        )
        yield* at(100)
        yield* client.abort
        const [millis, exit] = yield* Fiber.join(writing)
        assert.deepStrictEqual([millis, ending(exit)], [100, "write unix (unnamed): broken (EPIPE)"])
      })
    )
  )

  it.effect("half-closes like TCP", () =>
    scene({ listen: unix }, ({ client, server, since }) =>
      Effect.gen(function* () {
        yield* client.write("question")
        yield* client.closeWrite
        assert.strictEqual((yield* reading(server, since)).text, "question")
        yield* server.write("answer")
        const closing = yield* Effect.forkChild(server.close, { startImmediately: true })
        assert.strictEqual(yield* politely(client), "answer")
        assert.strictEqual((yield* Fiber.join(closing))._tag, "Graceful")
      })
    )
  )

  it.effect("cannot be reset, but something in between can break it", () =>
    scene({ listen: unix, ...befalls(Fault.Reset(), { afterMillis: 10 }) }, ({ client, server, since }) =>
      Effect.gen(function* () {
        assert.isFalse((client as ConnectionImpl).transport.capabilities.reset)
        assert.deepStrictEqual((yield* reading(server, since)).end, [10, `${toServer}: reset by the peer`])
      })
    )
  )
})

describe("an option out of its range", () => {
  const wrong: ReadonlyArray<readonly [name: string, options: Record<string, unknown>]> = [
    ["sendBufferBytes", { sendBufferBytes: 0 }],
    ["sendBufferBytes", { sendBufferBytes: 1.5 }],
    ["sendBufferBytes", { sendBufferBytes: Number.NaN }],
    ["sendBufferBytes", { sendBufferBytes: Infinity }],
    ["receiveBufferBytes", { receiveBufferBytes: 0 }],
    ["receiveBufferBytes", { receiveBufferBytes: -1 }],
    ["pieceBytes", { pieceBytes: 0 }],
    ["pieceBytes", { pieceBytes: 0.1 }],
    ["bandwidth", { bandwidth: 0 }],
    ["bandwidth", { bandwidth: -5 }],
    ["bandwidth", { bandwidth: Number.NaN }],
    ["latency", { latency: -1 }],
    ["latency", { latency: Number.NaN }],
    ["latency", { latency: "soon" }],
    ["historyMax", { historyMax: -1 }],
    ["historyMax", { historyMax: 2.5 }]
  ]

  const defectOf = (exit: Exit.Exit<unknown, unknown>) => {
    assert.isTrue(Exit.isFailure(exit))
    const defect = Cause.squash((exit as Exit.Failure<unknown, unknown>).cause)
    assert.instanceOf(defect, RangeError)
    return defect.message
  }

  for (const [name, options] of wrong) {
    it.effect(`is a RangeError that names it: ${name} ${String(options[name])}`, () =>
      Effect.gen(function* () {
        const message = defectOf(yield* Effect.exit(SimNetwork.make(options as SimNetwork.Options)))
        assert.match(message, new RegExp(`^SimNetwork\\.Options\\.${name} `))
      })
    )
  }

  it.effect("of a link is one when somebody dials through it", () =>
    Effect.gen(function* () {
      for (const [name, link] of [
        ["bandwidth", { bandwidth: 0 }],
        ["latency", { latency: -1 }]
      ] as const) {
        const sim = yield* SimNetwork.make({ link: () => link })
        yield* sim.network.listen(address)
        const message = defectOf(yield* Effect.exit(Effect.scoped(sim.network.connect(address))))
        assert.match(message, new RegExp(`^SimNetwork\\.Options\\.${name} `))
      }
    }).pipe(Effect.scoped)
  )

  it.effect("none: what is allowed is allowed", () =>
    Effect.forEach(
      [
        { bandwidth: Infinity },
        { latency: 0 },
        { latency: "3 seconds" as const },
        { historyMax: 0 },
        { historyMax: Infinity },
        { sendBufferBytes: 1, receiveBufferBytes: 1, pieceBytes: 1 }
      ],
      (options) => SimNetwork.make(options)
    )
  )
})
