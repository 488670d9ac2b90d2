/**
 * Reading without a wake-up per message: the handler is called inside the transport's data event.
 *
 * A handler's effect that ends at once, which is what a write with room does, costs no fiber. One that suspends is
 * given a fiber, and the input waits until it has ended: one chunk at a time, back-pressure end to end. The reading
 * fiber itself parks once, until the input ends, a handler fails, or it is interrupted.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { ConnectionError } from "../ConnectionError.ts"
import { type Input, type Pulled, type Sink, done } from "./input.ts"
import { Write } from "./output.ts"

type Handled<E, R> = Effect.Effect<unknown, E, R>

/** The sink, and what an interruption of the one who reads has to do. */
class Each<E> extends Effectable.Class<void> implements Sink {
  active: Fiber.Fiber<unknown, E> | undefined
  private over = false
  /** A handler runs that has not suspended yet: it may close the very connection that it reads. */
  private starting = false
  private readonly input: Input
  private readonly handle: (chunk: Uint8Array) => Handled<E, never>
  private readonly isUnfinished: (() => boolean) | undefined
  private readonly context: Context.Context<never>
  private readonly resume: (exit: Effect.Effect<void, E | ConnectionError>) => void

  constructor(
    input: Input,
    handle: (chunk: Uint8Array) => Handled<E, never>,
    isUnfinished: (() => boolean) | undefined,
    context: Context.Context<never>,
    resume: (exit: Effect.Effect<void, E | ConnectionError>) => void
  ) {
    super()
    this.input = input
    this.handle = handle
    this.isUnfinished = isUnfinished
    this.context = context
    this.resume = resume
  }

  get busy(): boolean {
    return this.active !== undefined || this.starting
  }

  get unfinished(): boolean {
    return this.isUnfinished !== undefined && this.isUnfinished()
  }

  take(chunk: Uint8Array): void {
    let effect: Handled<E, never>
    try {
      effect = this.handle(chunk)
    } catch (defect) {
      return this.finish(Exit.die(defect))
    }
    if (effect instanceof Write) effect = effect.output.write(effect.bytes) as Handled<E, never>
    if (Exit.isExit(effect)) return this.settle(effect as Exit.Exit<unknown, E>)
    this.starting = true
    const fiber = Effect.runForkWith(this.context)(effect)
    this.starting = false
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return this.settle(exit)
    this.active = fiber
    fiber.addObserver((exit) => {
      this.active = undefined
      this.settle(exit)
      if (!this.over) this.input.feed(this)
    })
  }

  private settle(exit: Exit.Exit<unknown, E>): void {
    if (exit._tag === "Failure") this.finish(exit)
  }

  end(exit: Pulled): void {
    this.finish(exit === done ? Exit.void : (exit as Exit.Exit<never, ConnectionError>))
  }

  private finish(exit: Exit.Exit<void, E | ConnectionError>): void {
    if (this.over) return
    this.cancel()
    this.resume(exit)
  }

  private cancel(): void {
    this.over = true
    this.input.detachSink(this)
  }

  override asEffect(): Effect.Effect<void> {
    this.cancel()
    return this.active === undefined ? Exit.void : Fiber.interrupt(this.active)
  }
}

export const each = <E, R>(
  input: Input,
  handle: (chunk: Uint8Array) => Handled<E, R>,
  isUnfinished?: () => boolean
): Effect.Effect<void, E | ConnectionError, R> =>
  Effect.callback<void, E | ConnectionError>((resume) => {
    const handler = handle as (chunk: Uint8Array) => Handled<E, never>
    const sink = new Each<E>(input, handler, isUnfinished, Fiber.getCurrent()!.context, resume)
    const busy = input.attachSink(sink)
    if (busy !== undefined) return resume(Exit.fail(busy))
    input.feed(sink)
    return sink
  })
