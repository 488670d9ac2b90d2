import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as fc from "fast-check"
import * as Connection from "finwait/Connection"
import * as Server from "finwait/Server"
import * as Network from "finwait/Network"
import * as Fault from "finwait/testing/Fault"
import * as History from "finwait/testing/History"
import * as SimNetwork from "finwait/testing/SimNetwork"
import { address, bytes, ending, now, politely } from "./support/network.ts"
import { befalls, inItsTime, reading, rounded, scene, summary } from "./support/scene.ts"

const resetToClient = "read tcp 127.0.0.1:7000: reset by the peer"
const resetToServer = "read tcp 127.0.0.1:49152: reset by the peer"
const goneToClient = "read tcp 127.0.0.1:7000: broken (ETIMEDOUT)"
const goneToServer = "read tcp 127.0.0.1:49152: broken (ETIMEDOUT)"

/** How long Linux repeats what is not acknowledged. */
const repeats = 924_600

/** A policy whose linger and deadline nothing here outlives. */
const patient = { deadline: "5 days", lingerTimeout: "4 days", lingerIdleTimeout: "4 days" } as const

/** Both ends read to their end, at once; what each of them read, and when. */
const bothRead = ({ client, server, since }: Parameters<Parameters<typeof scene>[1]>[0]) =>
  Effect.all({ client: reading(client, since), server: reading(server, since) }, { concurrency: 2 })

describe("Delay", () => {
  it.effect("what its side sends takes so much longer, and what the other sends does not", () =>
    scene({ latency: 10, ...befalls(Fault.Delay({ millis: 40 })) }, (stage) =>
      Effect.gen(function* () {
        const both = yield* Effect.forkChild(bothRead(stage))
        yield* stage.server.write("slow")
        yield* stage.client.write("quick")
        yield* stage.at(100)
        yield* stage.server.closeWrite
        yield* stage.client.closeWrite
        const { client, server } = yield* Fiber.join(both)
        assert.deepStrictEqual(client, { chunks: [[50, "slow"]], text: "slow", end: [150, "done"] })
        assert.deepStrictEqual(server, { chunks: [[10, "quick"]], text: "quick", end: [110, "done"] })
      })
    )
  )

  it.effect("begins at its time: what was sent before is not delayed, and is not overtaken", () =>
    scene({ latency: 10, ...befalls(Fault.Delay({ millis: 40 }), { afterMillis: 100, side: "client" }) }, (stage) =>
      Effect.gen(function* () {
        const heard = yield* Effect.forkChild(reading(stage.server, stage.since))
        for (const millis of [99, 101, 130]) {
          yield* stage.at(millis)
          yield* stage.client.write(`${millis} `)
        }
        yield* stage.client.abort
        const { chunks, end } = yield* Fiber.join(heard)
        assert.deepStrictEqual(chunks, [
          [109, "99 "],
          [151, "101 "],
          [180, "130 "]
        ])
        assert.deepStrictEqual(end, [180, resetToServer])
      })
    )
  )
})

describe("Jitter", () => {
  /** When each of fifty pieces, sent a millisecond apart, arrives. */
  const arrivals = (seed: number, side: Fault.Side) =>
    scene({ seed, latency: 10, ...befalls(Fault.Jitter({ millis: 30 }), { side: "server" }) }, (stage) =>
      Effect.gen(function* () {
        const [writer, reader] =
          side === "server" ? [stage.server, stage.client] : ([stage.client, stage.server] as const)
        const heard = yield* Effect.forkChild(reading(reader, stage.since))
        for (let piece = 0; piece < 50; piece++) {
          yield* stage.at(piece)
          yield* writer.write(`${piece} `)
        }
        yield* writer.closeWrite
        const { chunks, text } = yield* Fiber.join(heard)
        assert.strictEqual(text, Array.from({ length: 50 }, (_, piece) => `${piece} `).join(""), "the order stays")
        assert.strictEqual(chunks.length, 50)
        return chunks.map(([millis]) => millis)
      })
    )

  it.effect("each thing takes a random part of it longer, and the order stays", () =>
    Effect.gen(function* () {
      const times = yield* arrivals(1, "server")
      for (const [piece, millis] of times.entries()) {
        assert.isAtLeast(millis, piece + 10)
        assert.isAtMost(millis, piece + 10 + 30)
      }
      const late = times.map((millis, piece) => millis - piece - 10)
      assert.isAbove(new Set(late).size, 10, "a different part each time")
      assert.isAbove(Math.max(...late), 15)
    })
  )

  it.effect("the part is drawn from the network's seed", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* arrivals(1, "server"), yield* arrivals(1, "server"))
      assert.notDeepEqual(yield* arrivals(1, "server"), yield* arrivals(2, "server"))
    })
  )

  it.effect("the other side's pieces come as ever", () =>
    Effect.gen(function* () {
      const times = yield* arrivals(1, "client")
      assert.deepStrictEqual(
        times,
        Array.from({ length: 50 }, (_, piece) => piece + 10)
      )
    })
  )
})

