/**
 * The random numbers of a world of its own: the same for the same seed, from the beginning in every run.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

type Service = (typeof Random.Random)["Service"]

/** The numbers of `Random.withSeed`. Setting them up costs more than a small run: only for who draws one. */
export const seeded = (seed: number | string, onDraw: () => void = () => {}): Service => {
  let made: Service | undefined
  const random = () => {
    onDraw()
    return (made ??= Effect.runSync(Random.withSeed(Random.Random, seed)))
  }
  return { nextIntUnsafe: () => random().nextIntUnsafe(), nextDoubleUnsafe: () => random().nextDoubleUnsafe() }
}
