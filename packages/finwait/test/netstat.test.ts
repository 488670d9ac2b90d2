import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Connection from "finwait/Connection"
import * as Fault from "finwait/testing/Fault"
import * as Netstat from "finwait/testing/Netstat"
import * as SimNetwork from "finwait/testing/SimNetwork"
import { address, bytes, politely, settled } from "./support/network.ts"
import { befalls, reading, scene, type Stage } from "./support/scene.ts"

const latency = 100

/** The two states, client's first; `-` for one whose system has forgotten it. */
const states = ({ sim }: Pick<Stage, "sim">) =>
  Effect.map(sim.netstat, ({ sockets }) => {
    const stateOf = (side: Fault.Side) => {
      const socket = sockets.find((socket) => socket.side === side)
      return socket === undefined ? "-" : socket.held ? socket.state : `(${socket.state})`
    }
    return `${stateOf("client")} ${stateOf("server")}`
  })

/** What each side waits on. */
const waits = ({ sim }: Pick<Stage, "sim">) =>
  Effect.map(sim.netstat, ({ sockets }) => Object.fromEntries(sockets.map(({ side, waits }) => [side, waits])))

const patient = { lingerIdleTimeout: "1 hour", lingerTimeout: "1 hour", deadline: "2 hours" } as const

describe("the states of RFC 9293", () => {
  it.effect("one side ends after the other: FIN-WAIT-1, FIN-WAIT-2 and CLOSE-WAIT, LAST-ACK, TIME-WAIT", () =>
    scene({ latency }, (stage) =>
      Effect.gen(function* () {
        const { at, client, server } = stage
        const seen: Array<readonly [millis: number, states: string]> = []
        const look = Effect.gen(function* () {
          for (const millis of [10, 110, 199, 201, 310, 499, 501]) {
            yield* at(millis)
            seen.push([millis, yield* states(stage)])
          }
        })
        const acts = Effect.gen(function* () {
          yield* at(100)
          yield* client.closeWrite
          yield* at(400)
          yield* server.closeWrite
        })
        yield* Effect.all([look, acts], { concurrency: 2 })
        assert.deepStrictEqual(seen, [
          [10, "ESTABLISHED ESTABLISHED"],
          [110, "FIN-WAIT-1 ESTABLISHED"],
          [199, "FIN-WAIT-1 ESTABLISHED"],
          [201, "FIN-WAIT-2 CLOSE-WAIT"],
          [310, "FIN-WAIT-2 CLOSE-WAIT"],
          [499, "FIN-WAIT-2 LAST-ACK"],
          [501, "TIME-WAIT CLOSED"]
        ])
        // Both programs hold their descriptors still; when they are given back, nothing is left.
        const closing = yield* Effect.forkChild(Effect.all([client.close, server.close], { concurrency: 2 }))
        yield* Fiber.join(closing)
        assert.strictEqual(yield* states(stage), "- -")
      })
    )
  )

  it.effect("both sides end at once: FIN-WAIT-1, CLOSING, TIME-WAIT", () =>
    scene({ latency, ...befalls(Fault.Delay({ millis: 50 })) }, (stage) =>
      Effect.gen(function* () {
        const { at, client, server } = stage
        yield* client.closeWrite
        yield* server.closeWrite
        yield* at(99)
        assert.strictEqual(yield* states(stage), "FIN-WAIT-1 FIN-WAIT-1")
        // The client's has come to the server, the server's is still on its way.
        yield* at(101)
        assert.strictEqual(yield* states(stage), "FIN-WAIT-2 CLOSING")
        yield* at(151)
        assert.strictEqual(yield* states(stage), "TIME-WAIT TIME-WAIT")
      })
    )
  )

  it.effect("who ends behind bytes that its system still holds has ended, as the RFC has it", () =>
    scene({ receiveBufferBytes: 1000, sendBufferBytes: 1000 }, (stage) =>
      Effect.gen(function* () {
        const { client, server, since } = stage
        yield* client.write(bytes(2000))
        yield* client.closeWrite
        yield* Effect.sleep(1)
        assert.strictEqual(yield* states(stage), "FIN-WAIT-1 ESTABLISHED")
        yield* server.closeWrite
        yield* Effect.sleep(1)
        assert.strictEqual(yield* states(stage), "CLOSING FIN-WAIT-2")
        yield* reading(server, since)
        assert.strictEqual(yield* states(stage), "TIME-WAIT TIME-WAIT")
      })
    )
  )

  it.effect("who ends behind bytes that are still the program's has not ended yet", () =>
    scene({ receiveBufferBytes: 1000, sendBufferBytes: 1000 }, (stage) =>
      Effect.gen(function* () {
        const { client, server, since } = stage
        yield* Effect.forkChild(client.write(bytes(2500)), { startImmediately: true })
        yield* client.closeWrite
        yield* Effect.sleep(1)
        assert.strictEqual(yield* states(stage), "ESTABLISHED ESTABLISHED")
        yield* server.closeWrite
        yield* Effect.sleep(1)
        assert.strictEqual(yield* states(stage), "CLOSE-WAIT FIN-WAIT-2")
        yield* reading(server, since)
        assert.strictEqual(yield* states(stage), "CLOSED TIME-WAIT")
      })
    )
  )

  it.effect("who has given its descriptor back is its system's, until both have ended", () =>
    scene({ latency, serverClose: { lingerIdleTimeout: 0 }, clientClose: patient }, (stage) =>
      Effect.gen(function* () {
        const { client, server } = stage
        yield* server.close
        assert.strictEqual(yield* states(stage), "ESTABLISHED (FIN-WAIT-1)")
        yield* Effect.sleep(latency + 1)
        assert.strictEqual(yield* states(stage), "CLOSE-WAIT (FIN-WAIT-2)")
        yield* client.close
        assert.strictEqual(yield* states(stage), "(LAST-ACK) (FIN-WAIT-2)")
        yield* Effect.sleep(latency + 1)
        assert.strictEqual(yield* states(stage), "- -")
      })
    )
  )

  it.effect("who was reset is forgotten by each system as it learns of it", () =>
    scene({ latency }, (stage) =>
      Effect.gen(function* () {
        yield* stage.client.abort
        assert.strictEqual(yield* states(stage), "- ESTABLISHED")
        yield* Effect.sleep(latency + 1)
        assert.strictEqual(yield* states(stage), "- -")
      })
    )
  )
})

