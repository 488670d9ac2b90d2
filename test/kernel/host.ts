/**
 * A process with many servers, each in a scope of its own. The end of the scope is what tells the server to end.
 *
 *     start { group, limits, connections }    the port
 *     full group                              when so many connections are being served
 *     drain group                             the report, and how long the end of the scope took
 */
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import type { Tcp } from "finwait/Address"
import type { Network } from "finwait/Network"
import * as Server from "finwait/Server"
import { Latch } from "../../packages/cli/src/Waiting.ts"
import { options } from "./handler.ts"
import type { Limits } from "./Limits.ts"
import { answer } from "./rpc.ts"

interface Hosted {
  readonly server: Server.Server["Service"]
  readonly scope: Scope.Closeable
  readonly full: Latch
}

export interface Start {
  readonly group: number
  readonly limits: Limits
  readonly connections: number
}

const hosted = new Map<number, Hosted>()

const start = Effect.fnUntraced(function* ({ connections, group, limits }: Start) {
  const scope = yield* Scope.make()
  const full = new Latch()
  const server = yield* Scope.provide(Server.make(options(limits, connections, full.open)), scope)
  hosted.set(group, { server, scope, full })
  return (server.address as Tcp).port
})

const drain = Effect.fnUntraced(function* (group: number) {
  const { scope, server } = hosted.get(group)!
  hosted.delete(group)
  const began = performance.now()
  yield* Scope.close(scope, Exit.void)
  const millis = performance.now() - began
  return { millis, report: yield* server.drain.report }
})

const main = Effect.flatMap(Effect.context<Network>(), (context) =>
  Effect.callback<void>((resume) => {
    const run = Effect.runPromiseWith(context)
    answer(
      {
        start: (argument: Start) => run(start(argument)),
        full: (group: number) => hosted.get(group)!.full.opened,
        drain: (group: number) => run(drain(group))
      },
      () => resume(Effect.void)
    )
  })
)

NodeProcess.runMain(
  main.pipe(Effect.provide(NodeNetwork.layer), Effect.provideService(Logger.CurrentLoggers, new Set())),
  // What every server's own budget has to fit into.
  { shutdown: { grace: "2 minutes" } }
)
