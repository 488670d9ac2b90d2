/**
 * Tests that end in time, whether they pass or not.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Connection from "finwait/Connection"
import * as Framing from "finwait/Framing"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import * as SimNetwork from "finwait/testing/SimNetwork"
import * as TestTime from "finwait/testing/TestTime"
import { now } from "./support/network.ts"

const listen = "tcp://127.0.0.1:7000"

/** Answers at once, or in three seconds. */
const server = Server.layer({
  listen,
  handler: (connection) =>
    Framing.lines(connection).pipe(
      Framing.respond((line) => Effect.as(line === "slow" ? Effect.sleep("3 seconds") : Effect.void, line))
    )
})

describe("a test with a scope that ends in time", () => {
  it.effect("passes, whatever the latency of its connections", () =>
    Effect.gen(function* () {
      const answer = yield* TestTime.scoped(
        Effect.gen(function* () {
          yield* Layer.build(server)
          const asking = yield* Effect.forkChild(
            Effect.gen(function* () {
              const connection = yield* Network.connect(listen)
              yield* connection.write("quick\n")
              return yield* Framing.lines(connection).pull
            })
          )
          yield* TestTime.passing("1 second")
          return yield* Fiber.join(asking)
        })
      )
      assert.strictEqual(answer, "quick")
    }).pipe(Effect.provide(SimNetwork.layer({ latency: "50 millis" })))
  )

  it.effect("fails as it failed, although its server drains and its connection closes", () =>
    Effect.gen(function* () {
      const test = Effect.gen(function* () {
        yield* Layer.build(server)
        const connection = yield* Network.connect(listen)
        yield* connection.write("slow\n")
        yield* TestTime.settled
        assert.fail("what was wrong")
      })
      const exit = yield* Effect.exit(TestTime.scoped(test))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(Cause.pretty((exit as Exit.Failure<never, never>).cause), "what was wrong")
      assert.isAtLeast(yield* now, 3000, "the request in hand was answered first")
    }).pipe(Effect.provide(SimNetwork.layer()))
  )

  it.effect("is told when its scope never ends, unless something else is wrong already", () =>
    Effect.gen(function* () {
      const stuck = Effect.addFinalizer(() => Effect.never)
      const defect = yield* Effect.exit(TestTime.scoped(stuck))
      assert.include(Cause.pretty((defect as Exit.Failure<never, never>).cause), "the scope does not end")
      const failure = yield* Effect.flip(TestTime.scoped(Effect.andThen(stuck, Effect.fail("what was wrong"))))
      assert.strictEqual(failure, "what was wrong")
    })
  )
})

describe("passing time", () => {
  it.effect("does not overtake what has just begun", () =>
    TestTime.scoped(
      Effect.gen(function* () {
        yield* Layer.build(server)
        const heard: Array<string> = []
        yield* Effect.forkChild(
          Effect.gen(function* () {
            const connection = yield* Network.connect(listen)
            yield* connection.write("quick\nslow\nquick\n")
            yield* connection.closeWrite
            heard.push(yield* Connection.readText(connection))
            heard.push(`${yield* now}`)
          })
        )
        yield* TestTime.passing("1 minute")
        assert.deepStrictEqual(heard, ["quick\nslow\nquick\n", "3000"])
      })
    ).pipe(Effect.provide(SimNetwork.layer()))
  )
})
