/**
 * Numbers drawn from a seed: sfc32, by Chris Doty-Humphrey (PractRand). Small, fast, and good enough to choose by;
 * Effect's own `Random.withSeed` is made for secrets and takes a hundred times as long to set up.
 */
export interface Generator {
  /** A whole number from 0 up to, not including, the bound. */
  below(bound: number): number
}

export const generator = (seed: string): Generator => {
  let [a, b, c] = [hash(seed, 0x9e3779b9), hash(seed, 0x243f6a88), hash(seed, 0xb7e15162)]
  let counter = 1
  const next = (): number => {
    const sum = (a + b + counter++) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return sum >>> 0
  }
  // Seeds that differ in one letter differ in everything after a few rounds.
  for (let round = 0; round < 12; round++) next()
  return { below: (bound) => Math.floor((next() / 0x1_0000_0000) * bound) }
}

/** FNV-1a, with a beginning of one's own. */
const hash = (text: string, begin: number): number => {
  let value = begin
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return value | 0
}
