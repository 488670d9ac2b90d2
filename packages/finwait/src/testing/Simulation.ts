/**
 * Runs a whole program in a world of its own, inside one call: virtual time, a scheduler without an event loop, random
 * numbers from a seed. What takes hours takes milliseconds, and the same seed and program give the same run, to the last
 * operation.
 *
 * Whenever nothing is ready to run, time jumps to the next timer: nobody has to adjust a clock. With a seed, what is
 * ready runs in an order drawn from it; without, in the order in which it came, as Effect's own scheduler has it.
 *
 * **When to use**
 *
 * For programs on the simulated network, in tests and in campaigns of many runs. `TestClock` is for tests that decide
 * themselves when time passes, `Explore` for small programs in every order.
 *
 * **Gotchas**
 *
 * Nothing outside of the world exists for it: a program that waits for a promise, a socket of the system or a real timer
 * waits forever, which is reported as a {@link Deadlock}. Effect's own loggers are left out; a program that provides
 * loggers has them.
 *
 * **Example** (A server and its client, half a minute apart)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Connection from "finwait/Connection"
 * import * as Network from "finwait/Network"
 * import * as Server from "finwait/Server"
 * import * as SimNetwork from "finwait/testing/SimNetwork"
 * import * as Simulation from "finwait/testing/Simulation"
 *
 * const program = Effect.gen(function*() {
 *   yield* Server.make({
 *     listen: "tcp://127.0.0.1:7000",
 *     handler: (connection) => Effect.andThen(Effect.sleep("30 seconds"), connection.write("at last"))
 *   })
 *   const client = yield* Network.connect("tcp://127.0.0.1:7000")
 *   return yield* Connection.readText(client)
 * }).pipe(Effect.provide(SimNetwork.layer({ latency: 5 })))
 *
 * console.log(Simulation.runSync(program)) // => at last
 * const { elapsedMillis, fibersLeft, timersLeft } = Simulation.inspect(program)
 * console.log(elapsedMillis >= 30_000) // => true
 * console.log(fibersLeft, timersLeft) // => 0 0
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Fifo, Shuffled } from "./internal/choices.ts"
import { seeded } from "./internal/seeded.ts"
import { World } from "./internal/world.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * What random numbers are drawn from (as `Random.withSeed` does), and the order in which what is ready runs. Default:
   * random numbers of the seed 0, and the order in which things became ready.
   */
  readonly seed?: number | string | undefined
  /** How much virtual time may pass. Default 24 hours: more than any limit of this library. */
  readonly timeMax?: Duration.Input | undefined
  /** How many steps may be taken; a step is one fiber's run until it waits. Default 10,000,000: some seconds. */
  readonly stepsMax?: number | undefined
  /**
   * How much virtual time others may take, after the program's end, before what is left is counted. Default 0: what
   * needs no time still happens.
   */
  readonly settle?: Duration.Input | undefined
}

/**
 * What a run came to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Inspection<A, E> {
  readonly exit: Exit.Exit<A, E>
  /** Virtual time until the program's end. */
  readonly elapsedMillis: number
  /** Steps until the program's end. */
  readonly steps: number
  /** Sleeps that nobody took back; counted when what is left had its time (`settle`). */
  readonly timersLeft: number
  /** Fibers that have neither ended nor been interrupted; counted at the same time. */
  readonly fibersLeft: number
}

/**
 * A program that can never go on: nothing is ready, no timer is armed, and it has not ended. It is a defect in the exit.
 *
 * @category errors
 * @since 0.1.0
 */
export class Deadlock extends Schema.TaggedError<Deadlock>()("Deadlock", {
  fibers: Schema.Number,
  steps: Schema.Number,
  elapsedMillis: Schema.Number
}) {
  override get message() {
    const waiting = this.fibers === 1 ? "1 fiber waits" : `${this.fibers} fibers wait`
    return (
      `deadlock after ${this.steps} steps, at ${this.elapsedMillis} ms: nothing is ready and no timer is armed; ` +
      `${waiting} for each other, or for something outside of the simulation`
    )
  }
}

