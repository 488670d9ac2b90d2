/**
 * What the tests share: two ends of one simulated connection, and the passing of time.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Duration from "effect/Duration"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type * as ClosePolicy from "finwait/ClosePolicy"
import * as Connection from "finwait/Connection"
import type * as NetworkError from "finwait/NetworkError"
import * as SimNetwork from "finwait/testing/SimNetwork"

/** Lets everything happen that needs no time: more turns than any exchange in these tests takes. */
export const settled: Effect.Effect<void> = Effect.gen(function* () {
  for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow
})

/** Lets time pass, and everything happen that it brings about. */
export const passing = (time: Duration.Input): Effect.Effect<void> =>
  settled.pipe(Effect.andThen(TestClock.adjust(time)), Effect.andThen(settled))

/** Milliseconds of virtual time since the test began. */
export const now: Effect.Effect<number> = TestClock.testClockWith((clock) => clock.currentTimeMillis)

/**
 * Tells the test's clock that it is in use. Before that, its first sleep begins with an interruptible step, so that a
 * finalizer of an interrupted fiber that sleeps would end there.
 */
export const clockUsed: Effect.Effect<void> = TestClock.adjust(0)

export const address = "tcp://127.0.0.1:7000"

export interface Pair {
  readonly sim: SimNetwork.Sim
  /** The end under test: dialled. */
  readonly here: Connection.Connection
  /** The other end: accepted, and nobody reads it, writes to it or closes it unless the test does. */
  readonly peer: Connection.Connection
}

/** Two ends of a connection. Whatever the test leaves open is aborted at its end. */
export const pair = Effect.fnUntraced(function* (
  options: {
    readonly sim?: SimNetwork.Options
    readonly close?: ClosePolicy.Options
    readonly peerClose?: ClosePolicy.Options
  } = {}
): Effect.fn.Return<Pair, NetworkError.NetworkError, Scope.Scope> {
  yield* clockUsed
  const sim = yield* SimNetwork.make(options.sim)
  const listener = yield* sim.network.listen(address, { close: options.peerClose })
  const accepted: Array<Connection.Connection> = []
  listener.attach({
    onConnection: (connection) => accepted.push(connection),
    onRefused: () => {},
    onError: () => {}
  })
  const here = yield* sim.network.connect(address, { close: options.close })
  yield* Effect.addFinalizer(() => here.abort)
  yield* settled
  const peer = accepted[0]!
  yield* Effect.addFinalizer(() => peer.abort)
  return { sim, here, peer }
})

/** What a peer with manners does: reads to the end, then closes. Succeeds with what it read. */
export const politely = Effect.fnUntraced(function* (peer: Connection.Connection) {
  const text = yield* Connection.readText(peer)
  yield* peer.close
  return text
})

export const bytes = (length: number, fill = 0x61): Uint8Array => new Uint8Array(length).fill(fill)

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

export const text = (chunk: Uint8Array): string => new TextDecoder().decode(chunk)

/** How a pull ended that did not bring bytes. */
export const ending = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return `success ${JSON.stringify(exit.value)}`
  if (exit.cause.reasons.some((reason) => reason._tag === "Fail" && Cause.isDone(reason.error))) return "done"
  const [error] = Cause.prettyErrors(exit.cause)
  return error!.message
}
