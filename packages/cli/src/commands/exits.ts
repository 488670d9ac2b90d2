/** How the command ends when it cannot do what it was asked for. */
import * as Effect from "effect/Effect"
import { CannotStart } from "../check/Server.ts"
import { WrongArguments } from "./arguments.ts"

/** Something else than what can be expected: a mistake of ours. */
class Broken extends Error {
  readonly _tag = "Broken"
}

/** A promise that fails with what is told to the user. */
export const promised = <A>(
  run: (signal: AbortSignal) => Promise<A>
): Effect.Effect<A, WrongArguments | CannotStart | Broken> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      cause instanceof WrongArguments || cause instanceof CannotStart ? cause : new Broken("a defect", { cause })
  })

let isStopped = false

/** It was told to stop: what fails now fails because of that. */
export const told = (code: number): void => {
  isStopped = true
  process.exitCode = code
}

export const failure = (error: unknown): void => {
  if (isStopped) return
  process.exitCode = 2
  const say = (text: string) => process.stderr.write(`${text}\n`)
  if (error instanceof WrongArguments) return void say(`finwait: ${error.message}`)
  if (error instanceof CannotStart) {
    say(`\nfinwait: ${error.message}`)
    const output = error.output.trim()
    if (output !== "") say(`\nWhat it said:\n${output.replaceAll(/^/gm, "  ")}`)
    return
  }
  const cause = error instanceof Broken ? error.cause : error
  say(`finwait: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`)
}
