/**
 * Tries one law on a ground of its own, and gives everything back.
 *
 * A transport that never says that it is released would hold the scope of its connections for ever; one that is broken
 * in other ways may do worse. So all pipes are ended first, by their reset, and those who wait for them are told that
 * this was all.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { type Ground, quietTurns, Trial, type Tried } from "./trial.ts"
import { Unmet } from "./unmet.ts"

/** A law that was broken, with what led to it. */
export interface Broken {
  readonly expected: string
  readonly happened: string
  readonly transcript: ReadonlyArray<string>
}

export const attempt = (
  prepare: Effect.Effect<Ground, never, Scope.Scope>,
  law: (trial: Trial) => Tried
): Effect.Effect<void, Broken> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const ground = yield* prepare
      const socketsBefore = yield* socketsOpen(ground)
      const trial = new Trial(ground)
      const scope = yield* Scope.make()
      const tried = yield* Effect.exit(restore(Effect.andThen(Scope.provide(law(trial), scope), trial.verified)))
      trial.over()
      const cleared = yield* Effect.exit(clearing(trial, scope, socketsBefore))
      const exit = Exit.isSuccess(tried) ? cleared : tried
      return yield* Effect.mapError(exit, ({ expected, happened }): Broken => ({
        expected,
        happened,
        transcript: trial.transcript.lines
      }))
    }).pipe(Effect.scoped)
  )

const socketsOpen = (ground: Ground): Effect.Effect<number> => ground.socketsOpen ?? Effect.succeed(0)

const clearing = Effect.fnUntraced(function* (
  trial: Trial,
  scope: Scope.Closeable,
  socketsBefore: number
): Effect.fn.Return<void, Unmet> {
  const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true })
  yield* trial.exitOf(closing, "the scope of connections and listeners")
  const { turnsMax } = trial.ground
  // Counting may cost more than a turn.
  for (let turns = 0; ; turns += quietTurns) {
    const open = yield* socketsOpen(trial.ground)
    if (open <= socketsBefore) return
    if (turns >= turnsMax) {
      return yield* Effect.fail(
        new Unmet("in the end every socket is given back", `${open} are open, ${socketsBefore} were before`)
      )
    }
    yield* trial.awhile()
  }
})
