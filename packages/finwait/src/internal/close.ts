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
 * Below it reads as it happens: `step` takes the close from where it is to where it can go, and is asked again whenever
 * the transport, an alarm or a farewell has told something. It is no fiber, because ten thousand closes at once are what
 * a drain is made of, and a fiber each costs several times what they do. Nobody can interrupt it; `abort`, the end of a
 * drain and a second signal cut it short instead, which is the same close with no time left.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { AbortCause, Account, CloseOutcome, LingerLimit, Stage } from "../CloseOutcome.ts"
import type { ClosePolicy } from "../ClosePolicy.ts"
import type { Connection } from "../Connection.ts"
import type { Transport } from "../Transport.ts"
import type { Alarm, Ringing } from "./alarms.ts"
import type { Environment } from "./environment.ts"
import type { Input } from "./input.ts"
import { quietly } from "./observe.ts"
import type { Output } from "./output.ts"

/**
 * How long a reset may take to give the descriptor back. The act is the kernel's and takes no time; the bound is
 * against a provider that forgets to say so.
 */
const releaseMillis = 1000

/** What the close needs of the connection that it closes. */
export interface Closing extends Connection {
  readonly transport: Transport
  readonly environment: Environment
  readonly input: Input
  readonly output: Output
  /** As messages name it. */
  readonly name: string
  /** Who ended first. */
  readonly closedFirst: Account["closedFirst"]
  /** The pipe is broken: the system's word for why. */
  readonly brokenCode: string | undefined
  /** The descriptor is gone. */
  readonly isReleased: boolean
  enter(stage: Stage): void
  /** Runs something on a fiber of its own. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E>
  /** The close is over. */
  conclude(outcome: CloseOutcome): void
}

export class Close implements Ringing {
  private readonly connection: Closing
  private readonly began: number
  private farewell: Account["farewell"] = "none"
  /** When a byte last arrived while lingering. */
  private progressAt: number
  private lingerBegan: number | undefined
  private cause: AbortCause | undefined
  private deadline: Alarm | undefined
  /** Of the stage: a farewell's, a linger's, a reset's. */
  private alarm: Alarm | undefined
  private rang = false
  private words: Fiber.Fiber<unknown, unknown> | undefined
  private said: Exit.Exit<unknown, unknown> | undefined
  /** What it will have come to when the descriptor is gone. */
  private resetting: CloseOutcome | undefined
  /** Steps are being taken; what is told meanwhile is looked at behind them. */
  private stepping = true
  private again = false
  private over = false

  constructor(connection: Closing, cause: AbortCause | undefined) {
    this.connection = connection
    this.cause = cause
    // A fraction from the first on: V8 would make every close anew for which an integer has become one.
    this.began = this.progressAt = connection.environment.now()
  }

  begin(): void {
    const { environment, input, output } = this.connection
    if (environment.policy.farewell !== undefined) this.farewell = "failed"
    // Before the readers hear of it: one that ends may end the writing as well, and FIN makes half an answer look whole.
    if (this.cause !== undefined) output.abandon()
    input.close()
    if (environment.deadlineMillis > 0) {
      this.deadline = environment.alarms.set(environment.deadlineMillis, this, this.began)
    } else this.cut("deadline")
    this.stepping = false
    this.look()
  }

  /** No more time. */
  cut(cause: AbortCause): void {
    this.cause ??= cause
    this.look()
  }

  /** Something may have come that was awaited. */
  look(): void {
    this.again = true
    if (this.stepping) return
    this.stepping = true
    while (this.again && !this.over) {
      this.again = false
      try {
        this.step()
      } catch (defect) {
        this.broken(defect)
      }
    }
    this.stepping = false
  }

  private step(): void {
    const { connection } = this
    if (this.resetting !== undefined) return this.reset(this.resetting)
    // A pipe that is broken, and an abort, end here: a FIN, or a farewell, would make half an answer look whole.
    if (connection.brokenCode !== undefined) {
      return this.end({ ...this.unfinished("ResetByPeer"), code: connection.brokenCode })
    }
    if (this.cause !== undefined) return this.abort(this.cause)
    switch (connection.stage) {
      case "Open": {
        const { farewell } = connection.environment.policy
        return farewell !== undefined && connection.output.state === "open" ? this.sayFarewell(farewell) : this.flush()
      }
      case "Farewell":
        return this.awaitFarewell()
      case "Flushing":
        return connection.output.state === "flushed" ? this.linger() : undefined
      case "Lingering":
        return this.awaitFin()
    }
  }

  /** The protocol's last words. Not being able to say them never stops the close. */
  private sayFarewell(farewell: NonNullable<ClosePolicy["farewell"]>): void {
    const { connection } = this
    const { farewellMillis, policy } = connection.environment
    connection.enter("Farewell")
    connection.output.waitForRoom = false
    const words = Effect.suspend(() => farewell(connection)).pipe(
      Effect.retry({ schedule: policy.farewellRetry, while: () => connection.output.state === "open" })
    )
    // On a fiber of its own, because it is somebody else's code: one that cannot be interrupted must not hold the close.
    this.words = connection.fork(words)
    this.words.addObserver((exit) => {
      this.said = exit
      this.look()
    })
    this.arm(farewellMillis)
  }