describe("Stall", () => {
  it.effect("its side reads nothing for so long, bytes or end; the other reads as ever", () =>
    scene({ latency: 10, ...befalls(Fault.Stall({ millis: 500 }), { afterMillis: 100 }) }, (stage) =>
      Effect.gen(function* () {
        const both = yield* Effect.forkChild(bothRead(stage))
        for (const millis of [50, 200]) {
          yield* stage.at(millis)
          yield* stage.client.write(`${millis} `)
          yield* stage.server.write(`${millis} `)
        }
        yield* stage.at(300)
        yield* stage.client.closeWrite
        yield* stage.server.closeWrite
        const { client, server } = yield* Fiber.join(both)
        assert.deepStrictEqual(server.chunks, [
          [60, "50 "],
          [600, "200 "]
        ])
        assert.deepStrictEqual(server.end, [600, "done"])
        assert.deepStrictEqual(client.chunks, [
          [60, "50 "],
          [210, "200 "]
        ])
        assert.deepStrictEqual(client.end, [310, "done"])
      })
    )
  )

  it.effect("its window closes: who writes to it waits, and netstat says so; then both go on", () =>
    scene(
      { sendBufferBytes: 1000, receiveBufferBytes: 500, ...befalls(Fault.Stall({ millis: 500 })) },
      ({ at, client, server, sim, since }) =>
        Effect.gen(function* () {
          const heard = yield* Effect.forkChild(reading(server, since))
          const writing = yield* Effect.forkChild(Effect.andThen(client.write(bytes(1800)), since))
          yield* at(499)
          assert.isUndefined(writing.pollUnsafe())
          const { sockets } = yield* sim.netstat
          assert.deepStrictEqual(
            sockets.map(({ receiveQueueBytes, sendQueueBytes, side, waits }) => ({
              side,
              sendQueueBytes,
              receiveQueueBytes,
              waits
            })),
            [
              {
                side: "client",
                sendQueueBytes: 1300,
                receiveQueueBytes: 0,
                waits: ["a write for #1 server to read"]
              },
              { side: "server", sendQueueBytes: 0, receiveQueueBytes: 500, waits: ["500 bytes to be read"] }
            ]
          )
          assert.strictEqual(yield* Fiber.join(writing), 500)
          yield* client.closeWrite
          assert.strictEqual((yield* Fiber.join(heard)).text.length, 1800)
        })
    )
  )

  it.effect("for ever: who closes towards it has its bytes unsent, and resets at the deadline", () =>
    scene(
      {
        sendBufferBytes: 1000,
        receiveBufferBytes: 500,
        clientClose: { deadline: "7 seconds" },
        ...befalls(Fault.Stall({ millis: Fault.forever }))
      },
      ({ client, server, since }) =>
        Effect.gen(function* () {
          const heard = yield* Effect.forkChild(reading(server, since))
          yield* Effect.forkChild(Effect.exit(client.write(bytes(1800))), { startImmediately: true })
          const outcome = yield* client.close
          assert.strictEqual(summary(outcome), "Aborted deadline at Flushing after 7000 ms")
          assert.strictEqual(outcome.bytesUnsent, 300)
          const { end, text } = yield* Fiber.join(heard)
          assert.deepStrictEqual([text, ...end], ["", 7000, resetToServer])
        })
    )
  )

  it.effect("for ever: it never hears that the peer has said goodbye, and its own close ends by its limits", () =>
    scene({ ...befalls(Fault.Stall({ millis: Fault.forever })) }, ({ client, server }) =>
      Effect.gen(function* () {
        yield* client.write("unread")
        yield* client.closeWrite
        assert.strictEqual(summary(yield* server.close), "LingerExpired lingerIdleTimeout at Lingering after 5000 ms")
        // It gives its descriptor back with input unread, which is a reset.
        yield* Effect.sleep(1)
        assert.strictEqual(summary(yield* client.close), "ResetByPeer ECONNRESET at Open after 0 ms")
      })
    )
  )
})

