/**
 * Effect's socket server on a simulated network, and its `run` as a fiber.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import type * as EffectSocketServer from "effect/socket/SocketServer"
import type { Report } from "finwait/Drain"
import * as Network from "finwait/Network"
import * as Shutdown from "finwait/Shutdown"
import * as SocketServer from "finwait/SocketServer"
import * as SimNetwork from "finwait/testing/SimNetwork"
import { address, clockUsed, settled } from "./network.ts"
import { budget } from "./server.ts"

/** A simulated network, and what else programs of a test have around them; what they log at Warning and above. */
export const world = Effect.fnUntraced(function* () {
  yield* clockUsed
  const sim = yield* SimNetwork.make()
  const shutdown = Shutdown.make()
  const logged: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    if (logLevel !== "Info") logged.push(`${logLevel} ${String(Array.isArray(message) ? message[0] : message)}`)
  })
  const context = Context.empty().pipe(
    Context.add(Network.Network, sim.network),
    Context.add(Shutdown.CurrentShutdown, shutdown),
    Context.add(Logger.CurrentLoggers, new Set([logger])),
    Context.add(References.MinimumLogLevel, "Warn")
  )
  const dial = Effect.acquireRelease(sim.network.connect(address), (connection) => connection.abort)
  return { sim, shutdown, context, logged, dial }
})

export type World = Effect.Success<ReturnType<typeof world>>

export const listen = Effect.fnUntraced(function* (world: World, options: Partial<SocketServer.Options> = {}) {
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  const reports: Array<Report> = []
  const server = yield* SocketServer.make({
    listen: address,
    drain: budget,
    onDrained: (report) => Effect.sync(() => reports.push(report)),
    ...options
  }).pipe(Scope.provide(scope), Effect.provideContext(world.context))
  return { server, scope, reports }
})

/** Runs it, and gives it the time to begin. */
export const running = Effect.fnUntraced(function* <E>(
  world: World,
  server: EffectSocketServer.SocketServer["Service"],
  handler: (socket: Socket.Socket) => Effect.Effect<unknown, E>
): Effect.fn.Return<Fiber.Fiber<never, EffectSocketServer.SocketServerError>, never, Scope.Scope> {
  const fiber = yield* Effect.forkScoped(Effect.provideContext(server.run(handler), world.context))
  // Whatever a test leaves open is cut, before anybody waits for it.
  yield* Effect.addFinalizer(() => Effect.sync(() => world.shutdown.cut()))
  yield* settled
  return fiber
})

/** As Effect's own servers are written: a scope, a writer, a reader that is pulled until it fails. */
export const echoing = (socket: Socket.Socket): Effect.Effect<never, Socket.SocketError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* socket.writer
      const { pull } = yield* socket.reader
      return yield* Effect.forever(Effect.flatMap(pull, writer.writeAll))
    })
  )
