/**
 * Connections over the transport under test: the same pipes, as programs have them.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as ClosePolicy from "../../../ClosePolicy.ts"
import type { Connection } from "../../../Connection.ts"
import { ConnectionError } from "../../../ConnectionError.ts"
import { Comparison } from "./numbered.ts"
import type { Observed } from "./observed.ts"
import { said, started, type Trial, type Tried } from "./trial.ts"

/** One end: the connection, and the pipe under it. */
export interface Side {
  readonly name: string
  readonly connection: Connection
  readonly pipe: Observed
}

export interface Sides {
  /** The side under test. */
  readonly here: Side
  readonly there: Side
}

/** Limits that no law comes near: what is tried here is not the time that a close may take. */
const patient: ClosePolicy.Options = {
  farewellTimeout: "1 hour",
  lingerTimeout: "1 hour",
  lingerIdleTimeout: "1 hour",
  lingerBytesMax: Infinity,
  deadline: "2 hours"
}

const sidesOf = Effect.fnUntraced(function* (
  trial: Trial,
  dialledClose: ClosePolicy.Options,
  acceptedClose: ClosePolicy.Options
) {
  const listener = yield* trial.does("listen", trial.network.listen(trial.ground.address, { close: acceptedClose }))
  const accepted: Array<Connection> = []
  listener.attach({
    onConnection: (connection) => accepted.push(connection),
    onRefused: (limit) => trial.broke("a few connections are accepted", `one was turned away for ${limit}`),
    onError: (code) => trial.broke("accepting works", `it failed with ${code}`)
  })
  const before = trial.pipes.length
  const dialled = yield* trial.does("connect", trial.network.connect(listener.address, { close: dialledClose }))
  yield* trial.until(() => accepted.length > 0, "who is connected is accepted")
  yield* trial.does("stop", listener.stop)
  const side = (how: string, connection: Connection): Side => {
    const pipe = trial.pipes.slice(before).find(({ name }) => name.startsWith(how))!
    return { name: pipe.name, connection, pipe }
  }
  // Whoever is left open at the end of the law is not to be waited for.
  for (const connection of [dialled, accepted[0]!]) yield* Effect.addFinalizer(() => connection.abort)
  return [side("dialled", dialled), side("accepted", accepted[0]!)] as const
})

/** A law about one connection, for both of its sides. */
export const forBothSides = (body: (trial: Trial, sides: Sides) => Tried, close: ClosePolicy.Options = {}) =>
  Effect.fnUntraced(function* (trial: Trial) {
    for (const tested of ["dialled", "accepted"] as const) {
      const ofHere = { ...patient, ...close }
      const isDialled = tested === "dialled"
      const [dialled, accepted] = yield* sidesOf(trial, isDialled ? ofHere : patient, isDialled ? patient : ofHere)
      trial.note("law", `the ${tested} side is under test`)
      yield* body(trial, isDialled ? { here: dialled, there: accepted } : { here: accepted, there: dialled })
    }
  })

/** Reads to the end, and compares with the stream; succeeds with the number of bytes. */
export const reads = (
  trial: Trial,
  side: Side,
  stream: number,
  heard = new Comparison(stream)
): Tried<Fiber.Fiber<number, ConnectionError>> => {
  const reading = side.connection.each((chunk) => {
    const problem = heard.take(chunk)
    if (problem !== undefined) trial.broke(`${side.name}: bytes arrive whole and in order`, problem)
    return Effect.void
  })
  return started(Effect.map(reading, () => heard.position))
}

/** The reason for which a read or a write failed, or `end`; otherwise how it ended. */
export const reasonOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (exit._tag === "Success") return "success"
  for (const reason of exit.cause.reasons) {
    if (reason._tag !== "Fail") continue
    if (Cause.isDone(reason.error)) return "end"
    if (reason.error instanceof ConnectionError) return reason.error.reason._tag
  }
  return said(exit)
}

/** Awaits that it fails for this reason. */
export const failsWith = Effect.fnUntraced(function* (
  trial: Trial,
  fiber: Fiber.Fiber<unknown, unknown>,
  what: string,
  ...reasons: ReadonlyArray<string>
) {
  const reason = reasonOf(yield* trial.exitOf(fiber, what))
  yield* trial.holds(reasons.includes(reason), `${what} ends with ${reasons.join(" or ")}`, `it ended with ${reason}`)
})

/** What a peer with manners does: reads to the end, then closes. */
export const politely = Effect.fnUntraced(function* (trial: Trial, side: Side, stream: number) {
  const bytes = yield* trial.resultOf(yield* reads(trial, side, stream), `${side.name}: reading to the end`)
  const closing = yield* started(side.connection.close)
  return { bytes, closing }
})