describe("LinkDown", () => {
  it.effect("nothing gets through, either way, for so long; then all of it does, in order", () =>
    scene({ latency: 10, ...befalls(Fault.LinkDown({ millis: 1000 }), { afterMillis: 100 }) }, (stage) =>
      Effect.gen(function* () {
        const both = yield* Effect.forkChild(bothRead(stage))
        // Arrived before, underway, and sent while it is down.
        for (const millis of [80, 95, 500, 1099]) {
          yield* stage.at(millis)
          yield* stage.client.write(`${millis} `)
          yield* stage.server.write(`${millis} `)
        }
        yield* stage.client.closeWrite
        yield* stage.server.closeWrite
        const { client, server } = yield* Fiber.join(both)
        const expected = {
          chunks: [
            [90, "80 "],
            [1100, "95 "],
            [1100, "500 "],
            [1109, "1099 "]
          ],
          text: "80 95 500 1099 ",
          end: [1109, "done"]
        }
        assert.deepStrictEqual<unknown>(client, expected)
        assert.deepStrictEqual<unknown>(server, expected)
      })
    )
  )

  for (const side of ["client", "server"] as const) {
    it.effect(`during a close, named for the ${side}: nothing is lost, it only takes longer`, () =>
      scene(
        {
          latency: 10,
          bandwidth: 100_000,
          serverClose: { ...patient, farewell: Connection.sendLine("BYE") },
          ...befalls(Fault.LinkDown({ millis: 20_000 }), { afterMillis: 500, side })
        },
        ({ client, server, since, sim }) =>
          Effect.gen(function* () {
            const goodbye = yield* Effect.forkChild(
              Effect.gen(function* () {
                const text = yield* Connection.readText(client)
                const heardAt = yield* since
                return { text, heardAt, outcome: yield* client.close }
              })
            )
            yield* Effect.forkChild(server.write(bytes(200_000)), { startImmediately: true })
            const outcome = yield* server.close
            const { heardAt, outcome: clients, text } = yield* Fiber.join(goodbye)
            assert.strictEqual(text.length, 200_004)
            assert.isTrue(text.endsWith("aBYE\n"))
            assert.isAbove(heardAt, 20_500)
            assert.strictEqual(outcome._tag, "Graceful")
            assert.strictEqual(clients._tag, "Graceful")
            assert.strictEqual(yield* sim.socketsOpen, 0)
          })
      )
    )
  }

  it.effect("for ever, with data unacknowledged: its sender learns so when Linux gives up, and the other never", () =>
    scene({ latency: 10, ...befalls(Fault.LinkDown({ millis: Fault.forever }), { afterMillis: 100 }) }, (stage) =>
      Effect.gen(function* () {
        const deaf = yield* Effect.forkChild(reading(stage.client, stage.since))
        yield* stage.at(1000)
        yield* stage.server.write("into the void")
        const { end } = yield* reading(stage.server, stage.since)
        assert.deepStrictEqual(end, [1000 + repeats, goneToServer])
        yield* stage.at(9 * 24 * 3_600_000)
        assert.isUndefined(deaf.pollUnsafe())
      })
    )
  )

  it.effect("for ever, with data on its way: the time counts from when that was sent", () =>
    scene({ latency: 10, ...befalls(Fault.LinkDown({ millis: Fault.forever }), { afterMillis: 100 }) }, (stage) =>
      Effect.gen(function* () {
        yield* stage.at(95)
        yield* stage.client.write("too late")
        yield* stage.at(500)
        yield* stage.client.write("more")
        const { end } = yield* reading(stage.client, stage.since)
        assert.deepStrictEqual(end, [95 + repeats, goneToClient])
      })
    )
  )

  it.effect("for ever, with nothing on its way: nobody learns anything", () =>
    scene({ ...befalls(Fault.LinkDown({ millis: Fault.forever })) }, (stage) =>
      Effect.gen(function* () {
        const both = yield* Effect.forkChild(bothRead(stage))
        yield* stage.at(9 * 24 * 3_600_000)
        assert.isUndefined(both.pollUnsafe())
      })
    )
  )

  it.effect("a link that returns in time, however late that is, loses nothing; one that returns later, all", () =>
    Effect.gen(function* () {
      const exit = (millis: number) =>
        scene({ ...befalls(Fault.LinkDown({ millis })) }, ({ client, server, since }) =>
          Effect.gen(function* () {
            yield* server.write("held up")
            yield* server.closeWrite
            const heard = yield* Effect.forkChild(reading(client, since))
            const told = yield* Effect.forkChild(reading(server, since))
            yield* Effect.sleep("1 day")
            return { client: heard.pollUnsafe(), server: told.pollUnsafe() }
          })
        )
      const inTime = yield* exit(repeats - 1)
      assert.deepStrictEqual(
        inTime.client,
        Exit.succeed({
          chunks: [[repeats - 1, "held up"] as const],
          text: "held up",
          end: [repeats - 1, "done"] as const
        })
      )
      assert.isUndefined(inTime.server)
      const late = yield* exit(repeats + 1)
      assert.isUndefined(late.client)
      assert.deepStrictEqual(late.server, Exit.succeed({ chunks: [], text: "", end: [repeats, goneToServer] as const }))
    })
  )

  it.effect("the close of one who cannot be reached ends by its limits", () =>
    Effect.gen(function* () {
      const outcome = (serverClose: NonNullable<Parameters<typeof scene>[0]["serverClose"]>) =>
        scene({ serverClose, ...befalls(Fault.LinkDown({ millis: Fault.forever })) }, ({ server }) =>
          Effect.andThen(server.write("never read"), Effect.map(server.close, summary))
        )
      assert.strictEqual(yield* outcome({}), "LingerExpired lingerIdleTimeout at Lingering after 5000 ms")
      assert.strictEqual(
        yield* outcome({ lingerIdleTimeout: "1 hour" }),
        "LingerExpired lingerTimeout at Lingering after 30000 ms"
      )
      assert.strictEqual(
        yield* outcome({ lingerIdleTimeout: "1 hour", lingerTimeout: "1 hour" }),
        "Aborted deadline at Lingering after 60000 ms"
      )
      assert.strictEqual(yield* outcome(patient), `ResetByPeer ETIMEDOUT at Lingering after ${repeats} ms`)
    })
  )
})

describe("Reset", () => {
  for (const side of ["client", "server"] as const) {
    it.effect(`named for the ${side}: both sides of its connection get ECONNRESET, at its time, and nobody else`, () =>
      Effect.gen(function* () {
        const sim = yield* SimNetwork.make({
          latency: 10,
          ...befalls(Fault.Reset(), { afterMillis: 300, side, connection: 2 })
        })
        yield* inItsTime(
          Effect.gen(function* () {
            const listener = yield* sim.network.listen(address)
            const accepted: Array<Connection.Connection> = []
            listener.attach({ onConnection: (c) => accepted.push(c), onRefused: () => {}, onError: () => {} })
            const clients = [yield* sim.network.connect(address), yield* sim.network.connect(address)]
            const begun = yield* now
            const since = Effect.map(now, (millis) => millis - begun)
            yield* Effect.yieldNow
            const ends = yield* Effect.forEach([...clients, ...accepted], (end) =>
              Effect.forkChild(reading(end, since), { startImmediately: true })
            )
            yield* Effect.sleep(5000)
            const read = ends.map((fiber) => fiber.pollUnsafe())
            assert.strictEqual(accepted.length, 2)
            assert.isUndefined(read[0])
            assert.isUndefined(read[2])
            assert.deepStrictEqual(read[1], Exit.succeed({ chunks: [], text: "", end: [300, resetToClient] as const }))
            const toServer = "read tcp 127.0.0.1:49153: reset by the peer"
            assert.deepStrictEqual(read[3], Exit.succeed({ chunks: [], text: "", end: [300, toServer] as const }))
            for (const end of [clients[0]!, accepted[0]!]) yield* end.abort
          }).pipe(Effect.scoped),
          sim
        )
      })
    )
  }

  it.effect("a close that is under way ends with it, and so does one that begins later", () =>
    scene({ ...befalls(Fault.Reset(), { afterMillis: 300 }) }, ({ at, client, server }) =>
      Effect.gen(function* () {
        const closing = yield* Effect.forkChild(server.close, { startImmediately: true })
        assert.strictEqual(summary(yield* Fiber.join(closing)), "ResetByPeer ECONNRESET at Lingering after 300 ms")
        yield* at(1000)
        assert.strictEqual(summary(yield* client.close), "ResetByPeer ECONNRESET at Open after 0 ms")
      })
    )
  )
})

