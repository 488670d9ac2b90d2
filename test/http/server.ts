/** A server that is a process, and ends by a signal. Its argument is the settings; `asked n` when so many have asked. */
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { answer, say } from "../kernel/rpc.ts"
import { serve, type Settings } from "./app.ts"
import { Count } from "./Count.ts"

const settings = JSON.parse(process.argv[2]!) as Settings

const asked = new Count()
const told = new Promise<void>((resolve) => process.once("SIGTERM", () => resolve()))

const main = Effect.gen(function* () {
  const port = yield* serve(settings, { asked, told }, (report) => say({ drained: { report, asked: asked.value } }))
  answer({ asked: (least: number) => asked.reaches(least) })
  say({ port })
  return yield* Effect.never
}).pipe(Effect.scoped, Effect.provideService(Logger.CurrentLoggers, new Set()))

NodeProcess.runMain(main)
