/**
 * What has happened in a run, but for the order of what does not depend on each other.
 *
 * Two runs in which every fiber did the same, and in which whoever touched something found it as the same other one had
 * left it, have come to the same state, whatever happened earlier or later in between (Mazurkiewicz's traces). So each
 * access to something shared is given a number, made of what its own fiber did before it and of who touched that thing
 * last, and the sum of all numbers names the state. Local variables need no looking at: they are the consequence of what
 * a fiber has read.
 *
 * It rests on seeing every access to what is shared; `exploreShared.ts` says how.
 */

/** Numbers are whole and below 2^53; mixing them is not secret, only unlikely to meet. */
export const mix = (one: number, other: number): number => {
  let low = (one | 0) ^ Math.imul(other | 0, 0x9e3779b1)
  let high = ((one / 0x1_0000_0000) | 0) ^ Math.imul((other / 0x1_0000_0000) | 0, 0x85ebca77)
  low = (Math.imul(low ^ (low >>> 15), 0xc2b2ae3d) + high) | 0
  high = Math.imul(high ^ (high >>> 13), 0x27d4eb2f) ^ low
  low = (Math.imul(low ^ (low >>> 16), 0x165667b1) + high) | 0
  return ((high ^ (high >>> 11)) & 0x1f_ffff) * 0x1_0000_0000 + (low >>> 0)
}

/** Things that can be touched, by their place in it. */
export interface Place {
  readonly id: number
  /** Who wrote there last, and the sum of those who have read since. */
  readonly writers: Array<number>
  readonly readers: Array<number>
}

/** What a fiber has done. */
interface Strand {
  done: number
}

export class Trace {
  /** What the running step, and everybody in it, has done up to now. */
  current = 1
  /** How many things the program has named. */
  named = 0
  private low = 0
  private high = 0
  private readonly strands = new Map<object, Strand>()
  private together: Array<Strand> = []
  /** The kinds of property that have been written in any run of this search. */
  readonly written: Set<number>

  constructor(written: Set<number>) {
    this.written = written
  }

  /** Names the state: what has happened. */
  get sum(): number {
    return mix(this.low >>> 0, this.high >>> 0)
  }

  // Steps and fibers --------------------------------------------------------------------------------------------------

  /** A task begins that was made when so much had been done; one that goes on is not a new one. */
  begin(made: number, at: number, goesOn: boolean): void {
    this.together.length = 0
    this.current = goesOn ? made : mix(made, at)
    if (!goesOn) this.note()
  }

  /** The running task is over. */
  end(): void {
    for (const strand of this.together) strand.done = this.current
    this.together.length = 0
  }

  /** A fiber takes part in the running step; what one does there, the others may know. */
  joins(fiber: object): void {
    let strand = this.strands.get(fiber)
    if (strand === undefined) this.strands.set(fiber, (strand = { done: 0 }))
    if (this.together.includes(strand)) return
    this.together.push(strand)
    if (strand.done !== 0 && strand.done !== this.current) this.current = mix(this.current, strand.done)
  }

  /** A fiber stops taking part, in the middle of the step. */
  leaves(fiber: object): void {
    const strand = this.strands.get(fiber)!
    strand.done = this.current
    this.together = this.together.filter((other) => other !== strand)
  }

  /** Something was made that will happen later; gives it its number. */
  make(): number {
    return (this.current = mix(this.current, 3))
  }

  // Accesses ----------------------------------------------------------------------------------------------------------

  read(place: Place, index: number): void {
    this.current = mix(this.current, mix(place.id + index, place.writers[index]!))
    // The order of readers does not matter: a sum.
    place.readers[index] = (place.readers[index]! + this.current) % 0x1f_ffff_ffff_ffff
    this.note()
  }

  write(place: Place, index: number): void {
    const before = mix(place.writers[index]!, place.readers[index]!)
    this.current = mix(mix(this.current, place.id + index), before + 1)
    place.writers[index] = this.current
    place.readers[index] = 0
    this.note()
  }

  private note(): void {
    this.low = (this.low + this.current) | 0
    this.high = (this.high + mix(this.current, 5)) | 0
  }
}
