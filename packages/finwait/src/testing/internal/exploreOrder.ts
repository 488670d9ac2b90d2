/**
 * An order that is told where to leave the usual one.
 *
 * A run is a sequence of choices. There are two kinds: which of several ready tasks goes next, and whether a fiber is
 * preempted before an operation. Choice 0 is always the usual one: the task that came first, and no preemption. A run is
 * therefore named by where it deviates, as pairs of a choice's number and what was chosen there, and the same pairs give
 * the same run.
 *
 * Who is preempted, or passed over, is held until nothing else is ready. A deviation that moved it back by one turn only
 * would need many of them to let an exchange of several turns happen in between, and it is the long gaps that programs
 * do not expect. Who yields lets those go first that are held: it may wait for just one of them.
 */
import type * as Fiber from "effect/Fiber"
import { hasHadItsTurn, type Order, type Task } from "./choices.ts"
import { watchProperties } from "./exploreShared.ts"
import { mix, type Trace } from "./exploreTrace.ts"

export type AnyFiber = Fiber.Fiber<unknown, unknown>

/** Why a task is there: a fiber begins, goes on, goes on after a preemption; a timer rang; anything else. */
export type Kind = "start" | "goOn" | "preempted" | "timer" | "event"

/**
 * Where a task stands in the usual order: by generation since time last moved, then by the places of those that made it.
 * As long as nobody deviates that is the order in which tasks came; unlike that one, it does not change for those who
 * have nothing to do with a deviation.
 */
interface Rank {
  readonly generation: number
  readonly path: ReadonlyArray<number>
  /** How many tasks it has made. */
  made: number
}

export interface Entry {
  readonly task: Task
  readonly priority: number
  readonly kind: Kind
  readonly rank: Rank
  /** What had been done when it was made. */
  readonly trace: number
}

/** Where a run leaves the usual order, and for what. */
export interface Deviation {
  readonly at: number
  readonly choice: number
}

/** Sees a run go by, for who wants to tell of it. */
export interface Witness {
  /** A fiber has been made. */
  born(): void
  added(entry: Entry): void
  /** Choices begin. */
  opened(): void
  /** The program has ended. */
  closed(): void
  /** `passedOver` is held for it; `deviates`: it would not have been its turn. */
  taken(entry: Entry, nanos: number, deviates: boolean, passedOver: Entry | undefined): void
  /** A fiber does something in the running task. */
  ran(fiber: AnyFiber): void
  preempted(fiber: AnyFiber, primitive: unknown): void
}

export interface Options {
  readonly deviations: ReadonlyArray<Deviation>
  readonly preemptionsMax: number
  /** Chooses from the beginning; otherwise from where the program says so. */
  readonly isOpen: boolean
  /** Offers to hold who is first. Where every order is tried anyway, that is none of its own. */
  readonly holds: boolean
  readonly trace: Trace | undefined
  /** Asked whenever the next task is taken: whether this state has been gone on from before. */
  readonly isKnown: ((state: number, preemptions: number) => boolean) | undefined
  readonly witness: Witness | undefined
}

export class Controlled implements Order {
  /** How many possibilities each choice so far had. One means: nothing else makes a difference. */
  readonly choices: Array<number> = []
  preemptions = 0
  /** The program has said from where on. */
  opened = false
  /** It did not come to the choices that it was told: something outside of the world decides as well. */
  diverged = false
  /** Where choices began, in nanoseconds. */
  begun = 0
  readonly trace: Trace | undefined
  /** The fibers share something that the trace does not see: from here on no two orders are taken for the same. */
  isBlind = false
  private readonly options: Options
  private isOpen: boolean
  private nextDeviation = 0
  private readonly ready: Array<Entry> = []
  private readonly held: Array<Entry> = []
  private readonly armed = new Map<Task, Rank & { readonly trace: number }>()
  private hasPriorities = false
  private now = 0
  // What is going on:
  private rank: Rank = { generation: 0, path: [], made: 0 }
  private bornJustNow = false
  private yieldsNow: "goOn" | "preempted" | undefined
  private justPreempted: Entry | undefined
  /** The running task is one fiber's, and does nothing after it. */
  private isOfOneFiber = true
  private firstFiber: AnyFiber | undefined
  private lastFiber: AnyFiber | undefined
  private readonly asked = new Map<AnyFiber, unknown>()
  private askedAt = 0
  private askedOf: AnyFiber | undefined