describe("ResetAtByte", () => {
  const cuts = fc.record({
    writes: fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 6 }),
    part: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    latency: fc.constantFrom(0, 10),
    side: fc.constantFrom("client", "server")
  })

  it.effect("so many of its side's bytes arrive, to the byte, and then both get ECONNRESET at once", () =>
    Effect.forEach(fc.sample(cuts, { numRuns: 40, seed: 7 }), ({ latency, part, side, writes }) => {
      const byte = Math.floor(part * writes.reduce((sum, length) => sum + length, 0))
      return scene({ latency, pieceBytes: 1000, ...befalls(Fault.ResetAtByte({ byte }), { side }) }, (stage) =>
        Effect.gen(function* () {
          const both = yield* Effect.forkChild(bothRead(stage))
          yield* Effect.forEach(writes, (length) => stage[side].write(bytes(length)))
          const { client, server } = yield* Fiber.join(both)
          const [written, read] = side === "server" ? [server, client] : [client, server]
          assert.strictEqual(read.text.length, byte)
          assert.strictEqual(written.text, "")
          assert.deepStrictEqual(client.end, [latency, resetToClient])
          assert.deepStrictEqual(server.end, [latency, resetToServer])
        })
      )
    })
  )

  it.effect("a side that sends less is never reset, whatever the other sends", () =>
    scene({ ...befalls(Fault.ResetAtByte({ byte: 6 })) }, (stage) =>
      Effect.gen(function* () {
        const both = yield* Effect.forkChild(bothRead(stage))
        yield* stage.client.write(bytes(1000))
        yield* stage.server.write("short")
        yield* stage.client.closeWrite
        yield* stage.server.closeWrite
        const { client, server } = yield* Fiber.join(both)
        assert.deepStrictEqual([client.text, client.end[1]], ["short", "done"])
        assert.deepStrictEqual([server.text.length, server.end[1]], [1000, "done"])
      })
    )
  )

  it.effect("the FIN behind that byte does not get through", () =>
    scene({ ...befalls(Fault.ResetAtByte({ byte: 5 })) }, ({ client, server, since }) =>
      Effect.gen(function* () {
        yield* server.write("exact")
        const closing = yield* Effect.forkChild(server.close, { startImmediately: true })
        const { end, text } = yield* reading(client, since)
        assert.deepStrictEqual([text, ...end], ["exact", 0, resetToClient])
        assert.strictEqual((yield* Fiber.join(closing))._tag, "ResetByPeer")
      })
    )
  )
})

describe("ResetAtStage", () => {
  for (const stage of ["Farewell", "Flushing", "Lingering"] as const) {
    it.effect(`when its side's close enters ${stage}, both get ECONNRESET`, () =>
      scene(
        {
          latency: 10,
          serverClose: { farewell: (connection) => Effect.andThen(Effect.sleep(50), connection.write("BYE")) },
          ...befalls(Fault.ResetAtStage({ stage }))
        },
        ({ at, client, server, since, told }) =>
          Effect.gen(function* () {
            const heard = yield* Effect.forkChild(reading(client, since))
            yield* at(100)
            const outcome = yield* server.close
            assert.strictEqual(outcome._tag, "ResetByPeer")
            assert.strictEqual(outcome.stage, stage)
            const entered = (yield* told("server", "stage")).at(-1)
            const { end } = yield* Fiber.join(heard)
            assert.strictEqual(entered, `${end[0]} stage ${stage}`)
            assert.strictEqual(end[1], resetToClient)
          })
      )
    )

    it.effect(`the other side's close goes through ${stage} unharmed`, () =>
      scene(
        {
          serverClose: { farewell: Connection.sendLine("BYE") },
          ...befalls(Fault.ResetAtStage({ stage }), { side: "client" })
        },
        ({ client, server, since }) =>
          Effect.gen(function* () {
            const closing = yield* Effect.forkChild(server.close, { startImmediately: true })
            const { end, text } = yield* reading(client, since)
            assert.deepStrictEqual([text, end[1]], ["BYE\n", "done"])
            // It has no farewell, and its FIN finds the other's: a close of its own never comes to that stage.
            yield* client.closeWrite
            assert.strictEqual((yield* Fiber.join(closing))._tag, "Graceful")
          })
      )
    )
  }
})

describe("HalfOpen", () => {
  it.effect("its machine is gone: the other hears nothing, and learns it only by what it sends", () =>
    scene({ latency: 10, ...befalls(Fault.HalfOpen(), { afterMillis: 100, side: "client" }) }, (stage) =>
      Effect.gen(function* () {
        const both = yield* Effect.forkChild(bothRead(stage))
        yield* stage.client.write("last words")
        yield* stage.at(200)
        yield* stage.client.write("never heard")
        yield* stage.client.closeWrite
        yield* stage.at(300)
        yield* stage.server.write("is anybody there?")
        const { client, server } = yield* Fiber.join(both)
        assert.deepStrictEqual(server.chunks, [[10, "last words"]])
        assert.deepStrictEqual(server.end, [300 + repeats, goneToServer])
        assert.deepStrictEqual(client.chunks, [])
      })
    )
  )

  it.effect("the other's close ends by its linger limits, or by its deadline", () =>
    Effect.gen(function* () {
      const outcome = (serverClose: NonNullable<Parameters<typeof scene>[0]["serverClose"]>) =>
        scene({ serverClose, ...befalls(Fault.HalfOpen(), { side: "client" }) }, ({ server, sim }) =>
          Effect.gen(function* () {
            yield* server.write("goodbye")
            const outcome = summary(yield* server.close)
            // What is left is the dead machine's own.
            assert.strictEqual(yield* sim.socketsOpen, 1)
            return outcome
          })
        )
      assert.strictEqual(yield* outcome({}), "LingerExpired lingerIdleTimeout at Lingering after 5000 ms")
      assert.strictEqual(
        yield* outcome({ lingerIdleTimeout: "40 seconds" }),
        "LingerExpired lingerTimeout at Lingering after 30000 ms"
      )
      assert.strictEqual(yield* outcome({ deadline: "3 seconds" }), "Aborted deadline at Lingering after 3000 ms")
    })
  )

  it.effect("with more than fits the system, it ends by its deadline", () =>
    scene({ ...befalls(Fault.HalfOpen(), { side: "client" }) }, ({ server }) =>
      Effect.gen(function* () {
        yield* Effect.forkChild(Effect.exit(server.write(bytes(1_000_000))), { startImmediately: true })
        assert.strictEqual(summary(yield* server.close), "Aborted deadline at Flushing after 60000 ms")
      })
    )
  )
})

