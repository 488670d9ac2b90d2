/**
 * One run of an explored program, in one order.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { Controlled, type Deviation, Known, type Witness } from "./exploreOrder.ts"
import { recordingIn } from "./exploreShared.ts"
import { Trace } from "./exploreTrace.ts"
import { ExploredWorld } from "./exploreWorld.ts"
import type { Halt, Limits } from "./world.ts"

/** What a program took, and left behind. */
export interface Left {
  /** Virtual time from where the exploration began until the program's end. */
  readonly elapsedMillis: number
  /** Sleeps that nobody took back, when all had been done that needs no time. */
  readonly timersLeft: number
  /** Fibers that had neither ended nor been interrupted then. */
  readonly fibersLeft: number
}

/** What is explored, with every limit known. */
export interface Subject<A, E> {
  readonly program: Effect.Effect<A, E, Scope.Scope>
  readonly check: ((value: A, left: Left) => Effect.Effect<unknown, unknown>) | undefined
  readonly preemptionsMax: number
  readonly limits: Limits
  readonly holds: boolean
  readonly settleMillis: number
}

/** How it is run this time. */
export interface Way {
  readonly deviations: ReadonlyArray<Deviation>
  /** Choices begin with the program; otherwise where it says so. */
  readonly isOpen: boolean
  /** Looks at what is touched, to know two orders that cannot differ; keeps the kinds of what has been written. */
  readonly written?: Set<number> | undefined
  readonly isKnown?: ((state: number, preemptions: number) => boolean) | undefined
  readonly witness?: Witness | undefined
}

export interface Ran {
  readonly order: Controlled
  readonly world: ExploredWorld
  /** Why it stopped, when it did not end by itself. */
  readonly halt: Halt | "known" | "diverged" | undefined
  /** `undefined` when it did not end. */
  readonly exit: Exit.Exit<unknown, unknown> | undefined
}

export const runIn = <A, E>(subject: Subject<A, E>, way: Way): Ran => {
  const trace = way.written && new Trace(way.written)
  const order = new Controlled({
    deviations: way.deviations,
    isOpen: way.isOpen,
    preemptionsMax: subject.preemptionsMax,
    holds: subject.holds,
    trace,
    isKnown: trace === undefined ? undefined : way.isKnown,
    witness: way.witness
  })
  const world = new ExploredWorld(order)
  let exit: Exit.Exit<unknown, unknown> | undefined
  let halt: Halt | "known" | "diverged" | undefined
  const end = (effect: Effect.Effect<unknown, unknown>): void => {
    exit = undefined
    Effect.runForkWith(world.context)(effect).addObserver((ended) => {
      exit = ended
    })
    halt = world.runUntil(() => exit !== undefined, subject.limits)
  }
  const run = (): void => {
    end(Effect.scoped(subject.program))
    const elapsedMillis = world.elapsedMillis - order.begun / 1_000_000
    const ended = exit as Exit.Exit<A, unknown> | undefined
    if (ended === undefined || Exit.isFailure(ended)) return
    halt = world.settle(subject.settleMillis, subject.limits)
    // What has been decided by now is not decided otherwise by who looks at it.
    order.close()
    const { check } = subject
    if (halt !== undefined || check === undefined) return
    const left = { elapsedMillis, timersLeft: world.timersArmed, fibersLeft: world.fibers }
    end(
      Effect.flatMap(
        Effect.suspend(() => check(ended.value, left)),
        () => ended
      )
    )
  }
  recordingIn(trace, () => {
    try {
      run()
    } catch (defect) {
      if (defect instanceof Known) halt = "known"
      else exit = Exit.die(defect)
    }
  })
  if (order.diverged) halt = "diverged"
  return { order, world, halt, exit: halt === undefined ? exit : undefined }
}

export const failed = ({ exit, halt }: Ran): boolean => (halt === undefined ? Exit.isFailure(exit!) : halt !== "known")
