import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as EffectSocketServer from "effect/socket/SocketServer"
import * as Connection from "finwait/Connection"
import { NetworkError } from "finwait/NetworkError"
import { ShutdownBudgetError } from "finwait/ShutdownBudget"
import * as SocketServer from "finwait/SocketServer"
import { address, now, passing, settled, text } from "./support/network.ts"
import { budget } from "./support/server.ts"
import { echoing, listen, running, world } from "./support/sockets.ts"

const code = (exit: Exit.Exit<unknown, unknown>) => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return Socket.isSocketError(error) && error.reason._tag === "SocketCloseError" ? error.reason.code : error
}

describe("a socket server", () => {
  it.effect("knows its address before it runs, and serves who came before", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { server } = yield* listen(here)
      assert.isTrue(NetAddress.isInetAddress(server.address))
      assert.strictEqual(NetAddress.isInetAddress(server.address) && server.address.port, 7000)
      const early = yield* here.dial
      yield* early.write("early")
      yield* settled
      yield* running(here, server, echoing)
      assert.strictEqual(text(yield* early.pull), "early")
    })
  )

  it.effect("says why it cannot listen, in the cause", () =>
    Effect.gen(function* () {
      const here = yield* world()
      yield* listen(here)
      const error = yield* Effect.flip(listen(here))
      assert.isTrue(error instanceof EffectSocketServer.SocketServerError)
      assert.strictEqual(error.reason._tag, "SocketServerOpenError")
      assert.isTrue(error.reason.cause instanceof NetworkError)
      const unfit = { grace: "1 second", deadline: "10 seconds" } as const
      const { reason } = yield* Effect.flip(listen(here, { listen: "tcp://127.0.0.1:7001", drain: unfit }))
      assert.isTrue(reason.cause instanceof ShutdownBudgetError)
    })
  )

  it.effect("gives handlers what the program has, and no scope but their own", () =>
    Effect.gen(function* () {
      class Name extends Context.Service<Name, string>()("test/Name") {}
      const here = yield* world()
      const { server } = yield* listen(here)
      const seen: Array<unknown> = []
      const handler = () =>
        Effect.gen(function* () {
          seen.push(yield* Name, yield* Effect.serviceOption(Scope.Scope))
        })
      yield* running(
        here,
        { ...server, run: (handle) => Effect.provideService(server.run(handle), Name, "n") as never },
        handler as never
      )
      yield* here.dial
      yield* settled
      assert.strictEqual(seen[0], "n")
      assert.strictEqual((seen[1] as { _tag: string })._tag, "None")
    })
  )

  it.effect("gives a socket that is a connection", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { server } = yield* listen(here)
      const seen: Array<boolean> = []
      yield* running(here, server, (socket) => Effect.sync(() => seen.push(Connection.isConnection(socket))))
      yield* here.dial
      yield* settled
      assert.deepStrictEqual(seen, [true])
    })
  )

  it.effect("closes the connection at the end of the reader's scope, though the handler goes on", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { server } = yield* listen(here)
      yield* running(here, server, (socket) =>
        Effect.scoped(
          Effect.gen(function* () {
            // The writer's scope is the handler's: it is not its release that ends the connection.
            const { write } = yield* socket.writer
            yield* Effect.scoped(
              Effect.flatMap(socket.reader, ({ pull }) => Effect.flatMap(pull, ([frame]) => write(frame)))
            )
            return yield* Effect.never
          })
        )
      )
      const client = yield* here.dial
      yield* client.write("all")
      assert.strictEqual(yield* Connection.readText(client), "all")
      assert.strictEqual((yield* client.close)._tag, "Graceful")
    })
  )

  it.effect(
    "a handler that fails ends its connection and no other, and what a peer can bring about is no warning",
    () =>
      Effect.gen(function* () {
        const here = yield* world()
        const { server } = yield* listen(here)
        const dying = (socket: Socket.Socket) => Effect.orDie(echoing(socket))
        yield* running(here, server, dying)
        const other = yield* here.dial
        for (const end of [Connection.readText, (client: Connection.Connection) => client.abort]) {
          const client = yield* here.dial
          yield* client.closeWrite
          yield* end(client)
        }
        yield* settled
        assert.deepStrictEqual(here.logged, [])
        yield* other.write("still here")
        assert.strictEqual(text(yield* other.pull), "still here")
      })
  )

  it.effect("tells a handler's own failure, and counts it", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { server } = yield* listen(here)
      yield* running(here, server, () => Effect.die(new Error("mine")))
      yield* here.dial
      yield* settled
      assert.match(here.logged.join(), /^Error handler of tcp .*: failed/)
    })
  )

  it.effect("an interruption of run drains: readers end, handlers have their time, and nobody new is served", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { reports, server } = yield* listen(here)
      const ends: Array<unknown> = []
      const fiber = yield* running(here, server, (socket) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { write } = yield* socket.writer
            const { pull } = yield* socket.reader
            yield* pull
            ends.push(code(yield* Effect.exit(pull)))
            yield* Effect.sleep("3 seconds")
            yield* write("done")
          })
        )
      )
      const client = yield* here.dial
      yield* client.write("work")
      yield* settled
      const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* settled
      assert.deepStrictEqual(ends, [1000])
      assert.strictEqual((yield* Effect.exit(here.sim.network.connect(address)))._tag, "Failure")
      const reading = yield* Effect.forkChild(
        Effect.andThen(Connection.readText(client), (text) => Effect.as(client.close, text))
      )
      yield* passing("3 seconds")
      assert.strictEqual(yield* Fiber.join(reading), "done")
      yield* Fiber.join(stopping)
      assert.strictEqual(yield* now, 3000)
      assert.deepStrictEqual(
        reports.map(({ clean, connections }) => ({ clean, connections })),
        [{ clean: true, connections: 1 }]
      )
    })
  )

  it.effect("the drain ends at its deadline, whatever a handler does", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { reports, server } = yield* listen(here)
      const fiber = yield* running(here, server, () => Effect.never)
      yield* here.dial
      yield* settled
      const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* passing(budget.deadline + budget.close)
      yield* passing("2 seconds")
      yield* Fiber.join(stopping)
      assert.strictEqual(reports[0]?.forcedAt, "Interrupting")
    })
  )

  it.effect("the end of its scope drains it as well, and a signal does before both", () =>
    Effect.gen(function* () {
      for (const how of ["scope", "signal"] as const) {
        const here = yield* world()
        const { reports, scope, server } = yield* listen(here)
        const fiber = yield* running(here, server, echoing)
        const client = yield* here.dial
        yield* client.write("x")
        yield* settled
        const stopping = yield* Effect.forkChild(
          how === "scope" ? Scope.close(scope, Exit.void) : Effect.sync(() => here.shutdown.begin())
        )
        assert.strictEqual(yield* Connection.readText(client), "x")
        yield* client.close
        yield* Fiber.join(stopping)
        yield* settled
        assert.strictEqual(reports.length, 1)
        assert.isUndefined(fiber.pollUnsafe())
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(reports.length, 1)
      }
    })
  )

  it.effect("runs once: a second one fails, while the first runs and after it", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { server } = yield* listen(here)
      const fiber = yield* running(here, server, echoing)
      const message = Effect.map(Effect.flip(server.run(echoing)), ({ reason }) => (reason.cause as Error).message)
      assert.strictEqual(yield* message, "it runs already")
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* message, "it has drained, and is over")
      // Whoever forks it hears of no failure.
      assert.deepStrictEqual(here.logged, [])
      yield* Effect.exit(Effect.provideContext(server.run(echoing), here.context))
      assert.deepStrictEqual(here.logged, ["Error SocketServer.run"])
    })
  )

  it.effect("takes the limits of a server", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { server } = yield* listen(here, { connectionsMax: 1, overflow: "refuse" })
      yield* running(here, server, echoing)
      const first = yield* here.dial
      const second = yield* here.dial
      yield* settled
      assert.strictEqual((yield* Effect.exit(second.pull))._tag, "Failure")
      yield* first.write("x")
      assert.strictEqual(text(yield* first.pull), "x")
    })
  )

  it("is a layer", () => {
    assert.isDefined(SocketServer.layer({ listen: address }))
  })
})
