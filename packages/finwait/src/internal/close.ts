/**
 * The close.
 *
 * The rule. A TCP connection ends well in one way only: each side says FIN when it has nothing more to send, and reads
 * until the other's. Everything shorter loses data somewhere. Closing a descriptor while input is unread, or while the
 * peer still sends, makes the kernel answer with RST, and an RST destroys what the peer has received but not read yet:
 * the last answer, though it was sent, acknowledged and complete (RFC 1122, 4.2.2.13; RFC 9112, 9.6; nginx calls the
 * remedy lingering_close, Apache httpd ap_lingering_close). So: say the last words, flush, send FIN, then read and throw
 * away until the peer's FIN.
 *
 * The alternatives. SO_LINGER blocks or resets and knows nothing of unread input. Destroying after 'finish' is the bug
 * described above. Waiting for acknowledgements (SIOCOUTQ) is not to be had in Node, and does not help: acknowledged is
 * not read. Retrying the close of the descriptor, as one retries a failed write, can close somebody else's.
 *
 * The limits. A peer owes us nothing, so every wait has one: the farewell its own, the linger three (in all, without
 * progress, in bytes), and over everything the deadline, at which the connection is reset. A linger that expires does
 * not reset: what the kernel holds still goes to a peer that reads slowly. A flush that never ends does, at the
 * deadline: its bytes are in our memory.
 *
 * Below it reads as it happens. It runs once per connection, on a fiber of its own that nobody interrupts; `abort`, the
 * end of a drain and a second signal cut it short instead, which is the same program with no time left.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { type AbortCause, type Account, CloseOutcome, type LingerLimit } from "../CloseOutcome.ts"
import type { ClosePolicy } from "../ClosePolicy.ts"
import type { Connection } from "../Connection.ts"
import type { Transport } from "../Transport.ts"
import type { Input } from "./input.ts"
import { quietly } from "./observe.ts"
import type { Output } from "./output.ts"

/** The close has no more time. */
export class Cut {
  readonly _tag = "Cut"
  readonly cause: AbortCause
  constructor(cause: AbortCause) {
    this.cause = cause
  }
}

/** The pipe is broken: there is nothing left to close. */
export class Broken {
  readonly _tag = "Broken"
  readonly code: string
  constructor(code: string) {
    this.code = code
  }
}

/** Whether what a close awaits came in its time, or why it will not come at all. */
export type Awaited = Effect.Effect<boolean, Cut | Broken>

/**
 * How long a reset may take to give the descriptor back. The act is the kernel's and takes no time; the bound is
 * against a provider that forgets to say so.
 */
const releaseMillis = 1000