  constructor(options: Options) {
    this.options = options
    this.isOpen = options.isOpen
    this.trace = options.trace
  }

  get size(): number {
    return this.ready.length + this.held.length
  }

  /** How many of the deviations that it was told it has not come to. */
  get deviationsLeft(): number {
    return this.options.deviations.length - this.nextDeviation
  }

  /** From here on. */
  open(): void {
    if (this.opened) return
    this.opened = this.isOpen = true
    this.choices.length = 0
    this.begun = this.now
    this.options.witness?.opened()
  }

  /** What comes now is not part of what is explored. */
  close(): void {
    this.isOpen = false
    this.options.witness?.closed()
  }

  // What becomes ready ------------------------------------------------------------------------------------------------

  add(task: Task, priority: number): void {
    const kind = this.yieldsNow ?? (this.bornJustNow ? "start" : "event")
    this.bornJustNow = false
    this.yieldsNow = undefined
    const { rank } = this
    const path = shortened([...rank.path, rank.made++])
    const trace = this.trace === undefined ? 0 : kind === "preempted" ? this.trace.current : this.trace.make()
    if (kind !== "preempted")
      this.enter(task, priority, kind, { generation: rank.generation + 1, path, made: 0 }, trace)
    // It goes on with the same task.
    else this.justPreempted = this.enter(task, priority, kind, rank, trace)
  }

  arm(task: Task): void {
    const { rank } = this
    const path = shortened([this.now, rank.generation, ...rank.path, rank.made++])
    this.armed.set(task, { generation: 0, path, made: 0, trace: this.trace?.make() ?? 0 })
  }

  due(task: Task, at: number): void {
    this.now = at
    const rank = this.armed.get(task)!
    this.armed.delete(task)
    this.enter(task, 0, "timer", rank, rank.trace)
  }

  private enter(task: Task, priority: number, kind: Kind, rank: Rank, trace: number): Entry {
    const entry: Entry = { task, priority, kind, rank, trace }
    if (priority !== 0) this.hasPriorities = true
    this.options.witness?.added(entry)
    // Who yields by itself while somebody is held may be waiting for just that one.
    const isHeld = kind === "preempted" || (kind === "goOn" && this.held.length > 0)
    if (isHeld) this.held.push(entry)
    else this.line(entry)
    return entry
  }

  private line(entry: Entry): void {
    const { ready } = this
    let index = ready.length
    while (index > 0 && isBefore(entry.rank, ready[index - 1]!.rank)) index--
    ready.splice(index, 0, entry)
  }

  drop(task: Task): void {
    for (const list of [this.ready, this.held]) {
      const index = list.findIndex((entry) => entry.task === task)
      if (index >= 0) list.splice(index, 1)
    }
  }

  /** A fiber has been made: if the next thing is a task, it is that fiber's beginning. */
  born(): void {
    this.bornJustNow = true
    this.options.witness?.born()
  }

  /** A fiber lets others go first by itself. */
  yields(): void {
    this.yieldsNow ??= "goOn"
  }

  // Who goes next -----------------------------------------------------------------------------------------------------

  take(): Task {
    this.trace?.end()
    if (this.isOpen && this.isKnown()) throw new Known()
    const entry = this.next()
    this.justPreempted = undefined
    this.rank = entry.rank
    this.isOfOneFiber = entry.kind !== "event"
    this.firstFiber = this.lastFiber = undefined
    this.bornJustNow = false
    this.trace?.begin(entry.trace, this.now, entry.kind === "preempted")
    return entry.task
  }

  /** Whether what is possible from here on has been seen from elsewhere. */
  private isKnown(): boolean {
    const { isKnown } = this.options
    if (isKnown === undefined || this.trace!.named === 0 || this.isBlind) return false
    // In front of the last deviation it is somebody else's way.
    if (this.nextDeviation < this.options.deviations.length) return false
    let state = this.trace!.sum
    for (const { trace } of this.ready) state = mix(state, trace)
    for (const { trace } of this.held) state = mix(state, trace + 1)
    return isKnown(state, this.preemptions)
  }

