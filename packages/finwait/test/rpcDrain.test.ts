import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcClient from "effect/rpc/RpcClient"
import { RpcClientError } from "effect/rpc/RpcClientError"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as EffectSocketServer from "effect/socket/SocketServer"
import * as Stream from "effect/Stream"
import * as Connection from "finwait/Connection"
import * as Network from "finwait/Network"
import * as RpcDrain from "finwait/RpcDrain"
import * as SocketClient from "finwait/SocketClient"
import { address, now, passing, settled, text } from "./support/network.ts"
import { listen, type World, world } from "./support/sockets.ts"

const Jobs = RpcGroup.make(
  Rpc.make("Work", { payload: { seconds: Schema.Number }, success: Schema.String }),
  Rpc.make("Count", { payload: { to: Schema.Number }, success: Schema.Number, stream: true }),
  Rpc.make("Fail", { payload: { seconds: Schema.Number }, error: Schema.String }),
  Rpc.make("Die", { payload: { seconds: Schema.Number } })
)

/** What the handlers lived through. */
const jobs = (log: Array<string>) =>
  Jobs.toLayer({
    Work: ({ seconds }) =>
      Effect.sync(() => void log.push(`begin ${seconds}`)).pipe(
        Effect.andThen(Effect.sleep(seconds * 1000)),
        Effect.as(`worked ${seconds}`),
        Effect.onInterrupt(() => Effect.sync(() => void log.push(`interrupted ${seconds}`)))
      ),
    Count: ({ to }) => Stream.range(1, to).pipe(Stream.mapEffect((n) => Effect.delay(Effect.succeed(n), "1 second"))),
    Fail: ({ seconds }) => Effect.delay(Effect.fail(`failed after ${seconds}`), seconds * 1000),
    Die: ({ seconds }) => Effect.delay(Effect.die("died"), seconds * 1000)
  })

interface Served {
  readonly log: ReadonlyArray<string>
  /** Ends the server as a program ends: the scope of its layers. */
  readonly stop: Effect.Effect<void>
  readonly reports: ReadonlyArray<{ readonly clean: boolean; readonly connections: number }>
}

const serve = Effect.fnUntraced(function* (
  here: World,
  protocol: typeof RpcDrain.layerProtocolSocketServer = RpcDrain.layerProtocolSocketServer,
  options: Parameters<typeof listen>[1] = {}
) {
  const log: Array<string> = []
  const { reports, scope, server } = yield* listen(here, options)
  const layer = RpcServer.layer(Jobs, { disableTracing: true }).pipe(
    Layer.provide(jobs(log)),
    Layer.provide(protocol),
    Layer.provide(Layer.succeed(EffectSocketServer.SocketServer, server)),
    Layer.provide(RpcSerialization.layerNdjson)
  )
  yield* Layer.build(layer).pipe(Scope.provide(scope), Effect.provideContext(here.context))
  yield* settled
  yield* Effect.addFinalizer(() => Effect.sync(() => here.shutdown.cut()))
  const served: Served = { log, reports, stop: Scope.close(scope, Exit.void) }
  return served
})

const connect = Effect.fnUntraced(function* (here: World) {
  const socket = yield* Effect.provideService(SocketClient.make(address), Network.Network, here.sim.network)
  const context = yield* Layer.build(
    RpcClient.layerProtocolSocket({ retryPolicy: Schedule.spaced("100 millis") }).pipe(
      Layer.provide(Layer.succeed(Socket.Socket, socket)),
      Layer.provide(RpcSerialization.layerNdjson)
    )
  )
  const client = yield* Effect.provideContext(
    RpcClient.make(Jobs, { disableTracing: true }),
    context as Context.Context<never>
  )
  yield* settled
  return client
}) as (here: World) => Effect.Effect<RpcClient.RpcClient<RpcGroup.Rpcs<typeof Jobs>, never>, never, Scope.Scope>

/** As a client of another make would say it. */
const request = (id: number, tag: string, seconds: number): string =>
  `${JSON.stringify({ _tag: "Request", id: `${id}`, tag, payload: { seconds }, headers: [] })}\n`