describe("the queues", () => {
  const queues = ({ sim }: Stage) =>
    Effect.map(sim.netstat, ({ sockets }) =>
      sockets.map(({ arrivedBytes, receiveQueueBytes, sendQueueBytes, side }) => [
        side,
        sendQueueBytes,
        receiveQueueBytes,
        arrivedBytes
      ])
    )

  it.effect("hold what the peer has not got, on its way or not, and what the program has not read", () =>
    scene({ latency, receiveBufferBytes: 1000 }, (stage) =>
      Effect.gen(function* () {
        const { client, server } = stage
        yield* client.write(bytes(3000))
        assert.deepStrictEqual(yield* queues(stage), [
          ["client", 3000, 0, 0],
          ["server", 0, 0, 0]
        ])
        yield* Effect.sleep(latency + 1)
        assert.deepStrictEqual(yield* queues(stage), [
          ["client", 2000, 0, 0],
          ["server", 0, 1000, 1000]
        ])
        // One chunk is read, and another waits in the connection's own hands.
        yield* server.pull
        yield* Effect.sleep(latency + 1)
        assert.deepStrictEqual(yield* queues(stage), [
          ["client", 1000, 0, 0],
          ["server", 0, 0, 2000]
        ])
        yield* Effect.sleep(latency + 1)
        assert.deepStrictEqual(yield* queues(stage), [
          ["client", 0, 0, 0],
          ["server", 0, 1000, 3000]
        ])
      })
    )
  )
})