/**
 * A program that did not end within `stepsMax` or `timeMax`. It is a defect in the exit.
 *
 * @category errors
 * @since 0.1.0
 */
export class LimitReached extends Schema.TaggedError<LimitReached>()("LimitReached", {
  limit: Schema.Literals(["stepsMax", "timeMax"]),
  max: Schema.String,
  fibers: Schema.Number,
  steps: Schema.Number,
  elapsedMillis: Schema.Number
}) {
  override get message() {
    return (
      `no end within ${this.limit} ${this.max}: ${this.steps} steps taken, ${this.elapsedMillis} ms passed, ` +
      `${this.fibers} ${this.fibers === 1 ? "fiber" : "fibers"} alive`
    )
  }
}

const timeMaxDefault = Duration.hours(24)
const stepsMaxDefault = 10_000_000

/**
 * Runs a program and tells what it came to, and what it left behind. Its scope ends with it.
 *
 * @category running
 * @since 0.1.0
 */
export const inspect = <A, E>(program: Effect.Effect<A, E, Scope.Scope>, options: Options = {}): Inspection<A, E> => {
  const timeMax = options.timeMax === undefined ? timeMaxDefault : Duration.fromInputUnsafe(options.timeMax)
  const limits = { stepsMax: options.stepsMax ?? stepsMaxDefault, millisMax: Duration.toMillis(timeMax) }
  const order = options.seed === undefined ? new Fifo() : new Shuffled(options.seed)
  const world = new World(order, Context.make(Random.Random, seeded(options.seed ?? 0)))
  let exit: Exit.Exit<A, E> | undefined
  let stopped = false
  try {
    Effect.runForkWith(world.context)(Effect.scoped(program)).addObserver((ended) => {
      exit = ended
    })
    const halt = world.runUntil(() => exit !== undefined, limits)
    if (halt !== undefined) {
      stopped = true
      const { elapsedMillis, fibers, steps } = world
      const max = halt === "timeMax" ? Duration.format(timeMax) : String(limits.stepsMax)
      exit = Exit.die(
        halt === "deadlock"
          ? new Deadlock({ fibers, steps, elapsedMillis })
          : new LimitReached({ limit: halt, max, fibers, steps, elapsedMillis })
      )
    }
  } catch (defect) {
    // Somebody's callback threw outside of any fiber; nothing of this world can be trusted any more.
    stopped = true
    exit = Exit.die(defect)
  }
  const { elapsedMillis, steps } = world
  // What has not ended by itself will not be told to: it may never do.
  if (!stopped) world.settle(Duration.toMillis(options.settle ?? 0), limits)
  return { exit: exit!, elapsedMillis, steps, timersLeft: world.timersArmed, fibersLeft: world.fibers }
}

/**
 * Runs a program to its end.
 *
 * **Example**
 *
 * ```ts
 * import * as Clock from "effect/Clock"
 * import * as Effect from "effect/Effect"
 * import * as Simulation from "finwait/testing/Simulation"
 *
 * const program = Effect.andThen(Effect.sleep("1 hour"), Clock.currentTimeMillis)
 * const exit = Simulation.run(program)
 * console.log(exit._tag === "Success" && exit.value) // => 3600000
 *
 * const endless = Simulation.run(Effect.never)
 * console.log(endless._tag) // => Failure
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run = <A, E>(program: Effect.Effect<A, E, Scope.Scope>, options?: Options): Exit.Exit<A, E> =>
  inspect(program, options).exit

/**
 * Runs a program to its end and gives what it succeeds with; throws what it fails with, as `Effect.runSync` does.
 *
 * @category running
 * @since 0.1.0
 */
export const runSync = <A, E>(program: Effect.Effect<A, E, Scope.Scope>, options?: Options): A => {
  const exit = run(program, options)
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}
