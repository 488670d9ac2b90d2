/**
 * A connection: an input, an output, and the one close that ends them, over a transport.
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Inspectable from "effect/Inspectable"
import { Prototype } from "effect/Pipeable"
import type * as Pull from "effect/Pull"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import * as Address from "../Address.ts"
import type { AbortCause, Account, CloseOutcome, Stage } from "../CloseOutcome.ts"
import { TypeId } from "../Connection.ts"
import type { ConnectionError } from "../ConnectionError.ts"
import type { PeerEnd, Receiver, Transport } from "../Transport.ts"
import { Close, type Closing } from "./close.ts"
import type { Environment } from "./environment.ts"
import { Input } from "./input.ts"
import { goingAway, Output, Write } from "./output.ts"
import { Each, type Work } from "./reading.ts"
import { socketReader, socketWriter } from "./socket.ts"

/** A server, which counts its connections' outcomes itself, and cuts their closes when the shutdown has no more time. */
export interface Owner {
  closed(outcome: CloseOutcome): void
}

export class ConnectionImpl extends Inspectable.Class implements Closing, Receiver {
  readonly transport: Transport
  readonly environment: Environment
  // Made when they are asked for: whose transport is lent needs none before it closes.
  private madeInput: Input | undefined
  private madeOutput: Output | undefined
  stage: Stage = "Open"
  isDraining = false
  isReleased = false
  brokenCode: string | undefined
  /** For who keeps it waiting: the peer is gone. */
  onLost: (() => void) | undefined
  /** Who is told first that it has closed. */
  owner: Owner | undefined
  /** As a socket: the end of a reader's scope closes it. */
  readerCloses = false
  /** Who ended first, when somebody has. */
  private endedFirst: Account["closedFirst"] | undefined
  private closing: Close | undefined
  private uncut: (() => void) | undefined
  private ended: CloseOutcome | undefined
  private outcomeWaiters: Array<(exit: Exit.Exit<CloseOutcome>) => void> | undefined
  private drainWaiters: Array<(exit: Exit.Exit<void>) => void> | undefined

  constructor(transport: Transport, environment: Environment) {
    super()
    this.transport = transport
    this.environment = environment
    transport.attach(this)
    environment.counters.open++
  }

  get [TypeId](): typeof TypeId {
    return TypeId
  }

  get [Socket.TypeId](): typeof Socket.TypeId {
    return Socket.TypeId
  }

  get input(): Input {
    return (this.madeInput ??= new Input(this.transport))
  }

  get output(): Output {
    return (this.madeOutput ??= new Output(this.transport))
  }

  get context(): Context.Context<never> {
    return this.environment.context
  }

  get localAddress() {
    return this.transport.localAddress
  }

  get remoteAddress() {
    return this.transport.remoteAddress
  }

  get name(): string {
    return Address.describe(this.transport.remoteAddress)
  }

  /** As it is shown and logged: who it is, and not what it is made of, which may have a private key somewhere below. */
  toJSON() {
    return { _id: "Connection", local: Address.describe(this.localAddress), remote: this.name, stage: this.stage }
  }

  // Reading and writing -----------------------------------------------------------------------------------------------

  get pull(): Effect.Effect<Uint8Array, ConnectionError | Cause.Done> {
    return this.input.pull
  }

  get pullRest(): Effect.Effect<Uint8Array, ConnectionError | Cause.Done> {
    return this.input.pullRest
  }

  each<E, R>(handle: (chunk: Uint8Array) => Effect.Effect<unknown, E, R>): Effect.Effect<void, E | ConnectionError, R> {
    return new Each(this.input, handle as (chunk: Uint8Array) => Work<E>)
  }

  get stream(): Stream.Stream<Uint8Array, ConnectionError> {
    return Stream.fromPull(Effect.succeed(this.input.pullArray as Pull.Pull<readonly [Uint8Array], ConnectionError>))
  }

  write(chunk: Uint8Array | string): Effect.Effect<void, ConnectionError> {
    return new Write(this.output, chunk)
  }

  get closeWrite(): Effect.Effect<void, ConnectionError> {
    return this.output.closeWrite
  }

  get reader(): Socket.Socket["reader"] {
    return socketReader(this)
  }

  get writer(): Socket.Socket["writer"] {
    return socketWriter(this)
  }

  // The close ---------------------------------------------------------------------------------------------------------

