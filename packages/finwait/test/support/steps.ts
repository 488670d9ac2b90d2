/**
 * Interruption at every step.
 *
 * Effect asks its scheduler before every single operation of every fiber whether to yield. A scheduler that counts those
 * questions can therefore interrupt a program before its first operation, before its second, and so on until the program
 * ends before it could be interrupted: nothing lies between two steps.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"

class Stepper implements Scheduler.Scheduler {
  readonly executionMode: "sync" | "async"
  steps = 0
  interruptedAtMillis: number | undefined
  target: Fiber.Fiber<unknown, unknown> | undefined
  private readonly parent: Scheduler.Scheduler
  private readonly clock: Clock.Clock
  private readonly at: number

  constructor(parent: Scheduler.Scheduler, clock: Clock.Clock, at: number) {
    this.parent = parent
    this.clock = clock
    this.at = at
    this.executionMode = parent.executionMode
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (this.target !== undefined && this.steps++ === this.at) {
      this.interruptedAtMillis = this.clock.currentTimeMillisUnsafe()
      this.target.interruptUnsafe()
    }
    return this.parent.shouldYield(fiber)
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this.parent.makeDispatcher()
  }
}

export interface Stepped<A> {
  /** Before which step it was interrupted; `undefined` for the run in which it ended first. */
  readonly step: number | undefined
  readonly exit: Exit.Exit<A, unknown>
  /** Virtual time from the interruption, or from the beginning when there was none, to the end. */
  readonly millis: number
}

/**
 * Runs the program that `prepare` gives, again and again: each time from the beginning, each time interrupted one step
 * later, in virtual time of at most `within` milliseconds. `check` looks at what is left. Gives the number of steps.
 */
export const interruptedAtEveryStep = Effect.fnUntraced(function* <A, B>(options: {
  readonly prepare: Effect.Effect<
    { readonly program: Effect.Effect<A, unknown>; readonly world: B },
    unknown,
    Scope.Scope
  >
  readonly within: number
  readonly check: (run: Stepped<A>, world: B) => Effect.Effect<void>
}) {
  const context = yield* Effect.context<never>()
  const clock = Context.get(context, Clock.Clock)
  for (let step = 0; ; step++) {
    const stepper = new Stepper(Context.get(context, Scheduler.Scheduler), clock, step)
    const stepped = Context.add(context, Scheduler.Scheduler, stepper)
    const scope = yield* Scope.make()
    const { program, world } = yield* Effect.provideContext(Scope.provide(options.prepare, scope), stepped)
    const begun = clock.currentTimeMillisUnsafe()
    let ended = begun
    const target = Effect.runForkWith(stepped)(Effect.andThen(Effect.yieldNow, program))
    stepper.target = target
    target.addObserver(() => {
      ended = clock.currentTimeMillisUnsafe()
      stepper.target = undefined
    })
    yield* turns
    yield* TestClock.adjust(options.within)
    yield* turns
    const exit = target.pollUnsafe()
    const interruptedAt = stepper.interruptedAtMillis
    if (exit === undefined) {
      return yield* Effect.die(new Error(`interrupted before step ${step}: no end within ${options.within} ms`))
    }
    const interrupted = interruptedAt !== undefined
    yield* options.check(
      { step: interrupted ? step : undefined, exit, millis: ended - (interruptedAt ?? begun) },
      world
    )
    yield* Scope.close(scope, Exit.void)
    if (!interrupted) return step
  }
})

const turns = Effect.gen(function* () {
  for (let turn = 0; turn < 40; turn++) yield* Effect.yieldNow
})

/** A scheduler that makes every fiber yield after so many operations. */
export const yieldingEvery = (operations: number, parent: Scheduler.Scheduler): Scheduler.Scheduler => ({
  executionMode: parent.executionMode,
  shouldYield: (fiber) => fiber.currentOpCount >= operations,
  makeDispatcher: () => parent.makeDispatcher()
})