describe("SlowReader", () => {
  for (const bytesPerSecond of [100, 300, 1000, 70_000]) {
    it.effect(`its side takes ${bytesPerSecond} bytes a second, and no more`, () =>
      scene({ ...befalls(Fault.SlowReader({ bytesPerSecond })) }, (stage) =>
        Effect.gen(function* () {
          const length = bytesPerSecond * 5
          const both = yield* Effect.forkChild(bothRead(stage))
          yield* stage.server.write("quick")
          yield* stage.server.closeWrite
          yield* stage.client.write(bytes(length))
          yield* stage.client.closeWrite
          const { client, server } = yield* Fiber.join(both)
          assert.deepStrictEqual([client.text, ...client.end], ["quick", 0, "done"])
          assert.deepStrictEqual([server.text.length, server.end[1]], [length, "done"])
          let taken = 0
          for (const [millis, chunk] of server.chunks) {
            // What it takes at once comes before its time has passed.
            assert.closeTo((taken / bytesPerSecond) * 1000, millis, 0.01)
            taken += chunk.length
            assert.isAtMost(chunk.length, Math.max(1, bytesPerSecond / 100))
          }
          assert.closeTo(server.end[0], 5000, 11)
        })
      )
    )
  }

  it.effect("begins at its time, and holds the writer back", () =>
    scene(
      {
        sendBufferBytes: 1000,
        receiveBufferBytes: 1000,
        ...befalls(Fault.SlowReader({ bytesPerSecond: 1000 }), { afterMillis: 1000, side: "client" })
      },
      ({ at, client, server, since }) =>
        Effect.gen(function* () {
          const heard = yield* Effect.forkChild(reading(client, since))
          yield* server.write(bytes(5000))
          assert.strictEqual(yield* since, 0)
          yield* at(2000)
          yield* server.write(bytes(5000))
          // All but what both systems hold has been read.
          assert.closeTo(yield* since, 2000 + 3000, 11)
          yield* server.closeWrite
          assert.closeTo((yield* Fiber.join(heard)).end[0], 2000 + 5000, 11)
        })
    )
  )
})

describe("SlowWriter", () => {
  it.effect("what its side sends trickles, in ten pieces a second, and FIN behind it", () =>
    scene({ latency: 10, ...befalls(Fault.SlowWriter({ bytesPerSecond: 100 })) }, (stage) =>
      Effect.gen(function* () {
        const both = yield* Effect.forkChild(bothRead(stage))
        yield* stage.server.write(bytes(1000))
        yield* stage.server.closeWrite
        yield* stage.client.write(bytes(1000))
        yield* stage.client.closeWrite
        const { client, server } = yield* Fiber.join(both)
        assert.deepStrictEqual(
          client.chunks.map(([millis, chunk]) => [millis, chunk.length]),
          Array.from({ length: 100 }, (_, piece) => [100 * (piece + 1) + 10, 10])
        )
        assert.deepStrictEqual(client.end, [10_010, "done"])
        assert.deepStrictEqual([server.text.length, ...server.end], [1000, 10, "done"])
      })
    )
  )

  it.effect("slower than a piece: a byte at a time", () =>
    scene({ ...befalls(Fault.SlowWriter({ bytesPerSecond: 2 }), { side: "client" }) }, ({ client, server, since }) =>
      Effect.gen(function* () {
        yield* client.write("slow")
        yield* client.closeWrite
        const { chunks } = yield* reading(server, since)
        assert.deepStrictEqual(chunks, [
          [500, "s"],
          [1000, "l"],
          [1500, "o"],
          [2000, "w"]
        ])
      })
    )
  )

  it.effect("there is room again as the bytes leave, whether the peer reads or not", () =>
    scene({ sendBufferBytes: 1000, ...befalls(Fault.SlowWriter({ bytesPerSecond: 100 })) }, ({ server, since }) =>
      Effect.gen(function* () {
        yield* server.write(bytes(3000))
        // What the wire holds, 64 pieces of 10 bytes, and the send buffer.
        assert.strictEqual(yield* since, (3000 - 1000 - 640) * 10)
      })
    )
  )
})

describe("LateFin", () => {
  it.effect("its side's FIN comes so much later, its bytes and the other's FIN do not", () =>
    scene({ latency: 10, ...befalls(Fault.LateFin({ millis: 3000 })) }, (stage) =>
      Effect.gen(function* () {
        const both = yield* Effect.forkChild(bothRead(stage))
        yield* stage.at(100)
        yield* stage.server.write("last")
        yield* stage.client.write("last")
        yield* stage.server.closeWrite
        yield* stage.client.closeWrite
        const { client, server } = yield* Fiber.join(both)
        assert.deepStrictEqual(client, { chunks: [[110, "last"]], text: "last", end: [3110, "done"] })
        assert.deepStrictEqual(server, { chunks: [[110, "last"]], text: "last", end: [110, "done"] })
      })
    )
  )

  it.effect("counts from when the last byte has left, on a narrow link", () =>
    scene({ latency: 10, bandwidth: 1000, ...befalls(Fault.LateFin({ millis: 3000 })) }, ({ client, server, since }) =>
      Effect.gen(function* () {
        yield* server.write(bytes(2000))
        yield* server.closeWrite
        const { chunks, end } = yield* reading(client, since)
        assert.deepStrictEqual(
          chunks.map(([millis]) => millis),
          [2010]
        )
        assert.deepStrictEqual(end, [5010, "done"])
      })
    )
  )

  it.effect("later than the other lingers: what was said is read, and its close is a LingerExpired", () =>
    scene({ ...befalls(Fault.LateFin({ millis: Fault.forever }), { side: "client" }) }, ({ client, server }) =>
      Effect.gen(function* () {
        const heard = yield* Effect.forkChild(politely(client))
        yield* server.write("an answer")
        assert.strictEqual(summary(yield* server.close), "LingerExpired lingerIdleTimeout at Lingering after 5000 ms")
        assert.strictEqual(yield* Fiber.join(heard), "an answer")
      })
    )
  )

  it.effect("an abort does not wait behind it", () =>
    scene({ latency: 10, ...befalls(Fault.LateFin({ millis: Fault.forever })) }, ({ at, client, server, since }) =>
      Effect.gen(function* () {
        const heard = yield* Effect.forkChild(reading(client, since))
        yield* server.closeWrite
        yield* at(500)
        yield* server.abort
        assert.deepStrictEqual((yield* Fiber.join(heard)).end, [510, resetToClient])
      })
    )
  )
})

