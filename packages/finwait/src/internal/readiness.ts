/**
 * Whether a server takes new work: what is looked at, and the list in which it is told.
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Drain } from "../Drain.ts"
import { quietly } from "./observe.ts"

export interface Finding {
  readonly name: string
  /** What the list says of it; `undefined` when all is well. */
  readonly problem: string | undefined
}

export const isWell = ({ problem }: Finding): boolean => problem === undefined

/** As the servers of Kubernetes list it: `[+]ping ok`, `[-]etcd failed`, and a last line for all of it. */
export const listed = (findings: ReadonlyArray<Finding>): string => {
  const lines = findings.map(({ name, problem }) => (problem === undefined ? `[+]${name} ok` : `[-]${name} ${problem}`))
  return `${[...lines, `readyz check ${findings.every(isWell) ? "passed" : "failed"}`].join("\n")}\n`
}

export const ofDrain = (name: string, { isReady, phase }: Drain): Effect.Effect<Finding> =>
  Effect.zipWith(isReady, phase, (isReady, phase) => ({ name, problem: isReady ? undefined : `failed: ${phase}` }))

/** A check of the user's: whatever it does, it is over in its time. Why it failed is for the log alone. */
export const ofCheck = (
  name: string,
  check: Effect.Effect<unknown, unknown>,
  time: Duration.Duration
): Effect.Effect<Finding> =>
  Effect.flatMap(Effect.timeoutOption(leavable(check), time), (ended): Effect.Effect<Finding> => {
    if (ended._tag === "None") return told(name, `timed out after ${Duration.format(time)}`)
    const exit = ended.value
    return Exit.isSuccess(exit) ? Effect.succeed({ name, problem: undefined }) : told(name, "failed", exit.cause)
  })

const told = (name: string, problem: string, ...cause: ReadonlyArray<Cause.Cause<unknown>>): Effect.Effect<Finding> =>
  Effect.as(quietly(Effect.logWarning(`readiness: ${name} ${problem}`, ...cause)), { name, problem })

/** On a fiber of its own: one that ignores its interruption keeps nobody waiting. */
const leavable = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.callback((resume) => {
      const fiber = Effect.runForkWith(context)(effect)
      fiber.addObserver((exit) => resume(Effect.succeed(exit)))
      return Effect.sync(() => fiber.interruptUnsafe())
    })
  )
