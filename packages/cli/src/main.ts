#!/usr/bin/env node
/**
 * The command `finwait`. Exit codes: 0 when everything passed, 1 when something was found, 2 when the server did not start
 * or the arguments are wrong, 130 and 143 when it was told to stop.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import { readFileSync } from "node:fs"
import { checkCommand } from "./commands/check.ts"
import { demoCommand } from "./commands/demo.ts"
import { explainCommand } from "./commands/explain.ts"
import { endAll } from "./check/Server.ts"
import { failure, told } from "./commands/exits.ts"

const version = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version as string

const argv = process.argv.slice(2)
// What comes behind `--` is somebody else's command line.
const at = argv.indexOf("--")
const [words, command] = at < 0 ? [argv, []] : [argv.slice(0, at), argv.slice(at + 1)]

const finwait = Command.make("finwait").pipe(
  Command.withDescription("Does your server say goodbye?"),
  Command.withSubcommands([checkCommand(command), demoCommand, explainCommand])
)

const main = Command.runWith(finwait, { version })(words).pipe(
  Effect.catch((error) =>
    Effect.sync(() => {
      if (CliError.isCliError(error)) process.exitCode = 2
      else failure(error)
    })
  ),
  Effect.provide(NodeServices.layer)
)

const stopped = new AbortController()

const stop = (code: number) => (signal: NodeJS.Signals) => {
  if (!stopped.signal.aborted) process.stderr.write(`\nfinwait: stopped by ${signal}; nothing is judged\n`)
  told(code)
  stopped.abort()
  // Ends what it has started; the watchdog does where this cannot.
  void endAll().finally(() => process.exit(code))
}
process.on("SIGINT", stop(130)).on("SIGTERM", stop(143)).on("SIGHUP", stop(129))

await Effect.runPromise(main, { signal: stopped.signal }).catch((error: unknown) => {
  if (!stopped.signal.aborted) throw error
})
