/**
 * Runs a small program in every order in which its fibers can take their next steps.
 *
 * A program of several fibers is right only if it is right in every order; a test sees one. Here the same program runs
 * again and again in a world of its own (as `Simulation` has it), each time in another order: which of the fibers and
 * events that are ready goes next, and before which of its operations a fiber is preempted, as Effect's scheduler may do
 * to any of them. Network events and timers that are due at the same instant are among the ready ones.
 *
 * Orders come by the number of their deviations from the usual one (everything in the order in which it became ready, no
 * preemption), fewest first. So the first order found in which the program fails is a shortest one. It is printed step
 * by step, with a string that replays it.
 *
 * **When to use**
 *
 * For what two or three fibers do to each other at one moment: two closes, a close and a reset, a drain and an accept.
 * The number of orders grows with the number of steps to the power of deviations; keep programs small, and bring the
 * world to the moment of interest before `fromHere`.
 *
 * **Details**
 *
 * Whatever fails, fails the exploration: the program or its check, a defect, a program that can never go on, one that
 * does not end within `stepsMax` or `timeMax`.
 *
 * Orders that cannot differ from one that was run are left out: fibers are not preempted when nobody else could go on,
 * nor before operations that run no code. When the program has named what its fibers share (`shared`), neither are those
 * preempted that have touched nothing shared since they last could be, and a run that comes to a state from which another
 * one has gone on is given up.
 *
 * **Gotchas**
 *
 * `Effect.all` begins its effects at once, one after the other; that the second comes before the first is found by a
 * preemption of the first, and never with `preemptionsMax: 0`. Who may come at any time begins with `Effect.yieldNow`.
 *
 * **Example** (A lost update)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Explore from "finwait/testing/Explore"
 *
 * const program = Effect.gen(function*() {
 *   const account = Explore.shared({ balance: 0 })
 *   const deposit = Effect.gen(function*() {
 *     const before = yield* Effect.sync(() => account.balance)
 *     yield* Effect.sync(() => { account.balance = before + 1 })
 *   })
 *   yield* Effect.all([Explore.named("Ann")(deposit), Explore.named("Bob")(deposit)], { concurrency: 2 })
 *   return account.balance
 * })
 *
 * const { found, outcomes } = Explore.search({
 *   program,
 *   check: (balance) => balance === 2 ? Effect.void : Effect.fail(new Error(`the balance is ${balance}`))
 * })
 * console.log(found?.why) // => the balance is 1
 * for (const step of found?.order ?? []) console.log(step)
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { format } from "effect/Formatter"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Controlled, Deviation } from "./internal/exploreOrder.ts"
import { CurrentName, Telling } from "./internal/exploreReport.ts"
import { failed, type Left, type Ran, runIn, type Subject } from "./internal/exploreRun.ts"
import { Search } from "./internal/exploreSearch.ts"
import { share } from "./internal/exploreShared.ts"
import { ExploredWorld } from "./internal/exploreWorld.ts"
import { Deadlock, LimitReached } from "./Simulation.ts"

export type {
  /**
   * What a program took, and left behind.
   *
   * @category models
   * @since 0.1.0
   */
  Left
} from "./internal/exploreRun.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options<A, E> {
  /** What is run, from the beginning each time. Whatever it uses of the world must come from its context. */
  readonly program: Effect.Effect<A, E, Scope.Scope>
  /**
   * Looks at what the program succeeded with, and at what it left behind, when its scope has ended and everything has
   * been done that needs no time. It runs in the same world, in the usual order.
   */
  readonly check?: ((value: A, left: Left) => Effect.Effect<unknown, unknown>) | undefined
  /** What of it is counted in the report's `outcomes`. Default: all of it. */
  readonly outcome?: ((value: A) => unknown) | undefined
  /** How often an order may differ from the usual one. Default 2; `Infinity` for all orders there are. */
  readonly deviationsMax?: number | undefined
  /**
   * How many of these may be preemptions. Default 2: nearly all real mistakes need no more (Musuvathi and Qadeer, 2007).
   */
  readonly preemptionsMax?: number | undefined
  /** How many runs. Default 10,000: some seconds for a small program. */
  readonly runsMax?: number | undefined
  /** How many steps one run may take. Default 10,000. */
  readonly stepsMax?: number | undefined
  /** How much virtual time one run may take. Default 1 hour. */
  readonly timeMax?: Duration.Input | undefined
  /**
   * How much virtual time others may take, after the program's end, before the check looks at what is left. Default 0:
   * what needs no time still happens.
   */
  readonly settle?: Duration.Input | undefined
  /** Whether to leave out what cannot differ, by what the program calls `shared`. Default true. */
  readonly reduce?: boolean | undefined
}

