/**
 * A connection: an input, an output, and the one close that ends them, over a transport.
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { Prototype } from "effect/Pipeable"
import type * as Pull from "effect/Pull"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import * as Address from "../Address.ts"
import type { AbortCause, Account, CloseOutcome, Stage } from "../CloseOutcome.ts"
import type { ClosePolicy } from "../ClosePolicy.ts"
import { TypeId } from "../Connection.ts"
import type { ConnectionError } from "../ConnectionError.ts"
import { CurrentShutdown } from "../Shutdown.ts"
import type { Receiver, Transport } from "../Transport.ts"
import { type Alarm, setAlarm } from "./alarms.ts"
import { type Awaited, Broken, type Closing, closing, Cut } from "./close.ts"
import { each } from "./each.ts"
import { Input } from "./input.ts"
import { monotonicMillis } from "./monotonic.ts"
import { recordClose, recordOpen } from "./observe.ts"
import { Output, Write } from "./output.ts"
import { socketReader, socketWriter } from "./socket.ts"

const encoder = new TextEncoder()

export class ConnectionImpl implements Closing, Receiver {
  readonly [TypeId] = TypeId
  readonly [Socket.TypeId] = Socket.TypeId
  readonly transport: Transport
  readonly policy: ClosePolicy
  readonly context: Context.Context<never>
  readonly input: Input
  readonly output: Output
  stage: Stage = "Open"
  isDraining = false
  farewell: Account["farewell"] = "none"
  progressAt = 0
  /** For who keeps it waiting: the peer is gone. */
  onLost: (() => void) | undefined
  /** For the server's registry. */
  onClosed: ((outcome: CloseOutcome) => void) | undefined
  private readonly clock: Clock.Clock
  private closedFirst: Account["closedFirst"] | undefined
  private closeBegan: number | undefined
  private brokenCode: string | undefined
  private cutCause: AbortCause | undefined
  private wake: (() => void) | undefined
  private deadline: Alarm | undefined
  private isReleased = false
  private ended: CloseOutcome | undefined
  private outcomeWaiters: Array<(exit: Exit.Exit<CloseOutcome>) => void> = []
  private drainWaiters: Array<(exit: Exit.Exit<void>) => void> = []
  private uncut: (() => void) | undefined

  constructor(transport: Transport, policy: ClosePolicy, context: Context.Context<never>) {
    this.transport = transport
    this.policy = policy
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
    this.input = new Input(transport)
    this.output = new Output(transport)
    transport.attach(this)
    recordOpen(context)
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

  // Reading and writing -----------------------------------------------------------------------------------------------

  get pull(): Effect.Effect<Uint8Array, ConnectionError | Cause.Done> {
    return this.input.pull
  }

  get pullRest(): Effect.Effect<Uint8Array, ConnectionError | Cause.Done> {
    return this.input.pullRest
  }

  each<E, R>(handle: (chunk: Uint8Array) => Effect.Effect<unknown, E, R>): Effect.Effect<void, E | ConnectionError, R> {
    return each(this.input, handle)
  }

  get stream(): Stream.Stream<Uint8Array, ConnectionError> {
    const pull = Effect.map(this.input.pull, (chunk) => [chunk] as const)
    return Stream.fromPull(Effect.succeed(pull as Pull.Pull<readonly [Uint8Array], ConnectionError>))
  }

  write(chunk: Uint8Array | string): Effect.Effect<void, ConnectionError> {
    return new Write(this.output, typeof chunk === "string" ? encoder.encode(chunk) : chunk)
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
      this.outcomeWaiters.push(resume)
      return Effect.sync(() => {
        const index = this.outcomeWaiters.indexOf(resume)
        if (index >= 0) this.outcomeWaiters.splice(index, 1)
      })
    })
  }

  /** Begins the one close, on a fiber that nobody interrupts. Whoever owns the connection's scope awaits its outcome. */
  beginClose(): void {
    if (this.closeBegan !== undefined) return
    this.closeBegan = this.now()
    this.closedFirst ??= this.input.peerEnded ? "peer" : "local"
    const shutdown = Context.get(this.context, CurrentShutdown)
    this.uncut = shutdown.onCut(() => this.cut("shutdown"))
    this.input.close()
    this.deadline = setAlarm(this.context, Duration.toMillis(this.policy.deadline), () => this.cut("deadline"))
    this.fork(closing(this)).addObserver((exit) => {
      if (Exit.isSuccess(exit)) this.conclude(exit.value)
    })
  }

  /** No more time: what is open is reset. Begins the close when nobody has. */
  cut(cause: AbortCause): void {
    this.cutCause ??= cause
    this.beginClose()
    this.wakeClose()
  }

  private conclude(outcome: CloseOutcome): void {
    this.stage = "Closed"
    this.ended = outcome
    this.uncut?.()
    this.deadline?.clear()
    this.uncut = this.deadline = undefined
    this.transport.observe?.(outcome)
    recordClose(this.context, this.name, outcome)
    const ownedByServer = this.onClosed !== undefined
    if (!ownedByServer && outcome._tag === "Aborted" && outcome.cause === "shutdown") {
      Context.get(this.context, CurrentShutdown).force()
    }
    const waiters = this.outcomeWaiters
    this.outcomeWaiters = []
    this.onClosed?.(outcome)
    for (const resume of waiters) resume(Exit.succeed(outcome))
  }

  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.context)(effect)
  }

  now(): number {
    return monotonicMillis(this.clock)
  }

  enter(stage: Stage): void {
    this.stage = stage
    this.transport.observe?.(stage)
  }

  until(condition: () => boolean, millis = Infinity): Awaited {
    return this.awaiting((): Exit.Exit<boolean, Cut | Broken> | undefined => {
      if (this.brokenCode !== undefined) return Exit.fail(new Broken(this.brokenCode))
      if (this.cutCause !== undefined) return Exit.fail(new Cut(this.cutCause))
      return condition() ? Exit.succeed(true) : undefined
    }, millis)
  }

  released(millis: number): Effect.Effect<boolean> {
    return this.awaiting(() => (this.isReleased ? Exit.succeed(true) : undefined), millis)
  }

  private awaiting<E>(check: () => Exit.Exit<boolean, E> | undefined, millis: number): Effect.Effect<boolean, E> {
    return Effect.callback((resume) => {
      let alarm: Alarm | undefined
      const over = (exit: Exit.Exit<boolean, E> | undefined) => {
        if (exit === undefined) return
        this.wake = undefined
        alarm?.clear()
        resume(exit)
      }
      this.wake = () => over(check())
      this.wake()
      if (this.wake !== undefined && millis !== Infinity) {
        alarm = setAlarm(this.context, millis, () => over(Exit.succeed(false)))
      }
    })
  }

  wakeClose(): void {
    this.wake?.()
  }

  discarded(): void {
    this.progressAt = this.now()
    if (this.input.bytesDiscarded > this.policy.lingerBytesMax) this.wakeClose()
  }

  account(): Account {
    const { input, output } = this
    const bytesUnsent = output.bytesUnsent
    return {
      stage: this.stage as Account["stage"],
      closedFirst: this.closedFirst!,
      farewell: this.farewell,
      bytesRead: input.bytesRead,
      bytesWritten: output.bytesTaken - bytesUnsent,
      bytesDiscarded: input.bytesDiscarded,
      bytesUnsent,
      closeMillis: Math.round(this.now() - (this.closeBegan ?? this.now()))
    }
  }

  // The drain ---------------------------------------------------------------------------------------------------------

  announce(): void {
    if (this.isDraining) return
    this.isDraining = true
    const waiters = this.drainWaiters
    this.drainWaiters = []
    for (const resume of waiters) resume(Exit.void)
    this.input.announce()
  }

  get draining(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.isDraining) return resume(Exit.void)
      this.drainWaiters.push(resume)
      return Effect.sync(() => {
        const index = this.drainWaiters.indexOf(resume)
        if (index >= 0) this.drainWaiters.splice(index, 1)
      })
    })
  }

  pipe() {
    return Prototype.pipe.apply(this, arguments as never)
  }

  // What the transport tells ------------------------------------------------------------------------------------------

  onData(bytes: Uint8Array): void {
    this.input.onData(bytes)
  }

  onEnd(): void {
    this.closedFirst ??= this.output.state === "open" ? "peer" : "local"
    this.input.onEnd()
    this.wakeClose()
  }

  onWritable(): void {
    this.output.onWritable()
  }

  onFlushed(): void {
    this.output.onFlushed()
    this.wakeClose()
  }

  onBroken(code: string): void {
    if (this.brokenCode !== undefined) return
    this.brokenCode = code
    this.closedFirst ??= this.output.state === "open" ? "peer" : "local"
    this.input.onBroken(code)
    this.output.onBroken(code)
    this.wakeClose()
    this.onLost?.()
  }

  onReleased(): void {
    this.isReleased = true
    this.wakeClose()
  }
}
