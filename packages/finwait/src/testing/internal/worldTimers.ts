/**
 * What is due later, the earliest first: a binary heap. Times are whole nanoseconds, so that sums of fractions of
 * milliseconds meet where they should.
 */
import type { Task } from "./choices.ts"

export interface Timer {
  readonly at: number
  /** Those of one instant ring in the order in which they were set, unless somebody chooses otherwise. */
  readonly order: number
  task: Task | undefined
}

/** Below this many it is not worth looking for those that were taken back. */
const sweepMin = 64

export class Timers {
  /** How many will ring. */
  armed = 0
  private heap: Array<Timer> = []
  private order = 0

  add(at: number, task: Task): Timer {
    const timer: Timer = { at, order: this.order++, task }
    this.armed++
    this.heap.push(timer)
    this.rise(this.heap.length - 1)
    return timer
  }

  /** Takes it back, unless it has rung. It stays where it is until it comes up, or until most of the heap is like it. */
  cancel(timer: Timer): void {
    if (timer.task === undefined) return
    timer.task = undefined
    this.armed--
    if (this.heap.length > sweepMin && this.armed < this.heap.length / 4) this.sweep()
  }

  /** When the next one rings; `Infinity` when there is none. */
  get next(): number {
    while (this.heap.length > 0) {
      const first = this.heap[0]!
      if (first.task !== undefined) return first.at
      this.pop()
    }
    return Infinity
  }

  /** Takes the first one out; there is one. */
  ring(): Task {
    const timer = this.pop()
    const task = timer.task!
    timer.task = undefined
    this.armed--
    return task
  }

  private sweep(): void {
    // In order is one of the orders that a heap may have.
    this.heap = this.heap.filter(({ task }) => task !== undefined).toSorted((a, b) => (isBefore(a, b) ? -1 : 1))
  }

  private pop(): Timer {
    const { heap } = this
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length > 0) {
      heap[0] = last
      this.sink()
    }
    return first
  }

  private rise(index: number): void {
    const { heap } = this
    const timer = heap[index]!
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = heap[above]!
      if (!isBefore(timer, parent)) break
      heap[index] = parent
      index = above
    }
    heap[index] = timer
  }

  private sink(): void {
    const { heap } = this
    const timer = heap[0]!
    let index = 0
    for (;;) {
      let below = 2 * index + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
      const child = heap[below]!
      if (!isBefore(child, timer)) break
      heap[index] = child
      index = below
    }
    heap[index] = timer
  }
}

const isBefore = (one: Timer, other: Timer): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order)