/** How a call ended, in a word. */
const ended = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return String(exit.value)
  if (Cause.hasInterrupts(exit.cause)) return "Interrupt"
  const error = Cause.squash(exit.cause)
  return error instanceof RpcClientError ? `RpcClientError ${error.reason._tag}` : (error as string)
}

const calling = <A, E>(call: Effect.Effect<A, E>) => Effect.forkChild(Effect.map(Effect.exit(call), ended))

describe("RPC in a drain", () => {
  it.effect("calls under way are finished and answered, each connection is closed behind its last", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { log, reports, stop } = yield* serve(here)
      const [one, two, idle] = [yield* connect(here), yield* connect(here), yield* connect(here)]
      void idle
      const calls = [
        yield* calling(one.Work({ seconds: 2 })),
        yield* calling(one.Work({ seconds: 4 })),
        yield* calling(two.Work({ seconds: 3 }))
      ]
      yield* settled
      const stopping = yield* Effect.forkChild(stop)
      yield* settled
      yield* passing("2 seconds")
      assert.strictEqual(yield* Fiber.join(calls[0]!), "worked 2")
      yield* passing("1 second")
      assert.strictEqual(yield* Fiber.join(calls[2]!), "worked 3")
      assert.isUndefined(stopping.pollUnsafe())
      yield* passing("1 second")
      assert.strictEqual(yield* Fiber.join(calls[1]!), "worked 4")
      yield* passing("200 millis")
      yield* Fiber.join(stopping)
      assert.isBelow(yield* now, 4500)
      assert.deepStrictEqual(log.toSorted(), ["begin 2", "begin 3", "begin 4"])
      assert.deepStrictEqual(
        reports.map(({ clean, connections }) => ({ clean, connections })),
        [{ clean: true, connections: 3 }]
      )
    })
  )

  it.effect("Effect's own protocol interrupts them: what this module is there for", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { stop } = yield* serve(here, RpcServer.layerProtocolSocketServer)
      const client = yield* connect(here)
      const call = yield* calling(client.Work({ seconds: 2 }))
      yield* settled
      const stopping = yield* Effect.forkChild(stop)
      yield* passing("2 seconds")
      assert.strictEqual(yield* Fiber.join(call), "Interrupt")
      yield* Fiber.join(stopping)
    })
  )

  it.effect("a call that comes after the announcement is not begun, and fails so that it can be made again", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { log, stop } = yield* serve(here)
      const client = yield* connect(here)
      const early = yield* calling(client.Work({ seconds: 2 }))
      yield* settled
      const stopping = yield* Effect.forkChild(stop)
      yield* passing("1 second")
      const late = yield* calling(client.Work({ seconds: 1 }))
      yield* settled
      assert.isUndefined(late.pollUnsafe())
      yield* passing("1 second")
      assert.strictEqual(yield* Fiber.join(early), "worked 2")
      assert.strictEqual(yield* Fiber.join(late), "RpcClientError SocketCloseError")
      yield* passing("1 second")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(log, ["begin 2"])
    })
  )

  it.effect("and is answered by the next server, when it is made again", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const first = yield* serve(here)
      const client = yield* connect(here)
      const early = yield* calling(client.Work({ seconds: 2 }))
      yield* settled
      const stopping = yield* Effect.forkChild(first.stop)
      yield* passing("1 second")
      const again = client.Work({ seconds: 1 }).pipe(
        Effect.retry({
          while: (error) => (error as { _tag: string })._tag === "RpcClientError",
          schedule: Schedule.spaced(100)
        })
      )
      const late = yield* calling(again)
      yield* passing("1 second")
      assert.strictEqual(yield* Fiber.join(early), "worked 2")
      yield* passing("1 second")
      yield* Fiber.join(stopping)
      const second = yield* serve(here)
      yield* passing("2 seconds")
      assert.strictEqual(yield* Fiber.join(late), "worked 1")
      assert.deepStrictEqual(second.log, ["begin 1"])
    })
  )

  it.effect("a stream goes on to its end: what its client acknowledges is still read", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { stop } = yield* serve(here)
      const client = yield* connect(here)
      const counting = yield* calling(Stream.runCollect(client.Count({ to: 5 })))
      yield* passing("1500 millis")
      const stopping = yield* Effect.forkChild(stop)
      for (let second = 0; second < 6; second++) yield* passing("1 second")
      assert.strictEqual(yield* Fiber.join(counting), "1,2,3,4,5")
      yield* Fiber.join(stopping)
      assert.isBelow(yield* now, 8000)
    })
  )

  it.effect("a client that interrupts its call ends the wait for it", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { log, reports, stop } = yield* serve(here)
      const client = yield* connect(here)
      const call = yield* Effect.forkChild(client.Work({ seconds: 8 }))
      yield* settled
      const stopping = yield* Effect.forkChild(stop)
      yield* passing("1 second")
      yield* Effect.forkChild(Fiber.interrupt(call))
      yield* passing("1 second")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(log, ["begin 8", "interrupted 8"])
      assert.isTrue(reports[0]!.clean)
    })
  )

  it.effect("failures and defects are answers as well", () =>
    Effect.gen(function* () {
      for (const call of ["Fail", "Die"] as const) {
        const here = yield* world()
        const { reports, stop } = yield* serve(here)
        const client = yield* connect(here)
        const calls = yield* calling(client[call]({ seconds: 2 }))
        yield* settled
        const stopping = yield* Effect.forkChild(stop)
        yield* passing("2 seconds")
        assert.match(yield* Fiber.join(calls), /^(failed after 2|died)$/)
        yield* passing("1 second")
        yield* Fiber.join(stopping)
        assert.isTrue(reports[0]!.clean)
      }
    })
  )

  it.effect("a call that takes longer than the drain is interrupted at its deadline, and that is said", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { log, reports, stop } = yield* serve(here)
      const client = yield* connect(here)
      const call = yield* calling(client.Work({ seconds: 60 }))
      yield* settled
      const stopping = yield* Effect.forkChild(stop)
      yield* passing("10 seconds")
      yield* passing("8 seconds")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(log, ["begin 60", "interrupted 60"])
      assert.isFalse(reports[0]!.clean)
      assert.notStrictEqual(yield* Fiber.join(call), "worked 60")
    })
  )

  it.effect("a call that dies takes none beside it along, for a client that goes on", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { log, reports, stop } = yield* serve(here)
      const client = yield* here.dial
      yield* client.write(request(1, "Die", 1) + request(2, "Work", 3))
      yield* settled
      const stopping = yield* Effect.forkChild(stop)
      yield* passing("1 second")
      yield* passing("2 seconds")
      const said = yield* Connection.readText(client)
      yield* client.close
      assert.match(said, /"Defect"[^]*worked 3/)
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(log, ["begin 3"])
      assert.isTrue(reports[0]!.clean)
    })
  )

  it.effect("an idle limit does not count the time in which calls work", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { log } = yield* serve(here, RpcDrain.layerProtocolSocketServer, { idleTimeout: "1 second" })
      const client = yield* here.dial
      yield* client.write(request(1, "Work", 5))
      for (let second = 0; second < 5; second++) yield* passing("1 second")
      assert.match(text(yield* client.pull), /worked 5/)
      // Then it does.
      yield* passing("2 seconds")
      assert.strictEqual((yield* Effect.exit(client.pull))._tag, "Failure")
      yield* client.close
      assert.deepStrictEqual(log, ["begin 5"])
    })
  )

  it.effect("a client that leaves ends the wait for its calls", () =>
    Effect.gen(function* () {
      const here = yield* world()
      const { reports, stop } = yield* serve(here)
      const scope = yield* Scope.make()
      const client = yield* Scope.provide(connect(here), scope)
      yield* calling(client.Work({ seconds: 8 }))
      yield* settled
      const stopping = yield* Effect.forkChild(stop)
      yield* passing("1 second")
      yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* passing("2 seconds")
      yield* Fiber.join(stopping)
      assert.isTrue(reports[0]!.clean)
    })
  )
})