/**
 * What an exploration came to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly runs: number
  /** Runs that were given up because they came to a state from which another one has gone on. */
  readonly pruned: number
  /**
   * Every order within the bounds has been seen, or is like one that has; as far as the program has named what its fibers
   * share, where it has named anything.
   */
  readonly exhausted: boolean
  /** All orders with so many deviations have been seen. */
  readonly deviations: number
  /** What the runs ended with, as text, and how many of them. */
  readonly outcomes: ReadonlyMap<string, number>
  /** The order in which it failed. */
  readonly found: OrderFound | undefined
}

/**
 * An order in which the program fails. Its message tells why, the order, and how to run it again.
 *
 * @category errors
 * @since 0.1.0
 */
export class OrderFound extends Schema.TaggedError<OrderFound>()("OrderFound", {
  /** What the program failed with. */
  why: Schema.String,
  /** The steps: a `*` marks where it deviates from the usual order. */
  order: Schema.Array(Schema.String),
  /** For {@link replay}. */
  replay: Schema.String,
  deviations: Schema.Number,
  preemptions: Schema.Number,
  runs: Schema.Number,
  cause: Schema.Defect()
}) {
  override get message() {
    const { deviations, order, preemptions, replay, runs, why } = this
    const length =
      deviations === 0
        ? "in the usual order"
        : `in an order with ${count(deviations, "deviation")}${preemptions > 0 ? `, ${count(preemptions, "preemption")}` : ""}`
    return [
      why,
      `${length}, after ${count(runs, "run")}:`,
      ...order,
      `run it again: Explore.replay(options, ${JSON.stringify(replay)})`
    ].join("\n")
  }
}

const count = (much: number, what: string): string => `${much} ${what}${much === 1 ? "" : "s"}`

/**
 * Explores, and tells what it came to. An order that fails ends the search; it is in the report.
 *
 * @category exploring
 * @since 0.1.0
 */
export const search = <A, E>(options: Options<A, E>): Report => {
  const subject = subjectOf(options)
  const outcomes = new Map<string, number>()
  const searching = new Search(
    subject,
    {
      runsMax: options.runsMax ?? 10_000,
      deviationsMax: options.deviationsMax ?? 2,
      reduces: options.reduce ?? true
    },
    (ran) => {
      const outcome = describe(options, subject, ran)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
  )
  const { deviations, exhausted, failing, pruned, runs } = withoutStacks(() => searching.go())
  const found = failing && tell(subject, failing.deviations, failing.isOpen, runs)
  return { runs, pruned, exhausted, deviations, outcomes, found }
}

/**
 * Explores, and throws the order in which the program fails, as {@link OrderFound}: a whole test.
 *
 * **Example**
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Ref from "effect/Ref"
 * import * as Explore from "finwait/testing/Explore"
 *
 * const program = Effect.gen(function*() {
 *   const balance = yield* Ref.make(0)
 *   const deposit = Ref.update(balance, (before) => before + 1)
 *   yield* Effect.all([deposit, deposit], { concurrency: 2 })
 *   return yield* Ref.get(balance)
 * })
 *
 * const { exhausted, outcomes } = Explore.run({ program })
 * console.log(exhausted, [...outcomes.keys()]) // => true [ '2' ]
 * ```
 *
 * @category exploring
 * @since 0.1.0
 */
export const run = <A, E>(options: Options<A, E>): Report => {
  const report = search(options)
  if (report.found !== undefined) throw report.found
  return report
}

/**
 * Runs a program in the order that {@link OrderFound} names, with the same options. Throws that error again when it
 * fails again; otherwise gives what the program succeeds with.
 *
 * @category exploring
 * @since 0.1.0
 */
export const replay = <A, E>(options: Options<A, E>, order: string): A => {
  const { deviations, preemptionsMax } = parse(order)
  const subject = subjectOf({ ...options, preemptionsMax })
  const isOpen = !runIn(subject, { deviations: [], isOpen: true }).order.opened
  const ran = runIn(subject, { deviations, isOpen })
  if (failed(ran)) throw tell(subject, deviations, isOpen, 1)
  if (ran.order.deviationsLeft > 0) {
    throw new RangeError(
      `Explore.replay: the order ${JSON.stringify(order)} does not fit this program, which has ${ran.order.choices.length} ` +
        "choices on its way: the program, or its options, are not those of then"
    )
  }
  return (ran.exit as Exit.Success<A>).value
}

/**
 * Names the fiber that runs this, and those that it starts, in the printed order.
 *
 * @category programs
 * @since 0.1.0
 */
export const named =
  (name: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, CurrentName, name)

/**
 * Names something that fibers share, and with it everything that it leads to: gives it back, and from then on an
 * exploration sees who reads and writes it. Outside of an exploration nothing happens.
 *
 * **Gotchas**
 *
 * Name all of it or nothing: what is shared and not named (a variable of a closure, a `#private` field, a `Deferred` that
 * no named object leads to) is taken for a fiber's own, and orders that differ by it may be left out. The same is true of
 * what cannot be watched: properties that are added or deleted later, inherited ones and accessors, symbol keys, `Date`,
 * typed arrays, `WeakMap` and `WeakSet`, an iteration over a `Map` or `Set` that lasts over several steps, and what is
 * polled of a fiber before its first step. Begin without `shared`, use it where exploring takes too long, and run once
 * with `reduce: false`.
 *
 * @category programs
 * @since 0.1.0
 */
export const shared: <A>(value: A) => A = share

/**
 * The exploration begins here: everything before it runs in the usual order, and what needs no time has been done when
 * this succeeds. Outside of an exploration nothing happens.
 *
 * @category programs
 * @since 0.1.0
 */
export const fromHere: Effect.Effect<void> = Effect.withFiber((fiber) => {
  const { scheduler } = fiber.cache
  return scheduler instanceof ExploredWorld ? settled(scheduler.controlled) : Effect.void
})

const settled = (order: Controlled): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (order.size > 0 && !order.opened) return Effect.andThen(Effect.yieldNow, settled(order))
    order.open()
    return Effect.void
  })

