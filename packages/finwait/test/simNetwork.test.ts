import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Address from "finwait/Address"
import * as Connection from "finwait/Connection"
import * as Network from "finwait/Network"
import * as SimNetwork from "finwait/testing/SimNetwork"
import type { ConnectionImpl } from "../src/internal/connection.ts"
import { address, bytes, ending, now, pair, passing, politely, settled, text } from "./support/network.ts"

/** A pair of ends on a network with latency, whose handshake has taken its time. */
const distant = (latency: number) =>
  Effect.forkChild(pair({ sim: { latency } })).pipe(Effect.tap(passing(latency * 2)), Effect.flatMap(Fiber.join))

describe("the simulated network", () => {
  it.effect("a handshake takes a round trip, and bytes one way", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make({ latency: 100 })
      yield* sim.network.listen(address)
      const dialling = yield* Effect.forkChild(
        Effect.scoped(Effect.as(sim.network.connect(address, { close: { deadline: 0 } }), "connected"))
      )
      yield* passing(199)
      assert.isUndefined(dialling.pollUnsafe())
      yield* passing(1)
      assert.strictEqual(yield* Fiber.join(dialling), "connected")

      const { here, peer } = yield* distant(100)
      const begun = yield* now
      yield* here.write("x")
      const reading = yield* Effect.forkChild(Effect.andThen(peer.pull, now))
      yield* passing(1000)
      assert.strictEqual((yield* Fiber.join(reading)) - begun, 100)
    })
  )

  it.effect("FIN and RST take as long as bytes, and FIN follows the last one", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* distant(100)
      yield* here.write("last")
      yield* here.closeWrite
      const begun = yield* now
      const end = yield* Effect.forkChild(Effect.andThen(Connection.readText(peer), now))
      yield* passing(99)
      assert.isUndefined(end.pollUnsafe())
      yield* passing(1)
      assert.strictEqual((yield* Fiber.join(end)) - begun, 100)

      const other = yield* distant(100)
      const broken = yield* Effect.forkChild(Effect.exit(other.peer.pull))
      yield* other.here.abort
      yield* passing(99)
      assert.isUndefined(broken.pollUnsafe())
      yield* passing(1)
      assert.strictEqual(ending(yield* Fiber.join(broken)), "read tcp 127.0.0.1:49152: reset by the peer")
    })
  )

  it.effect("a writer has room for what its own and the other system hold, and no more", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair({ sim: { sendBufferBytes: 1000, receiveBufferBytes: 500 } })
      yield* here.write(bytes(500))
      yield* here.write(bytes(1000))
      const waiting = yield* Effect.forkChild(here.write("x"))
      yield* settled
      assert.isUndefined(waiting.pollUnsafe())
      assert.strictEqual((yield* peer.pull).length, 500)
      yield* Fiber.join(waiting)
    })
  )

  it.effect("a reset destroys what the peer has not read", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* here.write("an answer")
      yield* settled
      yield* here.abort
      yield* settled
      assert.strictEqual(ending(yield* Effect.exit(peer.pull)), "read tcp 127.0.0.1:49152: reset by the peer")
    })
  )

  it.effect("a descriptor that is given back with input unread is a reset, which costs the peer its answer", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair()
      yield* peer.write("unread")
      yield* here.write("an answer")
      yield* settled
      ;(here as ConnectionImpl).transport.release()
      yield* settled
      assert.strictEqual(ending(yield* Effect.exit(peer.pull)), "read tcp 127.0.0.1:49152: reset by the peer")
      const abortingHere = yield* Effect.forkChild(here.abort)
      yield* passing(1000)
      yield* Fiber.join(abortingHere)

      const read = yield* pair()
      yield* read.here.write("an answer")
      ;(read.here as ConnectionImpl).transport.release()
      yield* settled
      assert.strictEqual(yield* Connection.readText(read.peer), "an answer")
      // A connection whose descriptor was taken from under it is told nothing more.
      const aborting = yield* Effect.forkChild(read.here.abort)
      yield* passing(1000)
      yield* Fiber.join(aborting)
    })
  )

  it.effect("bytes for a program that has gone are answered with a reset", () =>
    Effect.gen(function* () {
      const { here, peer } = yield* pair({ close: { lingerIdleTimeout: 0 } })
      yield* here.write("an answer")
      assert.strictEqual((yield* here.close)._tag, "LingerExpired")
      yield* peer.write("more")
      yield* settled
      assert.strictEqual(ending(yield* Effect.exit(peer.pull)), "read tcp 127.0.0.1:49152: reset by the peer")
    })
  )

  it.effect("nobody listens where nobody listens", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Network.connect("unix:///run/app.sock"))
      assert.strictEqual(error.message, "connect unix /run/app.sock: refused: nobody listens there")
    }).pipe(Effect.provide(SimNetwork.layer()))
  )

  it.effect("an address is listened to once, and again when the first has stopped", () =>
    Effect.gen(function* () {
      const network = yield* Network.Network
      yield* Effect.scoped(
        Effect.gen(function* () {
          const first = yield* network.listen(address)
          assert.strictEqual(
            (yield* Effect.flip(network.listen(address))).message,
            "listen tcp 127.0.0.1:7000: the address is in use by another listener"
          )
          first.attach({ onConnection: () => {}, onError: () => {}, onRefused: () => {} })
          yield* first.stop
          assert.strictEqual((yield* Effect.flip(network.connect(address))).reason._tag, "Refused")
          const second = yield* network.listen(address)
          assert.strictEqual(Address.format(second.address), address)
        })
      )
      yield* network.listen(address)
    }).pipe(Effect.scoped, Effect.provide(SimNetwork.layer()))
  )

  const loopback = ["localhost", "LocalHost", "127.0.0.1", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"]
  const wildcards = ["0.0.0.0", "[::]", "[0:0:0:0:0:0:0:0]"]
  const others = ["example.org", "127.0.0.2", "10.0.0.1", "[fe80::1]"]

  /** Whether who dials one address comes to the listener on the other. */
  const reaches = (dialled: string, listening: string) =>
    Effect.gen(function* () {
      const { network } = yield* SimNetwork.make()
      const listener = yield* network.listen(listening)
      let accepted = 0
      listener.attach({ onConnection: () => accepted++, onError: () => {}, onRefused: () => {} })
      const exit = yield* Effect.exit(Effect.tap(network.connect(dialled), (connection) => connection.abort))
      yield* settled
      assert.strictEqual(accepted, Exit.isSuccess(exit) ? 1 : 0)
      return Exit.isSuccess(exit)
    }).pipe(Effect.scoped)

  /** Whether two listeners cannot be at the same time. */
  const collide = (one: string, other: string) =>
    Effect.gen(function* () {
      const { network } = yield* SimNetwork.make()
      yield* network.listen(one)
      const exit = yield* Effect.exit(network.listen(other))
      if (Exit.isFailure(exit)) assert.include(ending(exit), "the address is in use by another listener")
      return Exit.isFailure(exit)
    }).pipe(Effect.scoped)

  it.effect("the names of this machine are one host, a wildcard is every host, and others are themselves", () =>
    Effect.gen(function* () {
      for (const listening of [...loopback, ...wildcards, ...others]) {
        for (const dialled of [...loopback, ...wildcards, ...others]) {
          const here = loopback.includes(listening) && (loopback.includes(dialled) || wildcards.includes(dialled))
          const expected = here || wildcards.includes(listening) || dialled === listening
          const pair = `${dialled} to ${listening}`
          assert.strictEqual(yield* reaches(`tcp://${dialled}:80`, `tcp://${listening}:80`), expected, pair)
          assert.isFalse(yield* reaches(`tcp://${dialled}:81`, `tcp://${listening}:80`), `${pair}, another port`)
        }
      }
      assert.isTrue(yield* reaches("tcp://EXAMPLE.org:80", "tcp://example.org:80"))
      assert.isTrue(yield* reaches("tcp://[FE80:0::1]:80", "tcp://[fe80::1]:80"))
      assert.isFalse(yield* reaches("unix:///run/app.sock", "tcp://0.0.0.0:80"))
      assert.isFalse(yield* reaches("unix:///run/app.sock", "unix:///run/App.sock"))
    })
  )

  it.effect("two listeners collide where one would take the other's connections", () =>
    Effect.gen(function* () {
      for (const one of [...loopback, ...wildcards, ...others]) {
        for (const other of [...loopback, ...wildcards, ...others]) {
          const same = one === other || (loopback.includes(one) && loopback.includes(other))
          const expected = same || wildcards.includes(one) || wildcards.includes(other)
          assert.strictEqual(yield* collide(`tcp://${one}:80`, `tcp://${other}:80`), expected, `${one} and ${other}`)
          assert.isFalse(yield* collide(`tcp://${one}:80`, `tcp://${other}:81`))
          assert.isFalse(yield* collide(`tcp://${one}:0`, `tcp://${other}:0`))
        }
      }
      assert.isTrue(yield* collide("unix:app.sock", "unix:app.sock"))
      assert.isFalse(yield* collide("unix:///app.sock", "unix:app.sock"))
    })
  )

  it.effect("the port that a listener is given is one that nobody listens on, and always a port", () =>
    Effect.gen(function* () {
      const { network } = yield* SimNetwork.make()
      yield* network.listen("tcp://0.0.0.0:49152")
      const listener = yield* network.listen("tcp://localhost:0")
      assert.strictEqual(Address.format(listener.address), "tcp://localhost:49153")
      yield* listener.stop
      for (let round = 0; round < 20_000; round++) {
        const { address } = yield* Effect.scoped(network.listen("tcp://127.0.0.1:0"))
        if (address._tag === "Unix" || address.port < 49153 || address.port > 65535) assert.fail(String(round))
      }
    }).pipe(Effect.scoped)
  )

  it.effect("who dialled a listener that nobody serves is reset when it ends", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const scope = yield* Scope.make()
      yield* Scope.provide(sim.network.listen(address), scope)
      const client = yield* sim.network.connect(address)
      const reading = yield* Effect.forkChild(Effect.exit(client.pull))
      yield* settled
      assert.isUndefined(reading.pollUnsafe())
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(ending(yield* Fiber.join(reading)), "read tcp 127.0.0.1:7000: reset by the peer")
      assert.strictEqual(yield* sim.socketsOpen, 0)
    })
  )

  it.effect("a listener hands out nothing while it is suspended, refuses what is too much, and goes on", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const listener = yield* sim.network.listen(address, { waitingMax: 2 })
      const got: Array<Connection.Connection> = []
      let refused = 0
      listener.attach({ onConnection: (c) => got.push(c), onRefused: () => refused++, onError: () => {} })
      listener.suspend()
      const clients = yield* Effect.forEach([0, 1, 2], () => sim.network.connect(address, { close: { deadline: 0 } }))
      yield* settled
      assert.strictEqual(listener.waiting, 2)
      assert.strictEqual(got.length, 0)
      assert.strictEqual(refused, 1)
      assert.strictEqual((yield* clients[2]!.close)._tag, "ResetByPeer")
      listener.resume()
      assert.strictEqual(listener.waiting, 0)
      assert.strictEqual(got.length, 2)
      for (const connection of got) yield* connection.abort
    })
  )

  it.effect("a failed accept is told to who serves the address, and to nobody else", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const listener = yield* sim.network.listen(address)
      const errors: Array<string> = []
      yield* sim.failAccept(Address.tcp("127.0.0.1", 7000), "EMFILE")
      listener.attach({ onConnection: () => {}, onRefused: () => {}, onError: (code) => errors.push(code) })
      yield* sim.failAccept(Address.tcp("127.0.0.1", 7000), "ENFILE")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(sim.failAccept(Address.tcp("127.0.0.1", 7001), "ENOMEM"))))
      yield* sim.failAccept("tcp://localhost:7000", "ENOBUFS")
      assert.deepStrictEqual(errors, ["ENFILE", "ENOBUFS"])
    })
  )

  it.effect("a Unix socket's client has no path", () =>
    Effect.gen(function* () {
      const sim = yield* SimNetwork.make()
      const listener = yield* sim.network.listen("unix:///run/app.sock")
      const got: Array<Connection.Connection> = []
      listener.attach({ onConnection: (c) => got.push(c), onRefused: () => {}, onError: () => {} })
      const client = yield* sim.network.connect("unix:///run/app.sock")
      assert.strictEqual(Address.describe(client.localAddress), "unix (unnamed)")
      yield* settled
      assert.strictEqual(Address.describe(got[0]!.remoteAddress), "unix (unnamed)")
      yield* client.write("x")
      assert.strictEqual(text(yield* got[0]!.pull), "x")
      yield* Effect.forkChild(politely(got[0]!))
      yield* client.close
    })
  )
})
