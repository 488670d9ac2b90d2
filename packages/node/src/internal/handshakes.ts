/**
 * An acceptor whose pipes have to shake hands before they are connections: TLS, the upgrade to a WebSocket.
 *
 * A handshake is the peer's to go on with, and a peer owes us nothing. Hence two limits. Each has a timeout, from the
 * accept on, for a server that serves. A server that stops has no such patience: whoever has not said a word is sent
 * away at once, as an idle connection is, and whoever is in the middle of it has a grace that is enough for the round
 * trips of a handshake. So a flood of half-open ones neither holds up a drain nor survives it. Decision 18 has the
 * reasons why these clocks are here and not in the close.
 */
import type * as Duration from "effect/Duration"
import * as Inspectable from "effect/Inspectable"
import * as Address from "finwait/Address"
import type { Acceptor, AcceptReceiver, Transport } from "finwait/Transport"
import { millisOf } from "./options.ts"
import { onNextTurns } from "./turns.ts"

/** The limits of handshakes, as options. */
export interface HandshakeOptions {
  /**
   * How long a handshake may take, from the accept on; after that the connection is reset. Default 10 seconds: nginx has
   * 60 and Node 120, which is how long a flood of silent connections may stay.
   */
  readonly handshakeTimeout?: Duration.Input | undefined
  /**
   * How long a handshake may go on once the server is told to stop, if the peer has begun with it; one that has not is
   * closed at once. Default 1 second: two round trips on any network, and a small part of any drain.
   */
  readonly handshakeGrace?: Duration.Input | undefined
}

export interface HandshakeLimits {
  readonly timeoutMillis: number
  readonly graceMillis: number
}

/** Throws `RangeError` for what is no time. */
export const handshakeLimits = (options: HandshakeOptions): HandshakeLimits => ({
  timeoutMillis: millisOf("handshakeTimeout", options.handshakeTimeout ?? "10 seconds"),
  graceMillis: millisOf("handshakeGrace", options.handshakeGrace ?? "1 second")
})

/** One that is under way. */
export interface Handshake {
  /** The peer has said something. */
  readonly begun: boolean
  /** There is no more time for it: the pipe is to be ended. Nothing is established, or failed, after that. */
  giveUp(): void
}

/** Node's timers know no more. */
const timerMillisMax = 2 ** 31 - 1

/** What the system holds for a pipe has been read after so many turns: see `catchUp.ts`. */
const readingTurns = 2

export abstract class HandshakingAcceptor extends Inspectable.Class implements Acceptor, AcceptReceiver {
  private readonly base: Acceptor
  private readonly limits: HandshakeLimits
  private receiver: AcceptReceiver | undefined
  /** In the order in which they began, with the time at which each has to be over. */
  private readonly pending = new Map<Handshake, number>()
  /** Those for whom there is no receiver yet. */
  private readonly waiting: Array<Transport> = []
  private timer: NodeJS.Timeout | undefined
  private grace: NodeJS.Timeout | undefined
  private stopping: Array<() => void> | undefined
  private baseStopped = false
  private stopped = false

  constructor(base: Acceptor, limits: HandshakeLimits) {
    super()
    this.base = base
    this.limits = limits
  }

  /** Begins one on a pipe that was accepted. */
  protected abstract shake(raw: Transport): Handshake

  get address() {
    return this.base.address
  }

  /** How many are under way. */
  get handshakes(): number {
    return this.pending.size
  }

  /** As it is shown and logged. What it is made of may have a private key in it. */
  toJSON() {
    return { _id: "Acceptor", address: Address.describe(this.address), handshakes: this.pending.size }
  }

  /**
   * Begins to accept, for the constructor of who extends this. Handshakes do not wait for a receiver: who dials waits for
   * the answer, and not for somebody to be there for the connection.
   */
  protected begin(): void {
    this.base.attach(this)
  }

  attach(receiver: AcceptReceiver): void {
    this.receiver = receiver
    for (const pipe of this.waiting.splice(0)) receiver.onAccept(pipe)
  }

  onAccept(raw: Transport): void {
    this.pending.set(this.shake(raw), performance.now() + this.limits.timeoutMillis)
    this.arm()
  }

  onAcceptError(code: string): void {
    this.receiver?.onAcceptError(code)
  }

  onOverflow(): void {
    this.receiver?.onOverflow()
  }

  /** It is over, with a pipe that can be handed over. */
  protected established(handshake: Handshake, pipe: Transport): void {
    if (!this.pending.delete(handshake)) return pipe.reset()
    if (this.receiver === undefined) this.waiting.push(pipe)
    else this.receiver.onAccept(pipe)
    this.look()
  }

  /** It is over, with nothing: whoever says so has ended the pipe. */
  protected failed(handshake: Handshake): void {
    this.pending.delete(handshake)
    this.look()
  }

  // All have the same time, so the first is always the next.
  private arm(): void {
    if (this.timer !== undefined || this.limits.timeoutMillis > timerMillisMax) return
    for (const until of this.pending.values()) {
      this.timer = setTimeout(() => this.expire(), Math.max(1, until - performance.now()))
      // Open sockets keep a process alive, this does not.
      this.timer.unref()
      return
    }
  }

  private expire(): void {
    this.timer = undefined
    const now = performance.now()
    for (const [handshake, until] of this.pending) {
      if (until > now) break
      this.giveUp(handshake)
    }
    this.look()
    this.arm()
  }

  private giveUp(handshake: Handshake): void {
    this.pending.delete(handshake)
    handshake.giveUp()
  }

  stop(callback: () => void): void {
    if (this.stopped) return callback()
    if (this.stopping !== undefined) return void this.stopping.push(callback)
    this.stopping = [callback]
    this.base.stop(() => {
      // Whoever came from the backlog may have said something that nobody has read yet.
      let turns = 0
      onNextTurns({ turn: () => ++turns < readingTurns || this.hurry() })
    })
  }

  /** Nobody else comes. */
  private hurry(): false {
    this.baseStopped = true
    for (const handshake of this.pending.keys()) if (!handshake.begun) this.giveUp(handshake)
    this.look()
    if (!this.stopped)
      this.grace = setTimeout(() => this.giveUpAll(), Math.min(this.limits.graceMillis, timerMillisMax))
    return false
  }

  private giveUpAll(): void {
    for (const handshake of this.pending.keys()) this.giveUp(handshake)
    this.look()
  }

  abort(): void {
    this.base.abort()
    this.baseStopped = true
    this.giveUpAll()
    this.end()
  }

  private look(): void {
    if (this.baseStopped && this.pending.size === 0) this.end()
  }

  private end(): void {
    if (this.stopped) return
    this.stopped = true
    clearTimeout(this.timer)
    clearTimeout(this.grace)
    // Nobody came for them.
    for (const pipe of this.waiting.splice(0)) pipe.reset()
    for (const callback of this.stopping ?? []) callback()
  }
}