const subjectOf = <A, E>(options: Options<A, E>): Subject<A, E> => ({
  program: options.program,
  check: options.check,
  preemptionsMax: options.preemptionsMax ?? 2,
  limits: {
    stepsMax: options.stepsMax ?? 10_000,
    millisMax: Duration.toMillis(Duration.fromInputUnsafe(options.timeMax ?? Duration.hours(1)))
  },
  settleMillis: Duration.toMillis(Duration.fromInputUnsafe(options.settle ?? 0)),
  holds: (options.deviationsMax ?? 2) !== Infinity
})

/** Errors that nobody sees need no stacks, which cost more than anything else that a small program does. */
const withoutStacks = <A>(run: () => A): A => {
  // Not every engine has a limit, nor does every one say what it is.
  const limits = Error as { stackTraceLimit?: number }
  const { stackTraceLimit } = limits
  if (stackTraceLimit === undefined) return run()
  limits.stackTraceLimit = 0
  try {
    return run()
  } finally {
    limits.stackTraceLimit = stackTraceLimit
  }
}

/** Runs it once more, looking. */
const tell = <A, E>(
  subject: Subject<A, E>,
  deviations: ReadonlyArray<Deviation>,
  isOpen: boolean,
  runs: number
): OrderFound => {
  const witness = new Telling()
  const ran = runIn(subject, { deviations, isOpen, witness })
  const defect = defectOf(subject, ran)
  return new OrderFound({
    why: defect instanceof Error ? defect.message : format(defect),
    order: witness.lines,
    replay: print(subject.preemptionsMax, deviations),
    deviations: deviations.length,
    preemptions: ran.order.preemptions,
    runs,
    cause: defect
  })
}

const defectOf = <A, E>({ limits }: Subject<A, E>, { exit, halt, world }: Ran): unknown => {
  const { elapsedMillis, fibers, steps } = world
  switch (halt) {
    case undefined:
      return Exit.isFailure(exit!) ? Cause.squash(exit.cause) : new Error("it did not fail when it was run again")
    case "deadlock":
      return new Deadlock({ fibers, steps, elapsedMillis })
    case "stepsMax":
    case "timeMax": {
      const max = halt === "stepsMax" ? String(limits.stepsMax) : Duration.format(Duration.millis(limits.millisMax))
      return new LimitReached({ limit: halt, max, fibers, steps, elapsedMillis })
    }
    default:
      return new Error(
        "the program does not do the same every time: something that is not part of its world decides as well " +
          "(state that outlives a run, Math.random, real time)"
      )
  }
}

const describe = <A, E>({ outcome }: Options<A, E>, subject: Subject<A, E>, ran: Ran): string => {
  if (ran.exit !== undefined && Exit.isSuccess(ran.exit)) {
    const value = ran.exit.value as A
    const counted = outcome === undefined ? value : outcome(value)
    return typeof counted === "string" ? counted : format(counted)
  }
  const defect = defectOf(subject, ran)
  return `failed: ${defect instanceof Error ? defect.message : format(defect)}`
}

// An order as a string: how many preemptions are allowed, because these are choices only while some are left; then the
// number of each deviation's choice and what was chosen there.

const print = (preemptionsMax: number, deviations: ReadonlyArray<Deviation>): string =>
  [preemptionsMax, ...deviations.map(({ at, choice }) => `${at}.${choice}`)].join("-")

const parse = (order: string): { readonly preemptionsMax: number; readonly deviations: ReadonlyArray<Deviation> } => {
  if (!/^(\d+|Infinity)(-\d+\.\d+)*$/.test(order))
    throw new RangeError(`Explore.replay: no order is called ${JSON.stringify(order)}`)
  const [preemptionsMax, ...parts] = order.split("-")
  const deviations = parts.map((part) => {
    const [at, choice] = part.split(".")
    return { at: Number(at), choice: Number(choice) }
  })
  return { preemptionsMax: Number(preemptionsMax), deviations }
}
