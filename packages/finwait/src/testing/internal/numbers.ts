/**
 * Numbers from 0 to 1, from a seed.
 */
import { generator } from "./choicesRandom.ts"

const steps = 0x1_0000_0000

export const numbers = (seed: string): (() => number) => {
  const { below } = generator(seed)
  return () => below(steps) / steps
}