/** What the close needs of the connection that it closes. */
export interface Closing extends Connection {
  readonly transport: Transport
  readonly policy: ClosePolicy
  readonly input: Input
  readonly output: Output
  /** As messages name it. */
  readonly name: string
  farewell: Account["farewell"]
  /** When a byte last arrived while closing: monotonic milliseconds. */
  progressAt: number
  /** Monotonic milliseconds. */
  now(): number
  enter(stage: Account["stage"]): void
  /**
   * Awaits what the transport will tell, for so long: `true` when it came, `false` when the time is over. Fails when it
   * cannot come any more. One wait at a time: there is one close.
   */
  until(condition: () => boolean, millis?: number): Awaited
  /** Awaits that the descriptor is gone. */
  released(millis: number): Effect.Effect<boolean>
  /** What is awaited may have come. */
  wakeClose(): void
  /** Bytes were thrown away. */
  discarded(): void
  account(): Account
  /** Runs something on a fiber of its own. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E>
}

export const closing = (connection: Closing): Effect.Effect<CloseOutcome> => {
  // The deadline is not seen here: it is the connection's own `cut`, at its time, and fails whatever is awaited.
  const stages = Effect.gen(function* () {
    if (connection.policy.farewell !== undefined) connection.farewell = "failed"
    // A pipe that is broken, and an abort, end here: a FIN, or a farewell, would make half an answer look whole.
    yield* connection.until(() => true)
    yield* farewell(connection)
    yield* flush(connection)
    return yield* linger(connection)
  })
  return stages.pipe(
    Effect.catchCause((cause) => brokenOff(connection, cause)),
    Effect.tap(() => act(connection, "release"))
  )
}

/** The protocol's last words. Not being able to say them never stops the close. */
const farewell = (connection: Closing): Effect.Effect<unknown, Cut | Broken> => {
  const { farewell, farewellRetry, farewellTimeout } = connection.policy
  if (farewell === undefined || connection.output.state !== "open") return Effect.void
  connection.enter("Farewell")
  connection.output.waitForRoom = false
  const words = Effect.suspend(() => farewell(connection)).pipe(
    Effect.retry({ schedule: farewellRetry, while: () => connection.output.state === "open" })
  )
  // On a fiber of its own, because it is somebody else's code: one that cannot be interrupted must not hold the close.
  return Effect.suspend(() => {
    let said: Exit.Exit<unknown, unknown> | undefined
    const fiber = connection.fork(words)
    fiber.addObserver((exit) => {
      said = exit
      connection.wakeClose()
    })
    return connection
      .until(() => said !== undefined, Duration.toMillis(farewellTimeout))
      .pipe(
        Effect.onExit(() => Effect.sync(() => fiber.interruptUnsafe())),
        Effect.andThen(
          Effect.suspend(() => {
            if (said !== undefined && Exit.isSuccess(said)) {
              connection.farewell = "flushed"
              return Effect.void
            }
            const why =
              said === undefined ? `no end within farewellTimeout ${Duration.format(farewellTimeout)}` : said.cause
            return quietly(Effect.logDebug(`close ${connection.name}: the farewell failed`, why))
          })
        )
      )
  })
}

/** Everything that was written leaves for the kernel, and FIN behind it. */
const flush = (connection: Closing): Awaited =>
  Effect.suspend(() => {
    connection.enter("Flushing")
    connection.output.end()
    // Reading begins here, not after the FIN: a peer that is blocked sending to us may read nothing before.
    connection.input.discardAll(() => connection.discarded())
    return connection.until(() => connection.output.state === "flushed")
  })

/** Reads and throws away until the peer's FIN, within the three limits. */
const linger = Effect.fnUntraced(function* (connection: Closing) {
  const { input, policy } = connection
  connection.enter("Lingering")
  const begun = connection.now()
  connection.progressAt = begun
  const total = Duration.toMillis(policy.lingerTimeout)
  const idle = Duration.toMillis(policy.lingerIdleTimeout)
  const tooMuch = () => input.bytesDiscarded > policy.lingerBytesMax
  let limit: LingerLimit = "lingerTimeout"
  while (!input.peerEnded) {
    if (tooMuch()) {
      limit = "lingerBytesMax"
      break
    }
    const idleUntil = connection.progressAt + idle
    limit = idleUntil < begun + total ? "lingerIdleTimeout" : "lingerTimeout"
    const left = Math.min(idleUntil, begun + total) - connection.now()
    if (left <= 0) break
    // Progress does not wake this fiber: it is looked at when the silence would have been too long.
    yield* connection.until(() => input.peerEnded || tooMuch(), left)
  }
  const account = connection.account()
  return input.peerEnded ? CloseOutcome.Graceful(account) : CloseOutcome.LingerExpired({ ...account, limit })
})

/** The close did not get to its end: the pipe broke, or there was no more time. */
const brokenOff = Effect.fnUntraced(function* (
  connection: Closing,
  cause: Cause.Cause<Cut | Broken>
): Effect.fn.Return<CloseOutcome> {
  const failure = Cause.findErrorOption(cause)
  if (Option.isSome(failure) && failure.value._tag === "Broken") {
    return CloseOutcome.ResetByPeer({ ...ending(connection), code: failure.value.code })
  }
  if (Option.isNone(failure)) yield* quietly(Effect.logError(`close ${connection.name}: a defect; resetting`, cause))
  connection.output.abandon()
  const outcome = CloseOutcome.Aborted({
    ...ending(connection),
    cause: Option.isSome(failure) ? (failure.value as Cut).cause : "abort"
  })
  yield* act(connection, "reset")
  yield* connection.released(releaseMillis)
  return outcome
})

/** The provider's last acts. They should not throw; one that does must not keep the close from its end. */
const act = (connection: Closing, what: "reset" | "release"): Effect.Effect<void> =>
  Effect.sync(() => connection.transport[what]()).pipe(
    Effect.catchCause((cause) =>
      quietly(Effect.logError(`close ${connection.name}: a defect in the transport's ${what}`, cause))
    )
  )

/** A farewell that was written but not flushed was not said. */
const ending = (connection: Closing): Account => {
  if (connection.farewell === "flushed" && connection.output.state !== "flushed") connection.farewell = "failed"
  return connection.account()
}
