/**
 * `Exit.isExit` for every message: that one makes an object of its arguments each time, being made by `dual`.
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"

const typeId: keyof Exit.Exit<unknown> = "~effect/Exit"

/** Whether an effect has ended before it began. */
export const isExit = <T extends Effect.Effect<unknown, unknown>>(
  effect: T
): effect is T & Exit.Exit<Effect.Success<T>, Effect.Error<T>> => typeId in effect
