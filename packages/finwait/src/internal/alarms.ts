/**
 * Time limits that are seldom reached, for many connections at once.
 *
 * Every closing connection has limits, and nearly all of them are taken back a moment later. A fiber and a timer for
 * each cost more than the close itself when ten thousand close together. Here one fiber sleeps per duration: alarms of
 * one duration expire in the order in which they were set, so that only the first is slept for, and setting one or
 * taking it back is a link in a list.
 *
 * When the last of a list is taken back its sleeper is interrupted: nothing stays behind. Only where it is kept, which a
 * listener does with its connections' limits for as long as it listens, it sleeps on: the next close is near, and to
 * fall asleep anew costs as much as all the rest of it.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { monotonicMillis } from "./monotonic.ts"

export interface Alarm {
  /** Takes it back; does nothing when it has rung. */
  clear(): void
}

/** Who is rung for. Not a function: one that closes over its owner weighs as much as the alarm. */
export interface Ringing {
  ring(alarm: Alarm): void
}

class Entry implements Alarm {
  readonly list: List
  readonly at: number
  readonly ringing: Ringing
  previous: Entry | undefined
  next: Entry | undefined

  constructor(list: List, at: number, ringing: Ringing) {
    this.list = list
    this.at = at
    this.ringing = ringing
  }

  clear(): void {
    this.list.remove(this)
  }
}

const shortestMillis = 0.001

class List {
  private readonly clock: Clock.Clock
  private first: Entry | undefined
  private last: Entry | undefined
  private sleeper: Fiber.Fiber<void> | undefined
  private keepers = 0
  private readonly onEmpty: () => void

  constructor(clock: Clock.Clock, onEmpty: () => void) {
    this.clock = clock
    this.onEmpty = onEmpty
  }

  private now(): number {
    return monotonicMillis(this.clock)
  }

  add(at: number, ringing: Ringing, context: Context.Context<never>): Entry {
    const entry = new Entry(this, at, ringing)
    entry.previous = this.last
    if (this.last === undefined) this.first = entry
    else this.last.next = entry
    this.last = entry
    if (this.sleeper === undefined) this.sleep(context)
    return entry
  }

  remove(entry: Entry): void {
    if (entry.previous === undefined && this.first !== entry) return
    if (entry.previous === undefined) this.first = entry.next
    else entry.previous.next = entry.next
    if (entry.next === undefined) this.last = entry.previous
    else entry.next.previous = entry.previous
    entry.previous = entry.next = undefined
    this.look()
  }

  keep(): void {
    this.keepers++
  }

  letGo(): void {
    this.keepers--
    this.look()
  }

  /** Whether anybody needs it still. */
  private look(): void {
    if (this.first !== undefined || this.keepers > 0) return
    const sleeper = this.sleeper
    this.sleeper = undefined
    this.onEmpty()
    sleeper?.interruptUnsafe()
  }

  /** Sleeps until the first is due; one that was taken back meanwhile has only woken it early. */
  private sleep(context: Context.Context<never>): void {
    // Never nothing: a clock may do that at once, inside this call.
    const left = Math.max(shortestMillis, this.first!.at - this.now())
    this.sleeper = Effect.runForkWith(context)(
      Effect.andThen(
        Effect.sleep(Duration.millis(left)),
        Effect.sync(() => this.wake(context))
      )
    )
  }

  private wake(context: Context.Context<never>): void {
    this.sleeper = undefined
    const now = this.now()
    while (this.first !== undefined && this.first.at <= now) {
      const entry = this.first
      this.remove(entry)
      entry.ringing.ring(entry)
    }
    if (this.first !== undefined && this.sleeper === undefined) this.sleep(context)
  }
}

/** The lists of one clock, by duration. */
type Lists = Map<number, List>

const lists = new WeakMap<Clock.Clock, Lists>()

/** The alarms of a context's clock, for who sets many. */
export class Alarms {
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock
  private readonly lists: Lists

  constructor(context: Context.Context<never>) {
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
    const ofClock = lists.get(this.clock)
    this.lists = ofClock ?? new Map()
    if (ofClock === undefined) lists.set(this.clock, this.lists)
  }

  /** Rings after so many milliseconds, above 0. `from`: now, for who knows it already. */
  set(millis: number, ringing: Ringing, from = monotonicMillis(this.clock)): Alarm {
    return this.listOf(millis).add(from + millis, ringing, this.context)
  }

  /** Keeps the sleeper of these durations awake for the next alarm, until the given function is called. */
  keep(...durations: ReadonlyArray<number>): () => void {
    const kept = durations.map((millis) => this.listOf(millis))
    for (const list of kept) list.keep()
    return () => {
      for (const list of kept.splice(0)) list.letGo()
    }
  }

  private listOf(millis: number): List {
    let list = this.lists.get(millis)
    if (list === undefined) this.lists.set(millis, (list = new List(this.clock, () => this.lists.delete(millis))))
    return list
  }
}