  get close(): Effect.Effect<CloseOutcome> {
    return Effect.suspend(() => {
      this.beginClose()
      return this.outcome
    })
  }

  get abort(): Effect.Effect<CloseOutcome> {
    return Effect.suspend(() => {
      this.cut("abort")
      return this.outcome
    })
  }

  get outcome(): Effect.Effect<CloseOutcome> {
    return Effect.callback<CloseOutcome>((resume) => {
      if (this.ended !== undefined) return resume(Exit.succeed(this.ended))
      const waiters = (this.outcomeWaiters ??= [])
      waiters.push(resume)
      return Effect.sync(() => remove(waiters, resume))
    })
  }

  get isClosing(): boolean {
    return this.closing !== undefined
  }

  /** Begins the one close, `cut` with no time. Whoever owns the connection's scope awaits its outcome. */
  beginClose(cut?: AbortCause): void {
    if (this.closing !== undefined) return
    this.endedFirst ??= this.input.peerEnded ? "peer" : "local"
    this.closing = new Close(this, cut)
    const { shutdown } = this.environment
    if (this.owner !== undefined) {
      // The owner cuts its own.
      if (shutdown.isCut) this.closing.cut("shutdown")
    } else this.uncut = shutdown.onCut(() => this.cut("shutdown"))
    this.closing.begin()
  }

  /** No more time: what is open is reset. Begins the close when nobody has. */
  cut(cause: AbortCause): void {
    if (this.closing === undefined) this.beginClose(cause)
    else this.closing.cut(cause)
  }

  conclude(outcome: CloseOutcome): void {
    this.stage = "Closed"
    this.ended = outcome
    this.uncut?.()
    this.uncut = undefined
    this.transport.observe?.(outcome)
    const { counters, isDebugging, shutdown } = this.environment
    counters.close(outcome)
    if (isDebugging) this.fork(Effect.logDebug(`closed ${this.name}: ${outcome._tag}`, outcome))
    if (this.owner === undefined && outcome._tag === "Aborted" && outcome.cause === "shutdown") shutdown.force()
    const waiters = this.outcomeWaiters
    this.outcomeWaiters = undefined
    this.owner?.closed(outcome)
    if (waiters !== undefined) for (const resume of waiters) resume(Exit.succeed(outcome))
  }

  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.context)(effect)
  }

  now(): number {
    return this.environment.now()
  }

  enter(stage: Stage): void {
    this.stage = stage
    this.transport.observe?.(stage)
  }

  get closedFirst(): Account["closedFirst"] {
    return this.endedFirst ?? "local"
  }

  // The drain ---------------------------------------------------------------------------------------------------------

  announce(): void {
    if (this.isDraining) return
    this.isDraining = true
    this.output.goodbye = goingAway
    const waiters = this.drainWaiters
    this.drainWaiters = undefined
    if (waiters !== undefined) for (const resume of waiters) resume(Exit.void)
    this.input.announce()
  }

  get draining(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.isDraining) return resume(Exit.void)
      const waiters = (this.drainWaiters ??= [])
      waiters.push(resume)
      return Effect.sync(() => remove(waiters, resume))
    })
  }

  pipe() {
    return Prototype.pipe.apply(this, arguments as never)
  }

  // What the transport tells ------------------------------------------------------------------------------------------

  onData(bytes: Uint8Array): void {
    this.input.onData(bytes)
  }

  onEnd(end?: PeerEnd): void {
    this.endedFirst ??= this.output.state === "open" ? "peer" : "local"
    if (!this.transport.capabilities.halfClose) this.output.end()
    this.input.onEnd(end)
    this.closing?.look()
  }

  onWritable(): void {
    this.output.onWritable()
  }

  onFlushed(): void {
    this.output.onFlushed()
    this.closing?.look()
  }

  onBroken(code: string): void {
    if (this.brokenCode !== undefined) return
    this.brokenCode = code
    this.endedFirst ??= this.output.state === "open" ? "peer" : "local"
    // The output first: a reader that is woken goes on at once, and may write.
    this.output.onBroken(code)
    this.input.onBroken(code)
    this.closing?.look()
    this.onLost?.()
  }

  onReleased(): void {
    this.isReleased = true
    this.closing?.look()
  }
}

/** Waiters are told all at once, or leave one by one, from a list that may have been told meanwhile. */
const remove = <A>(waiters: Array<A>, waiter: A): void => {
  const index = waiters.indexOf(waiter)
  if (index >= 0) waiters.splice(index, 1)
}