describe("DuplicateFin", () => {
  it.effect("nobody notices a FIN that comes twice", () =>
    scene({ latency: 10, ...befalls(Fault.DuplicateFin()) }, ({ client, server, sim, told }) =>
      Effect.gen(function* () {
        const heard = yield* Effect.forkChild(
          Effect.gen(function* () {
            const text = yield* Connection.readText(client)
            yield* Effect.sleep(1000)
            return { text, outcome: yield* client.close }
          })
        )
        yield* server.write("once")
        const outcome = yield* server.close
        const other = yield* Fiber.join(heard)
        assert.strictEqual(other.text, "once")
        assert.strictEqual(outcome._tag, "Graceful")
        assert.strictEqual(other.outcome._tag, "Graceful")
        assert.deepStrictEqual(yield* told("client", "end", "broken"), ["10 end"])
        assert.deepStrictEqual(yield* told("server", "end", "broken"), ["1020 end"])
        assert.strictEqual(yield* sim.socketsOpen, 0)
      })
    )
  )

  it.effect("nor one who has given its descriptor back in between", () =>
    scene({ latency: 10, ...befalls(Fault.DuplicateFin()), serverClose: patient }, ({ client, server, sim }) =>
      Effect.gen(function* () {
        yield* client.closeWrite
        const closing = yield* Effect.forkChild(server.close, { startImmediately: true })
        assert.strictEqual((yield* client.close)._tag, "Graceful")
        assert.strictEqual((yield* Fiber.join(closing))._tag, "Graceful")
        yield* Effect.sleep(100)
        assert.deepStrictEqual((yield* sim.netstat).sockets, [])
      })
    )
  )
})

describe("Pause", () => {
  it.effect("its process hears of nothing for so long: neither bytes nor the end", () =>
    scene({ latency: 10, ...befalls(Fault.Pause({ millis: 1000 }), { afterMillis: 100 }) }, (stage) =>
      Effect.gen(function* () {
        const both = yield* Effect.forkChild(bothRead(stage))
        for (const millis of [50, 200]) {
          yield* stage.at(millis)
          yield* stage.client.write(`${millis} `)
          yield* stage.server.write(`${millis} `)
        }
        yield* stage.client.closeWrite
        yield* stage.server.closeWrite
        const { client, server } = yield* Fiber.join(both)
        assert.deepStrictEqual(server, {
          chunks: [
            [60, "50 "],
            [1100, "200 "]
          ],
          text: "50 200 ",
          end: [1100, "done"]
        })
        assert.deepStrictEqual(client.end, [210, "done"])
      })
    )
  )

  it.effect("nor that there is room again, that everything has left, or that it is closed", () =>
    scene(
      {
        sendBufferBytes: 1000,
        receiveBufferBytes: 1000,
        ...befalls(Fault.Pause({ millis: 1000 }), { afterMillis: 100, side: "client" })
      },
      ({ at, client, server, since, told }) =>
        Effect.gen(function* () {
          const writing = yield* Effect.forkChild(Effect.andThen(client.write(bytes(2500)), since))
          yield* at(200)
          const heard = yield* Effect.forkChild(reading(server, since))
          assert.strictEqual(yield* Fiber.join(writing), 1100)
          // Its system went on meanwhile: it took what it had.
          const { chunks } = yield* Effect.andThen(client.closeWrite, Fiber.join(heard))
          assert.deepStrictEqual(
            chunks.map(([millis, chunk]) => [millis, chunk.length]),
            [
              [200, 1000],
              [200, 1000],
              [200, 500]
            ]
          )
          assert.deepStrictEqual(yield* told("client", "writable", "flushed"), ["1100 writable", "1100 flushed"])
        })
    )
  )

  it.effect("a close that begins meanwhile is told that its bytes have left, and of its peer's FIN, afterwards", () =>
    scene(
      { serverClose: { lingerIdleTimeout: 1 }, ...befalls(Fault.Pause({ millis: 1000 }), { afterMillis: 100 }) },
      ({ at, client, server, told }) =>
        Effect.gen(function* () {
          const other = yield* Effect.forkChild(politely(client))
          yield* at(200)
          assert.strictEqual(summary(yield* server.close), "Graceful at Lingering after 900 ms")
          yield* Fiber.join(other)
          assert.deepStrictEqual(yield* told("client", "end"), ["200 end"])
          assert.deepStrictEqual((yield* told("server", "flushed", "end")).toSorted(), ["1100 end", "1100 flushed"])
        })
    )
  )

  it.effect("it learns of a reset afterwards; twice paused is paused until the later end", () =>
    scene(
      {
        faults: [
          Fault.planned({ afterMillis: 100, fault: Fault.Pause({ millis: 500 }) }),
          Fault.planned({ afterMillis: 400, fault: Fault.Pause({ millis: 1000 }) })
        ]
      },
      ({ at, client, server, since }) =>
        Effect.gen(function* () {
          const heard = yield* Effect.forkChild(reading(server, since))
          yield* at(200)
          yield* client.abort
          assert.deepStrictEqual((yield* Fiber.join(heard)).end, [1400, resetToServer])
        })
    )
  )

  it.effect("for ever: its own close still ends, when its time is over", () =>
    scene({ ...befalls(Fault.Pause({ millis: Fault.forever })) }, ({ server }) =>
      Effect.gen(function* () {
        // A second more: what is awaited at last is that the descriptor is gone, which it hears of neither.
        yield* Effect.forkChild(server.close, { startImmediately: true })
        yield* Effect.sleep(61_000)
        assert.strictEqual((yield* Effect.timeout(server.close, 1))._tag, "Aborted")
      })
    )
  )
})

