/**
 * Scenes on a simulated network: two ends, what befalls them, and as much virtual time as it takes.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type * as ClosePolicy from "finwait/ClosePolicy"
import type * as Connection from "finwait/Connection"
import type { CloseOutcome } from "finwait/CloseOutcome"
import * as Fault from "finwait/testing/Fault"
import * as History from "finwait/testing/History"
import * as Netstat from "finwait/testing/Netstat"
import * as SimNetwork from "finwait/testing/SimNetwork"
import { address, clockUsed, ending, now, settled, text } from "./network.ts"

/** Runs something to its end, however much virtual time that takes, up to ten days. */
export const inItsTime = Effect.fnUntraced(function* <A, E, R>(
  program: Effect.Effect<A, E, R>,
  sim?: Pick<SimNetwork.Sim, "netstat">
) {
  yield* clockUsed
  // Whatever a sleeper does when it wakes happens before the test's clock goes on; so it begins with a sleep.
  const fiber = yield* Effect.forkChild(Effect.andThen(Effect.sleep(1), program))
  yield* settled
  yield* TestClock.adjust("10 days")
  yield* settled
  if (fiber.pollUnsafe() === undefined) {
    assert.fail(`it never ends\n${sim === undefined ? "" : Netstat.format(yield* sim.netstat)}`)
  }
  return yield* Fiber.join(fiber)
})

export interface Stage {
  readonly sim: SimNetwork.Sim
  /** The end that dialled. */
  readonly client: Connection.Connection
  /** The end that accepted. */
  readonly server: Connection.Connection
  /** Milliseconds since the connection was established. */
  readonly since: Effect.Effect<number>
  /** Waits until so many milliseconds since then. */
  readonly at: (millis: number) => Effect.Effect<void>
  /** What one end was told and did, as `millis kind detail`, in the order in which it happened. */
  readonly told: (side: Fault.Side, ...kinds: ReadonlyArray<History.Kind>) => Effect.Effect<ReadonlyArray<string>>
}

export interface Setting extends SimNetwork.Options {
  readonly listen?: string
  readonly clientClose?: ClosePolicy.Options
  readonly serverClose?: ClosePolicy.Options
}

/** Two ends of a connection, and what happens between them. Whatever is open at the end is aborted. */
export const scene = <A, E>(setting: Setting, play: (stage: Stage) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const sim = yield* SimNetwork.make(setting)
    const playing = Effect.gen(function* () {
      const where = setting.listen ?? address
      const listener = yield* sim.network.listen(where, { close: setting.serverClose })
      const accepted: Array<Connection.Connection> = []
      listener.attach({ onConnection: (c) => accepted.push(c), onRefused: () => {}, onError: () => {} })
      const client = yield* sim.network.connect(where, { close: setting.clientClose })
      const begun = yield* now
      yield* Effect.addFinalizer(() => client.abort)
      yield* settled
      const server = accepted[0]!
      yield* Effect.addFinalizer(() => server.abort)
      const since = Effect.map(now, (millis) => millis - begun)
      return yield* play({
        sim,
        client,
        server,
        since,
        at: (millis) => Effect.flatMap(since, (passed) => Effect.sleep(Math.max(0, millis - passed))),
        told: (side, ...kinds) =>
          Effect.map(sim.history, (events) =>
            History.of(events, 1, side)
              .filter(({ kind }) => kinds.includes(kind))
              .map(({ detail, kind, millis }) => `${rounded(millis - begun)} ${kind} ${detail}`.trim())
          )
      })
    })
    return yield* inItsTime(Effect.scoped(playing), sim)
  })

/** To the microsecond: what is computed from a rate is not a whole number. */
export const rounded = (millis: number): number => Math.round(millis * 1000) / 1000

/** One fault that befalls a connection as soon as it is there, the server's side of it. */
export const befalls = (
  fault: Fault.Fault,
  plan: Partial<Fault.Planned> = {}
): { readonly faults: Fault.Schedule } => ({
  faults: [Fault.planned({ ...plan, fault })]
})

export interface Reading {
  /** What was read, and when. */
  readonly chunks: ReadonlyArray<readonly [millis: number, text: string]>
  readonly text: string
  /** `done`, or the error; and when. */
  readonly end: readonly [millis: number, how: string]
}

/** Reads to the end, with the times. */
export const reading = Effect.fnUntraced(function* (
  connection: Connection.Connection,
  since: Effect.Effect<number>
): Effect.fn.Return<Reading> {
  const chunks: Array<readonly [number, string]> = []
  while (true) {
    const exit = yield* Effect.exit(connection.pull)
    const millis = rounded(yield* since)
    if (Exit.isFailure(exit)) {
      const end = [millis, ending(exit)] as const
      return { chunks, text: chunks.map(([, chunk]) => chunk).join(""), end }
    }
    chunks.push([millis, text(exit.value)])
  }
})

/** An outcome in a few words. */
export const summary = (outcome: CloseOutcome): string => {
  const detail =
    "limit" in outcome ? outcome.limit : "cause" in outcome ? outcome.cause : "code" in outcome ? outcome.code : ""
  return `${outcome._tag} ${detail} at ${outcome.stage} after ${outcome.closeMillis} ms`.replace("  ", " ")
}
