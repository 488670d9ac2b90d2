/** How the command ends when it cannot do what it was asked for. */
import { WrongArguments } from "../check/arguments.ts"
import { CannotStart } from "../check/Server.ts"

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
  say(`finwait: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
}
