/**
 * Virtual time for tests of servers: `TestClock`, with what a network under test needs of it.
 *
 * **When to use**
 *
 * In `it.effect`, where time stands still until the test lets it pass, with `SimNetwork`. Two things go wrong there with
 * `TestClock.adjust` alone. A fiber that was forked a moment ago has done nothing yet when time jumps past it: let it come
 * to rest first ({@link settled}, {@link passing}). And what ends a test takes time as well: the closes of its
 * connections, the drain of its server. When an assertion has failed nobody lets time pass any more, and the test runs
 * into its timeout without a word of what was wrong: give it a scope that ends in time ({@link scoped}).
 *
 * Where all of a program may run in one go, `Simulation` needs none of this: there time passes by itself.
 *
 * **Example** (An answer that takes three seconds)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Fiber from "effect/Fiber"
 * import * as Layer from "effect/Layer"
 * import * as TestClock from "effect/testing/TestClock"
 * import * as Connection from "finwait/Connection"
 * import * as Network from "finwait/Network"
 * import * as Server from "finwait/Server"
 * import * as SimNetwork from "finwait/testing/SimNetwork"
 * import * as TestTime from "finwait/testing/TestTime"
 *
 * const test = TestTime.scoped(Effect.gen(function*() {
 *   yield* Layer.build(Server.layer({
 *     listen: "tcp://127.0.0.1:7000",
 *     handler: (connection) => Effect.andThen(Effect.sleep("3 seconds"), connection.write("done\n"))
 *   }))
 *   const asking = yield* Effect.forkChild(
 *     Effect.flatMap(Network.connect("tcp://127.0.0.1:7000"), Connection.readText)
 *   )
 *   yield* TestTime.passing("2999 millis")
 *   console.log(asking.pollUnsafe()) // => undefined
 *   yield* TestTime.passing("1 second")
 *   return yield* Fiber.join(asking)
 * }))
 *
 * const world = Layer.mergeAll(SimNetwork.layer({ latency: "10 millis" }), TestClock.layer())
 * console.log(await Effect.runPromise(Effect.provide(test, world))) // => done
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"

/**
 * A scope has not come to its end in as much virtual time as it may take.
 *
 * @category errors
 * @since 0.1.0
 */
export class NeverEnds extends Schema.TaggedError<NeverEnds>()("NeverEnds", {}) {
  override get message() {
    return "the scope does not end, in 30 days of virtual time: a finalizer waits for something that never comes"
  }
}

/** More turns than any exchange between a handful of fibers takes. */
const turns = 100

/**
 * Lets everything happen that needs no time: a hundred turns of the scheduler, in which every fiber that can go on does.
 *
 * @category time
 * @since 0.1.0
 */
export const settled: Effect.Effect<void> = Effect.gen(function* () {
  for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
})

/**
 * Lets time pass, and everything happen that it brings about: what is ready now goes first.
 *
 * @category time
 * @since 0.1.0
 */
export const passing = (time: Duration.Input): Effect.Effect<void> =>
  settled.pipe(Effect.andThen(TestClock.adjust(time)), Effect.andThen(settled))

/** Most scopes end within the first of them; none of a sound program needs the last. */
const steps = ["0 millis", "1 minute", "1 hour", "30 days"] as const

/**
 * Runs a test in a scope of its own, and lets time pass while that ends: servers drain, connections close, and the test
 * then ends as it did, with its result, its failure or its defect.
 *
 * Time that passes at the end is at most 30 days; a scope that has not ended then is a defect, {@link NeverEnds}, unless
 * the test has failed by itself, which is what it tells.
 *
 * @category time
 * @since 0.1.0
 */
export const scoped = Effect.fnUntraced(function* <A, E, R>(
  test: Effect.Effect<A, E, R>
): Effect.fn.Return<A, E, Exclude<R, Scope.Scope>> {
  // A clock that nobody has used yet begins its first sleep in a way that finalizers do not survive.
  yield* TestClock.adjust(0)
  const scope = yield* Scope.make()
  const exit = yield* Effect.exit(Scope.provide(test, scope))
  // On its own: a finalizer that never ends cannot be interrupted either, and must not keep the test from telling so.
  const ending = yield* Effect.forkDetach(Scope.close(scope, exit))
  for (const step of steps) {
    if (ending.pollUnsafe() !== undefined) break
    yield* passing(step)
  }
  const ended = ending.pollUnsafe()
  // What was wrong with the test itself is what its author has to hear.
  if (exit._tag === "Failure") return yield* exit
  if (ended === undefined) return yield* Effect.die(new NeverEnds())
  return yield* Effect.andThen(ended, exit)
})
