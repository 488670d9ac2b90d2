/**
 * Goes through the orders of a program: first the usual one, then all that deviate from it once, then twice, so that the
 * first one found that fails is a shortest one.
 *
 * Each run tells how many possibilities each of its choices had; the children of a run take one more of them, behind its
 * last deviation. Inner runs look at what is touched: where a fiber has touched nothing since it could last be preempted
 * it need not be preempted again, and a run that comes to a state which another one has gone on from is given up. Looking
 * costs more than running, so the last level, which is nearly all, does without.
 */
import type { Deviation } from "./exploreOrder.ts"
import { failed, type Ran, runIn, type Subject } from "./exploreRun.ts"

export interface Bounds {
  readonly runsMax: number
  readonly deviationsMax: number
  readonly reduces: boolean
}

export interface Failing {
  readonly deviations: ReadonlyArray<Deviation>
  readonly isOpen: boolean
  readonly ran: Ran
}

export interface Searched {
  readonly runs: number
  /** Runs that were given up because another one had come to the same state. */
  readonly pruned: number
  /** All orders with so many deviations have been seen. */
  readonly deviations: number
  readonly exhausted: boolean
  readonly failing: Failing | undefined
}

interface Node {
  readonly deviations: ReadonlyArray<Deviation>
  /** The possibilities at the choices behind the last deviation, of which this is the first. */
  readonly from: number
  readonly choices: ReadonlyArray<number>
}

/** Somebody went on from a state, with so many preemptions used. */
interface Gone {
  readonly preemptions: number
  readonly run: number
}

export class Search<A, E> {
  private runs = 0
  private pruned = 0
  private completed = 0
  private exhausted = false
  private isOpen = true
  private failing: Failing | undefined
  private known = new Map<number, Gone>()
  private readonly written = new Set<number>()
  private readonly subject: Subject<A, E>
  private readonly bounds: Bounds
  private readonly onEnd: (ran: Ran) => void

  constructor(subject: Subject<A, E>, bounds: Bounds, onEnd: (ran: Ran) => void) {
    this.subject = subject
    this.bounds = bounds
    this.onEnd = onEnd
  }

  go(): Searched {
    // What turns out to be shared later makes earlier states look like each other that were not.
    let kinds: number
    do {
      kinds = this.written.size
      this.known = new Map()
      this.levels(kinds)
    } while (kinds !== this.written.size && this.failing === undefined && this.runs < this.bounds.runsMax)
    const { completed, failing, pruned, runs } = this
    return { runs, pruned, failing, deviations: completed, exhausted: this.exhausted }
  }

  private levels(kinds: number): void {
    const { deviationsMax, runsMax } = this.bounds
    let level = this.visit([])
    this.completed = 0
    while (level.length > 0 && this.completed < deviationsMax) {
      const next: Array<Node> = []
      for (const node of level) {
        for (const deviations of childrenOf(node)) {
          if (this.runs >= runsMax) return
          next.push(...this.visit(deviations))
          if (this.failing !== undefined || this.written.size !== kinds) return
        }
      }
      this.completed++
      level = next
    }
    this.exhausted = this.failing === undefined && this.written.size === kinds
  }

  /** Runs one order. Gives what its children are made from, if there will be any. */
  private visit(deviations: ReadonlyArray<Deviation>): Array<Node> {
    const run = ++this.runs
    const isLast = deviations.length >= this.bounds.deviationsMax
    const { isOpen } = this
    const ran = runIn(this.subject, {
      deviations,
      isOpen,
      written: this.bounds.reduces && !isLast ? this.written : undefined,
      isKnown: (state, preemptions) => this.isKnown(state, preemptions, run)
    })
    if (run === 1) this.isOpen = !ran.order.opened
    if (ran.halt === "known") this.pruned++
    else this.onEnd(ran)
    if (failed(ran)) this.failing = { deviations, isOpen: this.isOpen, ran }
    if (isLast || this.failing !== undefined) return []
    const from = deviations.length === 0 ? 0 : deviations.at(-1)!.at + 1
    return [{ deviations, from, choices: ran.order.choices.slice(from) }]
  }

  private isKnown(state: number, preemptions: number, run: number): boolean {
    const gone = this.known.get(state)
    if (gone !== undefined && gone.preemptions <= preemptions) return gone.run !== run
    this.known.set(state, { preemptions, run })
    return false
  }
}

function* childrenOf({ choices, deviations, from }: Node): Generator<ReadonlyArray<Deviation>> {
  for (const [index, possibilities] of choices.entries()) {
    for (let choice = 1; choice < possibilities; choice++) yield [...deviations, { at: from + index, choice }]
  }
}