describe("who waits on what", () => {
  it.effect("nobody, when nobody does", () =>
    scene({}, (stage) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* waits(stage), { client: [], server: [] })
      })
    )
  )

  it.effect("a read for the other to write, until that ends", () =>
    scene({}, (stage) =>
      Effect.gen(function* () {
        yield* Effect.forkChild(Effect.exit(stage.client.pull), { startImmediately: true })
        assert.deepStrictEqual(yield* waits(stage), { client: ["a read for #1 server to write"], server: [] })
        yield* stage.server.closeWrite
        yield* Effect.sleep(1)
        assert.deepStrictEqual(yield* waits(stage), { client: [], server: [] })
      })
    )
  )

  it.effect("a write for the other to read; a flush, when its connection closes", () =>
    scene({ sendBufferBytes: 1000, receiveBufferBytes: 1000 }, (stage) =>
      Effect.gen(function* () {
        yield* Effect.forkChild(Effect.exit(stage.client.write(bytes(3000))), { startImmediately: true })
        yield* Effect.sleep(1)
        assert.deepStrictEqual(yield* waits(stage), {
          client: ["a write for #1 server to read"],
          server: ["1000 bytes to be read"]
        })
        yield* Effect.forkChild(stage.client.close, { startImmediately: true })
        yield* Effect.sleep(1)
        assert.deepStrictEqual(yield* waits(stage), {
          client: ["a flush for #1 server to read", "a read for #1 server to write"],
          server: ["1000 bytes to be read"]
        })
      })
    )
  )

  it.effect("a close for the other's FIN", () =>
    scene({ serverClose: patient }, (stage) =>
      Effect.gen(function* () {
        const closing = yield* Effect.forkChild(stage.server.close, { startImmediately: true })
        yield* Effect.sleep(1)
        assert.deepStrictEqual(yield* waits(stage), { client: [], server: ["the close for #1 client's FIN"] })
        yield* stage.client.close
        yield* Fiber.join(closing)
        assert.deepStrictEqual(yield* waits(stage), {})
      })
    )
  )

  it.effect("whatever is on its way for a link that is down", () =>
    scene({ ...befalls(Fault.LinkDown({ millis: 1000 })) }, (stage) =>
      Effect.gen(function* () {
        yield* stage.server.write("x")
        assert.deepStrictEqual(yield* waits(stage), { client: [], server: ["the link to return"] })
        yield* stage.at(1001)
        assert.deepStrictEqual(yield* waits(stage), { client: ["1 bytes to be read"], server: [] })
      })
    )
  )
})

describe("the listeners", () => {
  it.effect("with their addresses, their backlogs and how many they have handed out; none that has stopped", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const deaf = yield* sim.network.listen("unix:///run/app.sock", { backlog: 3 })
      const busy = yield* sim.network.listen("tcp://0.0.0.0:0")
      const accepted: Array<Connection.Connection> = []
      busy.attach({ onConnection: (c) => accepted.push(c), onRefused: () => {}, onError: () => {} })
      const clients = [
        yield* sim.network.connect("unix:///run/app.sock"),
        yield* sim.network.connect(busy.address),
        yield* sim.network.connect(busy.address)
      ]
      yield* settled
      assert.deepStrictEqual((yield* sim.netstat).listeners, [
        { address: "unix /run/app.sock", backlog: 1, backlogMax: 3, accepted: 0 },
        { address: "tcp 0.0.0.0:49152", backlog: 0, backlogMax: 511, accepted: 2 }
      ])
      deaf.abort()
      assert.strictEqual((yield* sim.netstat).listeners.length, 1)
      for (const end of [...clients, ...accepted]) yield* end.abort
    }).pipe(Effect.scoped)
  )
})

describe("the table", () => {
  it.effect("says that there is nothing, when there is nothing", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      assert.strictEqual(Netstat.format(yield* sim.netstat), "at 0 ms\n  no sockets")
    })
  )

  it.effect("has a line per listener and socket, in columns", () =>
    scene({ latency, listen: address, serverClose: patient }, ({ client, server, sim }) =>
      Effect.gen(function* () {
        const slow = yield* sim.network.connect(address, { close: { deadline: 0 } })
        yield* slow.write("unread")
        const goodbye = yield* Effect.forkChild(politely(client))
        yield* Effect.sleep(500)
        const closing = yield* Effect.forkChild(server.close, { startImmediately: true })
        yield* Effect.sleep(50)
        assert.strictEqual(
          Netstat.format(yield* sim.netstat),
          `at 951 ms
  tcp 127.0.0.1:7000 listening, backlog 0 of 511, 2 accepted
             local                remote               state        stage      unsent  unread  waits
  #1 client  tcp 127.0.0.1:49152  tcp 127.0.0.1:7000   ESTABLISHED  Open       0       0       a read for #1 server to write
  #1 server  tcp 127.0.0.1:7000   tcp 127.0.0.1:49152  FIN-WAIT-1   Lingering  0       0       the close for #1 client's FIN
  #2 client  tcp 127.0.0.1:49153  tcp 127.0.0.1:7000   ESTABLISHED  Open       0       0
  #2 server  tcp 127.0.0.1:7000   tcp 127.0.0.1:49153  ESTABLISHED  Open       0       6       6 bytes to be read`
        )
        yield* Fiber.join(goodbye)
        yield* Fiber.join(closing)
      })
    )
  )

  it.effect("says of which descriptors programs have given back", () =>
    scene({ latency, serverClose: { lingerIdleTimeout: 0 } }, ({ server, sim }) =>
      Effect.gen(function* () {
        yield* server.close
        assert.include(Netstat.format(yield* sim.netstat), "FIN-WAIT-1 (given back)  Closed")
      })
    )
  )
})