  private next(): Entry {
    const { held, options, ready } = this
    const possible = this.possible()
    const canHold = options.holds && ready.length > 1 && !this.hasPriorities
    const isChoice = possible.length > 1 && this.isOpen
    const choice = isChoice ? this.choose(possible.length + (canHold ? 1 : 0)) : 0
    const holds = choice === possible.length
    const passedOver = holds ? ready.shift()! : undefined
    if (passedOver !== undefined) held.push(passedOver)
    const entry = holds ? ready[0]! : possible[choice]!
    options.witness?.taken(entry, this.now, choice !== 0, passedOver)
    const list = ready.includes(entry) ? ready : held
    list.splice(list.indexOf(entry), 1)
    return entry
  }

  /** All that can go next, the usual one first; but nobody overtakes one more urgent. */
  private possible(): ReadonlyArray<Entry> {
    const possible = [...this.ready, ...this.held]
    // Going on at once is the same as not having been preempted.
    if (possible.length > 1 && this.justPreempted !== undefined && this.isOfOneFiber) {
      possible.splice(possible.indexOf(this.justPreempted), 1)
    }
    if (!this.hasPriorities) return possible
    let mostUrgent = Infinity
    return possible.filter(({ priority }) => {
      mostUrgent = Math.min(mostUrgent, priority)
      return priority <= mostUrgent
    })
  }

  private choose(possibilities: number): number {
    const at = this.choices.push(possibilities) - 1
    const deviation = this.options.deviations[this.nextDeviation]
    if (deviation === undefined || deviation.at !== at) return 0
    this.nextDeviation++
    this.diverged ||= deviation.choice >= possibilities
    return this.diverged ? 0 : deviation.choice
  }

  // Whether a fiber goes on -------------------------------------------------------------------------------------------

  shouldYield(fiber: AnyFiber): boolean {
    return hasHadItsTurn(fiber)
  }

  /** Asked before an operation that can matter to others. */
  preempts(fiber: AnyFiber, primitive: unknown): boolean {
    this.bornJustNow = false
    this.firstFiber ??= fiber
    if (this.lastFiber !== fiber) {
      this.lastFiber = fiber
      this.joins(fiber)
    }
    this.options.witness?.ran(fiber)
    if (this.preemptions === this.options.preemptionsMax || !this.isOpen) return false
    // Who has just been resumed does at least one thing: Effect counts operations from there.
    if (fiber.currentOpCount <= 1) return false
    // Who was preempted here has been asked here.
    if (this.asked.size > 0 && this.asked.get(fiber) === primitive) {
      this.asked.delete(fiber)
      return false
    }
    // Alone, it would go on at once. A fiber that another one, or an event, has woken is not alone: these go on first.
    if (this.size === 0 && this.firstFiber === fiber && this.isOfOneFiber) return false
    if (this.choose(this.hasDone(fiber) ? 2 : 1) === 0) return false
    this.preemptions++
    this.yieldsNow = "preempted"
    this.asked.set(fiber, primitive)
    this.trace?.leaves(fiber)
    this.options.witness?.preempted(fiber, primitive)
    return true
  }

  private joins(fiber: AnyFiber): void {
    const { trace } = this
    if (trace === undefined) return
    if (trace.named > 0) watchProperties(fiber, ["_exit", "_interruptedCause", "_observers", "interruptible"], trace)
    trace.joins(fiber)
  }

  /** Since it was asked last, it has touched something: otherwise it is as if it were preempted there. */
  private hasDone(fiber: AnyFiber): boolean {
    if (this.trace === undefined || this.trace.named === 0 || this.isBlind) return true
    const done = this.askedOf !== fiber || this.askedAt !== this.trace.current
    this.askedOf = fiber
    this.askedAt = this.trace.current
    return done
  }
}

/** Longer ancestries than that only tell two apart; which comes first does not matter then. */
const pathMax = 64

const shortened = (path: ReadonlyArray<number>): ReadonlyArray<number> =>
  path.length <= pathMax ? path : [path.reduce(mix, 0)]

const isBefore = (one: Rank, other: Rank): boolean => {
  if (one.generation !== other.generation) return one.generation < other.generation
  const length = Math.min(one.path.length, other.path.length)
  for (let index = 0; index < length; index++) {
    if (one.path[index] !== other.path[index]) return one.path[index]! < other.path[index]!
  }
  return one.path.length < other.path.length
}

/** Not an error: the run has come to where another one has been. */
export class Known {}
