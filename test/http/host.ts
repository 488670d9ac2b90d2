/**
 * A process with one server after the other, each ended by the end of its scope.
 *
 *     start settings    the port
 *     asked n           when so many have asked the one that runs
 *     drain             its report, how long the end of the scope took, and how many had asked
 */
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import type { Report } from "finwait/Drain"
import { answer } from "../kernel/rpc.ts"
import { serve, type Settings } from "./app.ts"
import { Count } from "./Count.ts"

interface Running {
  readonly scope: Scope.Closeable
  readonly asked: Count
  report: Report | undefined
}

let running: Running | undefined

const start = Effect.fnUntraced(function* (settings: Settings) {
  const mine: Running = { scope: yield* Scope.make(), asked: new Count(), report: undefined }
  running = mine
  const asked = { asked: mine.asked, told: new Promise<void>(() => {}) }
  return yield* Scope.provide(
    serve(settings, asked, (report) => (mine.report = report)),
    mine.scope
  )
})

const drain = Effect.suspend(() => {
  const { asked, scope } = running!
  const began = performance.now()
  return Effect.map(Scope.close(scope, Exit.void), () => ({
    millis: performance.now() - began,
    report: running!.report,
    asked: asked.value
  }))
})

const quiet = Effect.provideService(Logger.CurrentLoggers, new Set())

const main = Effect.callback<void>((resume) =>
  answer(
    {
      start: (settings: Settings) => Effect.runPromise(quiet(start(settings))),
      asked: (least: number) => running!.asked.reaches(least),
      drain: () => Effect.runPromise(quiet(drain))
    },
    () => resume(Effect.void)
  )
)

NodeProcess.runMain(quiet(main))
