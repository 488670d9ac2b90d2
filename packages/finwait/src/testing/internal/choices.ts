/**
 * Who goes next: the orders in which a world runs what is ready.
 */
import type * as Fiber from "effect/Fiber"
import { type Generator, generator } from "./choicesRandom.ts"

export type Task = () => void

/** What is ready to run, and the rule by which the next one is taken. */
export interface Order {
  /** How many are ready. */
  readonly size: number
  /** Something has become ready. As in Effect's scheduler, of those that came together the lowest number goes first. */
  add(task: Task, priority: number): void
  /** A timer has been set; `due` follows, unless it is taken back. */
  arm(task: Task): void
  /** A timer rings, at so many nanoseconds. */
  due(task: Task, at: number): void
  /** Takes the next one; at least one is ready. */
  take(): Task
  /** Something that became ready is not wanted any more; running it would do nothing. */
  drop(task: Task): void
  /** Effect asks this before every operation of every fiber. */
  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean
}

/** Effect's own rule: a fiber makes room for others after 2048 operations, or what its context says. */
export const hasHadItsTurn = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield

interface Ranked {
  readonly task: Task
  readonly priority: number
}

/** The tasks of one turn that have a priority of their own, the most urgent first. */
const ranked = (tasks: Array<Ranked>): Array<Ranked> => tasks.toSorted((a, b) => a.priority - b.priority)

/**
 * In the order in which they came, turn by turn, as Effect's scheduler does: what becomes ready during a turn waits for
 * the next one, whatever its priority. Nearly everything has priority 0 and goes through a ring that allocates nothing.
 */
export class Fifo implements Order {
  size = 0
  private ring: Array<Task | undefined> = [undefined, undefined, undefined, undefined]
  private head = 0
  private tail = 0
  private turnEnd = 0
  private urgent: Array<Ranked> = []
  private urgentLater: Array<Ranked> = []

  add(task: Task, priority: number): void {
    this.size++
    if (priority !== 0) {
      this.urgentLater.push({ task, priority })
      return
    }
    if (this.tail - this.head === this.ring.length) this.grow()
    this.ring[this.tail++ & (this.ring.length - 1)] = task
  }

  arm(): void {}

  due(task: Task): void {
    this.add(task, 0)
  }

  take(): Task {
    this.size--
    if (this.urgent.length > 0 || this.head === this.turnEnd) return this.takeRanked()
    return this.shift()
  }

  /** The slow way: at the border of two turns, or with priorities. */
  private takeRanked(): Task {
    if (this.urgent.length === 0) {
      this.turnEnd = this.tail
      if (this.urgentLater.length > 0) {
        this.urgent = ranked(this.urgentLater)
        this.urgentLater = []
      }
    }
    const first = this.urgent[0]
    const goes = first !== undefined && (first.priority < 0 || this.head === this.turnEnd)
    return goes ? this.urgent.shift()!.task : this.shift()
  }

  private shift(): Task {
    const at = this.head++ & (this.ring.length - 1)
    const task = this.ring[at]!
    this.ring[at] = undefined
    return task
  }

  /** The length is a power of two, so that a place in the ring is a mask away. */
  private grow(): void {
    const { head, ring, tail } = this
    const tasks = Array.from({ length: tail - head }, (_, index) => ring[(head + index) & (ring.length - 1)])
    this.ring = [...tasks, ...Array.from<undefined>({ length: ring.length })]
    this.turnEnd -= head
    this.head = 0
    this.tail = tasks.length
  }

  /** It runs and does nothing: looking for it would cost more. */
  drop(): void {}

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return hasHadItsTurn(fiber)
  }
}

/** Each time any of those that are ready, each as likely as the others; but nobody overtakes one more urgent. */
export class Shuffled implements Order {
  private readonly random: Generator
  private tasks: Array<Task> = []
  private priorities: Array<number> = []
  /** How many of the tasks have a priority of their own. */
  private rankedCount = 0

  constructor(seed: number | string) {
    this.random = generator(`order ${seed}`)
  }

  get size(): number {
    return this.tasks.length
  }

  add(task: Task, priority: number): void {
    this.tasks.push(task)
    this.priorities.push(priority)
    if (priority !== 0) this.rankedCount++
  }

  arm(): void {}

  due(task: Task): void {
    this.add(task, 0)
  }

  take(): Task {
    const { priorities, tasks } = this
    const at = this.rankedCount === 0 ? this.random.below(tasks.length) : this.pickRanked()
    const task = tasks[at]!
    if (this.rankedCount === 0) {
      const last = tasks.pop()!
      priorities.pop()
      if (at < tasks.length) tasks[at] = last
      return task
    }
    // The order of arrival counts as long as anybody has a priority.
    if (priorities[at] !== 0) this.rankedCount--
    tasks.splice(at, 1)
    priorities.splice(at, 1)
    return task
  }

  /** One that nobody more urgent was there before. */
  private pickRanked(): number {
    const eligible: Array<number> = []
    let mostUrgent = Infinity
    for (const [index, priority] of this.priorities.entries()) {
      if (priority <= mostUrgent) eligible.push(index)
      mostUrgent = Math.min(mostUrgent, priority)
    }
    return eligible[this.random.below(eligible.length)]!
  }

  drop(): void {}

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return hasHadItsTurn(fiber)
  }
}
