/** What effects have come to, where Effect's own would cost too much or would swallow something. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

const typeId: keyof Exit.Exit<unknown> = "~effect/Exit"

/**
 * Whether an effect has ended before it began. `Exit.isExit` makes an object of its arguments each time, being made by
 * `dual`. What is no effect at all has not: whoever runs it finds out.
 */
export const isExit = <T extends Effect.Effect<unknown, unknown>>(
  effect: T
): effect is T & Exit.Exit<Effect.Success<T>, Effect.Error<T>> =>
  typeof effect === "object" && effect !== null && typeId in effect

/** Whether nothing went wrong but that it was interrupted. */
export const isInterrupt = (exit: Exit.Exit<unknown, unknown>): boolean =>
  exit._tag === "Success" || Cause.hasInterruptsOnly(exit.cause)

/** Interrupts a fiber that has not ended, and waits for it. What goes wrong in its finalizers is a defect, and told. */
export const interrupting = (fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (fiber.pollUnsafe() !== undefined) return Exit.void
    const ended = Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))
    return Effect.flatMap(ended, (exit) => (isInterrupt(exit) ? Exit.void : Effect.orDie(Effect.asVoid(exit))))
  })