describe("AcceptError", () => {
  it.effect("so many accepts fail with its code; who waits goes on waiting, and gets in", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make(befalls(Fault.AcceptError({ code: "EMFILE", times: 2 })))
      const listener = yield* sim.network.listen(address)
      const happened: Array<string> = []
      const accepted: Array<Connection.Connection> = []
      const clients = [yield* sim.network.connect(address), yield* sim.network.connect(address)]
      yield* clients[0]!.write("patience")
      listener.attach({
        onConnection: (connection) => {
          happened.push("accepted")
          accepted.push(connection)
        },
        onRefused: () => {},
        onError: (code) => happened.push(code)
      })
      yield* inItsTime(Effect.sleep(10))
      assert.deepStrictEqual(happened, ["EMFILE", "EMFILE", "accepted", "accepted"])
      yield* clients[0]!.closeWrite
      assert.strictEqual(yield* Connection.readText(accepted[0]!), "patience")
      for (const end of [...clients, ...accepted]) yield* end.abort
    }).pipe(Effect.scoped)
  )

  it.effect("no accept fails while nobody waits", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make(befalls(Fault.AcceptError({ code: "EMFILE", times: 1 }), { afterMillis: 500 }))
      const errors: Array<string> = []
      yield* inItsTime(
        Effect.gen(function* () {
          const listener = yield* sim.network.listen(address)
          listener.attach({
            onConnection: (c) => c.abort.pipe(Effect.runFork),
            onRefused: () => {},
            onError: (c) => errors.push(c)
          })
          yield* Effect.sleep(400)
          yield* sim.network.connect(address)
          yield* Effect.sleep(1000)
          assert.deepStrictEqual(errors, [])
          yield* sim.network.connect(address)
          yield* Effect.sleep(1)
          assert.deepStrictEqual(errors, ["EMFILE"])
        }).pipe(Effect.scoped)
      )
    })
  )

  for (const [code, kind] of [
    ["EMFILE", "no room"],
    ["ECONNABORTED", "one that died in the backlog"],
    ["ENOTSOCK", "what nobody understands"]
  ] as const) {
    it.effect(`a server that meets ${code}, ${kind}, still serves who waits`, () =>
      Effect.gen(function* () {
        const sim = yield* SimNetwork.make(befalls(Fault.AcceptError({ code, times: 1 })))
        const answer = Effect.gen(function* () {
          yield* Server.make({ listen: address, handler: (connection) => connection.write("welcome") })
          const client = yield* sim.network.connect(address)
          return yield* Connection.readText(client)
        })
        const served = Effect.provideService(Effect.scoped(answer), Network.Network, sim.network)
        assert.strictEqual(yield* inItsTime(served, sim), "welcome")
        assert.isTrue((yield* sim.history).some(({ detail, kind }) => kind === "acceptError" && detail === code))
      })
    )
  }
})

describe("Refuse", () => {
  /** How dialling ends, at each of these times. */
  const dialled = (sim: SimNetwork.Sim, times: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      const listener = yield* sim.network.listen(address)
      listener.attach({ onConnection: (c) => Effect.runFork(c.abort), onRefused: () => {}, onError: () => {} })
      return yield* Effect.forEach(
        times,
        (millis) =>
          // It has waited for a millisecond already.
          Effect.andThen(Effect.sleep(millis - 1), Effect.exit(Effect.scoped(sim.network.connect(address)))).pipe(
            Effect.map((exit) => (Exit.isSuccess(exit) ? "connected" : ending(exit)))
          ),
        { concurrency: "unbounded" }
      )
    }).pipe(Effect.scoped, (program) => inItsTime(program, sim))

  const refused = "connect tcp 127.0.0.1:7000: refused: nobody listens there"

  it.effect("who dials meanwhile is refused, who dials before or after is not", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make(befalls(Fault.Refuse({ millis: 1000 }), { afterMillis: 100 }))
      const ends = yield* dialled(sim, [99, 101, 1099, 1100])
      assert.deepStrictEqual(ends, ["connected", refused, refused, "connected"])
    })
  )

  it.effect("planned for the beginning, it is the network's time that counts, whenever somebody listens", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make(befalls(Fault.Refuse({ millis: 1000 })))
      yield* inItsTime(Effect.sleep(1000))
      assert.deepStrictEqual(yield* dialled(sim, [1]), ["connected"])
      const other = yield* SimNetwork.make(befalls(Fault.Refuse({ millis: 1000 })))
      assert.deepStrictEqual(yield* dialled(other, [1, 999, 1000]), [refused, refused, "connected"])
    })
  )

  it.effect("who is connected already is not touched", () =>
    scene({ ...befalls(Fault.Refuse({ millis: 1000 }), { afterMillis: 100 }) }, ({ at, client, server, since }) =>
      Effect.gen(function* () {
        yield* at(200)
        yield* client.write("still here")
        yield* client.closeWrite
        assert.deepStrictEqual((yield* reading(server, since)).end, [200, "done"])
      })
    )
  )
})

