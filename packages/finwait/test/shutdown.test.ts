import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import * as Shutdown from "finwait/Shutdown"
import * as ShutdownBudget from "finwait/ShutdownBudget"
import { pair, politely, settled } from "./support/network.ts"

describe("a shutdown", () => {
  it("is cut once, and tells who came before and who comes after", () => {
    const shutdown = Shutdown.make()
    const told: Array<string> = []
    shutdown.onCut(() => told.push("before"))
    const takeBack = shutdown.onCut(() => told.push("taken back"))
    takeBack()
    takeBack()
    assert.isFalse(shutdown.isCut)
    shutdown.cut()
    shutdown.cut()
    assert.isTrue(shutdown.isCut)
    shutdown.onCut(() => told.push("after"))()
    assert.deepStrictEqual(told, ["before", "after"])
  })

  it("is asked for once, with the first reason", () => {
    const shutdown = Shutdown.make()
    const told: Array<string> = []
    shutdown.onRequest((why) => told.push(`before: ${why}`))
    shutdown.request("the first")
    shutdown.request("the second")
    shutdown.onRequest((why) => told.push(`after: ${why}`))
    assert.deepStrictEqual(told, ["before: the first", "after: the first"])
    assert.isFalse(shutdown.isCut)
  })

  it("one that is told may take others back, or ask for more", () => {
    const shutdown = Shutdown.make()
    const told: Array<string> = []
    shutdown.onCut(() => {
      told.push("first")
      shutdown.onCut(() => told.push("within"))
      shutdown.cut()
    })
    shutdown.onCut(() => told.push("second"))
    shutdown.cut()
    assert.deepStrictEqual(told, ["first", "within", "second"])
  })

  it("counts what it forced, keeps the reports, and knows its budget", () => {
    const budget = Effect.runSync(ShutdownBudget.make())
    const shutdown = Shutdown.make(budget)
    assert.strictEqual(shutdown.budget, budget)
    assert.isUndefined(Shutdown.make().budget)
    shutdown.force()
    shutdown.force()
    assert.strictEqual(shutdown.forced, 2)
    const report = { clean: true } as never
    shutdown.report(report)
    assert.deepStrictEqual(shutdown.reports, [report])
  })

  it.effect("cuts short the closes of connections that belong to no server, and counts them", () =>
    Effect.gen(function* () {
      const shutdown = Shutdown.make()
      const { here } = yield* Effect.provideService(pair(), Shutdown.CurrentShutdown, shutdown)
      const closing = yield* Effect.forkChild(here.close)
      yield* settled
      assert.strictEqual(here.stage, "Lingering")
      shutdown.cut()
      const outcome = yield* Fiber.join(closing)
      assert.strictEqual(outcome._tag === "Aborted" && outcome.cause, "shutdown")
      assert.strictEqual(shutdown.forced, 1)
    })
  )

  it.effect("does not touch a connection that nobody closes", () =>
    Effect.gen(function* () {
      const shutdown = Shutdown.make()
      const { here, peer } = yield* Effect.provideService(pair(), Shutdown.CurrentShutdown, shutdown)
      shutdown.cut()
      yield* here.write("still here")
      yield* settled
      assert.strictEqual(here.stage, "Open")
      // From the cut on a close has no time.
      const outcome = yield* here.close
      assert.strictEqual(outcome._tag === "Aborted" && outcome.stage, "Open")
      assert.strictEqual((yield* peer.close)._tag, "ResetByPeer")
    })
  )

  it.effect("forgets a connection that has closed", () =>
    Effect.gen(function* () {
      const shutdown = Shutdown.make()
      const { here, peer } = yield* Effect.provideService(pair(), Shutdown.CurrentShutdown, shutdown)
      const reading = yield* Effect.forkChild(politely(peer))
      assert.strictEqual((yield* here.close)._tag, "Graceful")
      yield* Fiber.join(reading)
      shutdown.cut()
      assert.strictEqual(shutdown.forced, 0)
      assert.strictEqual((yield* here.outcome)._tag, "Graceful")
    })
  )

  it.effect("an abort of the application's own is not forced", () =>
    Effect.gen(function* () {
      const shutdown = Shutdown.make()
      const { here } = yield* Effect.provideService(pair(), Shutdown.CurrentShutdown, shutdown)
      yield* here.abort
      assert.strictEqual(shutdown.forced, 0)
    })
  )

  it.effect("an abort after the cut is the application's own all the same", () =>
    Effect.gen(function* () {
      const shutdown = Shutdown.make()
      const { here } = yield* Effect.provideService(pair(), Shutdown.CurrentShutdown, shutdown)
      shutdown.cut()
      const outcome = yield* here.abort
      assert.strictEqual(outcome._tag === "Aborted" && outcome.cause, "abort")
      assert.strictEqual(shutdown.forced, 0)
    })
  )

  it.effect("holds nothing of connections that have closed, nor of drains that are done", () =>
    Effect.gen(function* () {
      const held = new Set<() => void>()
      const shutdown: Shutdown.Shutdown = {
        ...Shutdown.make(),
        onCut(callback) {
          held.add(callback)
          return () => void held.delete(callback)
        }
      }
      const { here, sim } = yield* Effect.provideService(pair(), Shutdown.CurrentShutdown, shutdown)
      assert.strictEqual(held.size, 0, "a connection that is open is none of its business")
      const closing = yield* Effect.forkChild(here.close)
      yield* settled
      assert.strictEqual(held.size, 1)
      yield* here.abort
      yield* Fiber.join(closing)
      assert.strictEqual(held.size, 0)

      const server = yield* Server.make({
        listen: "tcp://127.0.0.1:7001",
        handler: (connection) => connection.draining
      }).pipe(
        Effect.provideService(Network.Network, sim.network),
        Effect.provideService(Shutdown.CurrentShutdown, shutdown)
      )
      const client = yield* sim.network.connect(server.address)
      yield* settled
      assert.strictEqual(held.size, 1, "the server, for all that are its own")
      const draining = yield* Effect.forkChild(server.drain.begin)
      yield* settled
      assert.strictEqual(held.size, 1)
      yield* politely(client)
      yield* Fiber.join(draining)
      yield* settled
      assert.strictEqual(held.size, 0)
    })
  )
})
