/**
 * Handlers that need no fiber: a server begins them as they are, and is told when they have ended. Whoever is parked for
 * as long as a connection lives would pay for a fiber, and for its wake-up at the end, with a third of what an idle
 * connection weighs.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

/** Who is told how it has ended. */
export interface Ending<E> {
  ended(exit: Exit.Exit<void, E>): void
}

/** One that has begun. */
export interface Begun {
  /** As a fiber's: told when it has ended. */
  interruptUnsafe(): void
  /** The same for who is a fiber's. */
  asEffect(): Effect.Effect<void>
}

export abstract class Unfibered<E> extends Effectable.Class<void, E> {
  /** Its end may come before this returns. */
  abstract begin(context: Context.Context<never>, ending: Ending<E>): Begun

  /** In the middle of something else it is an effect like any other. */
  override asEffect(): Effect.Effect<void, E> {
    return Effect.callback((ended) => this.begin(Fiber.getCurrent()!.context, { ended }).asEffect())
  }
}