describe("a fault", () => {
  it.effect("can be injected: now, for one connection, for one side", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      yield* inItsTime(
        Effect.gen(function* () {
          const listener = yield* sim.network.listen(address)
          const accepted: Array<Connection.Connection> = []
          listener.attach({ onConnection: (c) => accepted.push(c), onRefused: () => {}, onError: () => {} })
          const clients = yield* Effect.forEach([1, 2, 3], () => sim.network.connect(address))
          yield* Effect.sleep(100)
          yield* sim.inject(Fault.Stall({ millis: 500 }), { connection: 2, side: "client" })
          const heard = yield* Effect.forEach([...clients, ...accepted], (end) =>
            Effect.forkChild(Effect.andThen(end.pull, now))
          )
          for (const end of [...clients, ...accepted]) yield* end.write("x")
          const times = yield* Effect.forEach(heard, Fiber.join)
          assert.deepStrictEqual(
            times.map((millis) => millis - times[0]!),
            [0, 500, 0, 0, 0, 0]
          )
          for (const end of [...clients, ...accepted]) yield* end.abort
        }).pipe(Effect.scoped),
        sim
      )
    })
  )

  it.effect("that is injected without a name befalls every open connection, at the server's side", () =>
    scene({}, ({ at, client, server, since, sim }) =>
      Effect.gen(function* () {
        yield* sim.inject(Fault.Stall({ millis: 500 }))
        const both = yield* Effect.forkChild(
          Effect.all([reading(client, since), reading(server, since)], { concurrency: 2 })
        )
        yield* client.write("x")
        yield* server.write("x")
        yield* at(1000)
        yield* client.closeWrite
        yield* server.closeWrite
        const [clients, servers] = yield* Fiber.join(both)
        assert.deepStrictEqual(clients.chunks, [[0, "x"]])
        assert.deepStrictEqual(servers.chunks, [[500, "x"]])
      })
    )
  )

  it.effect("of a listener can be injected as well", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      yield* sim.network.listen(address)
      yield* sim.inject(Fault.Refuse({ millis: 1000 }))
      const error = yield* Effect.flip(sim.network.connect(address))
      assert.strictEqual(error.reason._tag, "Refused")
    }).pipe(Effect.scoped)
  )

  it.effect("is in the history, at its time, of whom it befalls", () =>
    Effect.gen(function* () {
      const faults = [
        Fault.planned({ afterMillis: 70, connection: 1, side: "client", fault: Fault.Delay({ millis: 5 }) }),
        Fault.planned({ fault: Fault.Stall({ millis: 30 }) }),
        Fault.planned({ afterMillis: 50, fault: Fault.Refuse({ millis: 10 }) }),
        Fault.planned({ fault: Fault.AcceptError({ code: "EINTR", times: 1 }) })
      ]
      const sim = yield* SimNetwork.make({ faults })
      yield* inItsTime(
        Effect.gen(function* () {
          yield* sim.network.listen(address)
          yield* sim.network.connect(address, { close: { deadline: 0 } })
          yield* Effect.sleep(100)
        }).pipe(Effect.scoped)
      )
      const faulty = (yield* sim.history).filter(({ kind }) => kind === "fault")
      assert.deepStrictEqual(faulty.map(History.formatEvent), [
        '       1.000 ms  listener     fault AcceptError {"code":"EINTR","times":1}',
        "       1.000 ms  #1 server    fault Stall 30",
        '      50.000 ms  listener     fault Refuse {"millis":10}',
        "      71.000 ms  #1 client    fault Delay 5"
      ])
    })
  )

  it.effect("that is planned for a connection which has ended befalls nobody", () =>
    scene({ ...befalls(Fault.Reset(), { afterMillis: 500 }) }, ({ at, client, server, told }) =>
      Effect.gen(function* () {
        const other = yield* Effect.forkChild(politely(client))
        assert.strictEqual((yield* server.close)._tag, "Graceful")
        yield* Fiber.join(other)
        yield* at(1000)
        assert.deepStrictEqual(yield* told("server", "broken"), [])
        assert.deepStrictEqual(yield* told("client", "broken"), [])
      })
    )
  )
})

describe("what passes", () => {
  it.effect("costs nobody a byte, alone or together: both sides close gracefully in the end", () =>
    Effect.gen(function* () {
      const passing = Fault.allTags.filter((tag) => !["Reset", "ResetAtByte", "ResetAtStage", "HalfOpen"].includes(tag))
      for (let seed = 1; seed <= 60; seed++) {
        const faults = Fault.draw(Fault.random(seed), {
          count: 1 + (seed % 4),
          connections: 1,
          withinMillis: 2000,
          tags: passing.filter((tag) => tag !== "AcceptError" && tag !== "Refuse")
        }).filter(({ fault }) => Fault.passes(fault))
        const where = `seed ${seed}\n${Fault.print(faults)}`
        yield* scene(
          { seed, latency: 5, faults, clientClose: patient, serverClose: patient },
          ({ client, server, sim }) =>
            Effect.gen(function* () {
              const speaking = (end: Connection.Connection) =>
                Effect.gen(function* () {
                  for (let part = 0; part < 20; part++) {
                    yield* end.write(`${part} `)
                    yield* Effect.sleep(70)
                  }
                  yield* end.closeWrite
                })
              const living = (end: Connection.Connection) =>
                Effect.gen(function* () {
                  const [text] = yield* Effect.all([Connection.readText(end), speaking(end)], { concurrency: 2 })
                  return [text, (yield* end.close)._tag]
                })
              const both = yield* Effect.all([living(client), living(server)], { concurrency: 2 })
              const said = Array.from({ length: 20 }, (_, part) => `${part} `).join("")
              assert.deepStrictEqual(
                both,
                [
                  [said, "Graceful"],
                  [said, "Graceful"]
                ],
                where
              )
              assert.strictEqual(yield* sim.socketsOpen, 0, where)
            })
        )
      }
    })
  )
})

describe("times", () => {
  it.effect("that are no whole number are kept to the microsecond", () =>
    Effect.gen(function* () {
      const times = fc.sample(fc.double({ min: 0.01, max: 5000, noNaN: true }), { numRuns: 50, seed: 3 }).map(rounded)
      for (const millis of times) {
        yield* scene({ ...befalls(Fault.LinkDown({ millis })) }, ({ client, server, since }) =>
          Effect.gen(function* () {
            yield* server.write("x")
            yield* server.closeWrite
            const { chunks, end } = yield* reading(client, since)
            assert.closeTo(chunks[0]![0], millis, 0.0011)
            assert.closeTo(end[0], millis, 0.0011)
          })
        )
      }
    })
  )
})
