/**
 * Reading without a wake-up per message: what is done with a chunk is done inside the transport's data event.
 *
 * An effect that ends at once, which is what a write with room does, costs no fiber. One that suspends is given a fiber,
 * and the input waits until it has ended: one chunk at a time, back-pressure end to end.
 *
 * Whoever reads so is parked once, until the input ends, the work fails, or an interruption. A handler that is nothing
 * but a reading needs no fiber for that: see `unfibered.ts`.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { ConnectionError } from "../ConnectionError.ts"
import { isExit, isInterrupt } from "./exits.ts"
import { type Input, type Pulled, type Sink, done } from "./input.ts"
import { Write } from "./output.ts"
import { type Begun, type Ending, Unfibered } from "./unfibered.ts"

export type Work<E, R = never> = Effect.Effect<unknown, E, R>

/** What is done with what is read. */
export interface Plan<E> {
  /** What is to be done before anything is read. */
  first?(): Work<E>
  /** What is to be done with a chunk; may throw. */
  take(chunk: Uint8Array): Work<E>
  /** Nothing more is to be begun. */
  stop?(): void
  /** Inside of a message, which a drain does not end. */
  readonly unfinished: boolean
  /** What the end of the input means. */
  atEnd(): Exit.Exit<void, E>
}

type Stopped<E> = (exit: Exit.Exit<void, E | ConnectionError>) => void

/** What an interruption has brought about: nothing but itself, or what went wrong when the work was cleaned up. */
const stoppedBy = <E>(exit: Exit.Exit<unknown, E>): Exit.Exit<void, E> =>
  isInterrupt(exit) ? Exit.interrupt() : (exit as Exit.Exit<never, E>)

/** One who reads by a plan; as an effect, what an interruption has to do. */
class Reader<E> extends Effectable.Class<void> implements Sink, Begun {
  private active: Fiber.Fiber<unknown, E> | undefined
  private over = false
  /** Work has begun that has not suspended yet: it may close or interrupt the very connection that it reads. */
  private starting = false
  /** It was interrupted, and this is told when the work has ended. */
  private stopping: Stopped<E> | undefined
  private readonly input: Input
  private readonly plan: Plan<E>
  private readonly context: Context.Context<never>
  private readonly ending: Ending<E | ConnectionError>

  constructor(input: Input, plan: Plan<E>, context: Context.Context<never>, ending: Ending<E | ConnectionError>) {
    super()
    this.input = input
    this.plan = plan
    this.context = context
    this.ending = ending
  }

  begin(): void {
    const busy = this.input.attachSink(this)
    if (busy !== undefined) return this.ending.ended(Exit.fail(busy))
    const { plan } = this
    if (plan.first !== undefined) {
      this.starting = true
      this.work(plan.first())
    }
    this.input.feed(this)
  }

  get busy(): boolean {
    return this.active !== undefined || this.starting
  }

  get unfinished(): boolean {
    return this.plan.unfinished
  }

  take(chunk: Uint8Array): void {
    this.starting = true
    let work: Work<E>
    try {
      work = this.plan.take(chunk)
    } catch (defect) {
      work = Exit.die(defect)
    }
    this.work(work)
  }

  private work(work: Work<E>): void {
    const effect = work instanceof Write ? work.output.write(work.data) : work
    const fiber = isExit(effect) ? undefined : Effect.runForkWith(this.context)(effect as Work<E>)
    this.starting = false
    const exit = fiber === undefined ? (effect as Exit.Exit<unknown, E>) : fiber.pollUnsafe()
    if (exit === undefined) this.waitFor(fiber!)
    else if (this.stopping !== undefined) this.stopping(stoppedBy(exit))
    else this.settle(exit)
  }

  private waitFor(fiber: Fiber.Fiber<unknown, E>): void {
    this.active = fiber
    fiber.addObserver((exit) => {
      this.active = undefined
      this.settle(exit)
      if (!this.over) this.input.feed(this)
    })
    if (this.stopping !== undefined) this.stop(this.stopping)
  }

  private settle(exit: Exit.Exit<unknown, E | ConnectionError>): void {
    if (exit._tag === "Failure") this.finish(exit)
  }

  end(exit: Pulled<never>): void {
    this.finish(exit === done ? this.plan.atEnd() : (exit as Exit.Exit<never, ConnectionError>))
  }

  private finish(exit: Exit.Exit<void, E | ConnectionError>): void {
    if (this.over) return
    this.cancel()
    this.ending.ended(exit)
  }

  private cancel(): void {
    this.over = true
    this.input.detachSink(this)
  }

  /** Reads no more; interrupts the work, and tells when it has ended. */
  private stop(stopped: Stopped<E>): void {
    this.cancel()
    this.plan.stop?.()
    const { active } = this
    if (this.starting) this.stopping = stopped
    else if (active === undefined) stopped(Exit.interrupt())
    else {
      active.addObserver((exit) => stopped(stoppedBy(exit)))
      active.interruptUnsafe()
    }
  }

  override asEffect(): Effect.Effect<void> {
    return Effect.callback((resume) => this.stop((exit) => resume(isInterrupt(exit) ? Exit.void : Effect.orDie(exit))))
  }

  /** As a fiber's: the work is interrupted, and over when it has ended. */
  interruptUnsafe(): void {
    if (!this.over) this.stop((exit) => this.ending.ended(exit))
  }
}

/** In place of a plan that could not be made. */
const broken = (defect: unknown): Plan<never> => {
  const died = () => Exit.die(defect)
  return { first: died, take: died, atEnd: died, unfinished: false }
}

/** Reads by a plan until the input ends. */
export abstract class Reading<E> extends Unfibered<E | ConnectionError> {
  protected abstract readonly input: Input
  protected abstract plan(context: Context.Context<never>): Plan<E>

  begin(context: Context.Context<never>, ending: Ending<E | ConnectionError>): Begun {
    const reader = new Reader(this.input, this.planOrDefect(context), context, ending)
    reader.begin()
    return reader
  }

  private planOrDefect(context: Context.Context<never>): Plan<E> {
    try {
      return this.plan(context)
    } catch (defect) {
      return broken(defect)
    }
  }
}

/** Every chunk is a message of its own. */
export class Each<E> extends Reading<E> implements Plan<E> {
  protected readonly input: Input
  private readonly handle: (chunk: Uint8Array) => Work<E>

  constructor(input: Input, handle: (chunk: Uint8Array) => Work<E>) {
    super()
    this.input = input
    this.handle = handle
  }

  protected plan(): Plan<E> {
    return this
  }

  take(chunk: Uint8Array): Work<E> {
    return this.handle(chunk)
  }

  get unfinished(): boolean {
    return false
  }

  atEnd(): Exit.Exit<void> {
    return Exit.void
  }
}