  private awaitFarewell(): void {
    const { connection, said } = this
    if (said === undefined && !this.rang) return
    if (said !== undefined && Exit.isSuccess(said)) {
      this.farewell = "flushed"
    } else {
      const { farewellTimeout } = connection.environment.policy
      const why = said === undefined ? `no end within farewellTimeout ${Duration.format(farewellTimeout)}` : said.cause
      connection.fork(quietly(Effect.logDebug(`close ${connection.name}: the farewell failed`, why)))
    }
    this.leave()
    this.flush()
  }

  /** Everything that was written leaves for the kernel, and FIN behind it. */
  private flush(): void {
    const { connection } = this
    connection.enter("Flushing")
    connection.output.end(connection.input.peerEnded)
    // Reading begins here, not after the FIN: a peer that is blocked sending to us may read nothing before.
    connection.input.discardAll(this)
    this.again = true
  }

  /** Reads and throws away until the peer's FIN, within the three limits. */
  private linger(): void {
    this.connection.enter("Lingering")
    this.again = true
  }

  private awaitFin(): void {
    const { environment, input } = this.connection
    if (input.peerEnded) return this.end(this.account("Graceful"))
    if (input.bytesDiscarded > environment.policy.lingerBytesMax) return this.expire("lingerBytesMax")
    if (this.alarm !== undefined) return
    const now = environment.now()
    const isFirst = this.lingerBegan === undefined
    if (isFirst) this.progressAt = now
    const began = (this.lingerBegan ??= now)
    const idleUntil = this.progressAt + environment.lingerIdleMillis
    const until = began + environment.lingerMillis
    // The first look comes after the same time for all, who then share an alarm. Progress does not ring: it is looked at
    // when the silence would have been too long.
    const left = isFirst ? environment.lingerFirstMillis : Math.min(idleUntil, until) - now
    if (left > 0) this.arm(left, now)
    else this.expire(idleUntil < until ? "lingerIdleTimeout" : "lingerTimeout")
  }

  private expire(limit: LingerLimit): void {
    this.end({ ...this.account("LingerExpired"), limit })
  }

  private abort(cause: AbortCause): void {
    this.connection.output.abandon()
    this.resetting = { ...this.unfinished("Aborted"), cause }
    this.leave()
    this.act("reset")
    if (!this.connection.isReleased) this.arm(releaseMillis)
    this.again = true
  }

  private reset(outcome: CloseOutcome): void {
    if (this.connection.isReleased || this.rang) this.end({ ...outcome, closeMillis: this.millis })
  }

  private end(outcome: CloseOutcome): void {
    this.over = true
    this.leave()
    this.deadline?.clear()
    this.act("release")
    this.connection.conclude(outcome)
  }

  /** A provider, or a schedule, threw where it should not: the close still ends. */
  private broken(defect: unknown): void {
    const { connection } = this
    connection.fork(quietly(Effect.logError(`close ${connection.name}: a defect; resetting`, Cause.die(defect))))
    if (this.over) return
    if (this.resetting !== undefined) this.end(this.resetting)
    else this.abort(this.cause ?? "abort")
  }

  /** The provider's last acts. They should not throw; one that does must not keep the close from its end. */
  private act(what: "reset" | "release"): void {
    const { connection } = this
    try {
      connection.transport[what]()
    } catch (defect) {
      const message = `close ${connection.name}: a defect in the transport's ${what}`
      connection.fork(quietly(Effect.logError(message, Cause.die(defect))))
    }
  }

  // Time --------------------------------------------------------------------------------------------------------------

  private arm(millis: number, now?: number): void {
    this.rang = millis <= 0
    if (this.rang) return this.look()
    this.alarm = this.connection.environment.alarms.set(millis, this, now)
  }

  ring(alarm: Alarm): void {
    if (alarm === this.deadline) return this.cut("deadline")
    this.alarm = undefined
    this.rang = true
    this.look()
  }

  /** Nothing of this stage is waited for any more. */
  private leave(): void {
    this.alarm?.clear()
    this.alarm = undefined
    this.rang = false
    this.words?.interruptUnsafe()
    this.words = undefined
  }

  // Accounts ----------------------------------------------------------------------------------------------------------

  /** Bytes were thrown away. */
  discarded(): void {
    const { environment, input } = this.connection
    this.progressAt = environment.now()
    if (input.bytesDiscarded > environment.policy.lingerBytesMax) this.look()
  }

  /** A farewell that was written but not flushed was not said. */
  private unfinished<Tag extends CloseOutcome["_tag"]>(tag: Tag): Account & { readonly _tag: Tag } {
    if (this.farewell === "flushed" && this.connection.output.state !== "flushed") this.farewell = "failed"
    return this.account(tag)
  }

  private account<Tag extends CloseOutcome["_tag"]>(tag: Tag): Account & { readonly _tag: Tag } {
    const { closedFirst, input, output, stage, transport } = this.connection
    const bytesUnsent = output.bytesUnsent
    const lent = transport.lentBytes
    return {
      _tag: tag,
      stage: stage as Account["stage"],
      closedFirst,
      farewell: this.farewell,
      bytesRead: input.bytesRead + (lent?.read ?? 0),
      bytesWritten: output.bytesTaken - bytesUnsent + (lent?.written ?? 0),
      bytesDiscarded: input.bytesDiscarded,
      bytesUnsent,
      closeMillis: this.millis
    }
  }

  private get millis(): number {
    return Math.round(this.connection.environment.now() - this.began)
  }
}
