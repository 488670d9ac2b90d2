/**
 * Handlers that are nothing but a reading have no fiber until their work suspends: what a fiber would see to is seen to
 * all the same. Each of them is tried beside the same with something around it, which has one.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as Connection from "finwait/Connection"
import * as Framing from "finwait/Framing"
import { passing, settled } from "./support/network.ts"
import { serve } from "./support/server.ts"

type Work = (connection: Connection.Connection) => Effect.Effect<void>

const readers: Record<string, (work: Work) => (connection: Connection.Connection) => Effect.Effect<void, unknown>> = {
  each: (work) => (connection) => connection.each(() => work(connection)),
  respond: (work) => (connection) =>
    Framing.lines(connection).pipe(Framing.respond(() => Effect.as(work(connection), "")))
}
const handlers = Object.entries(readers).flatMap(([name, reader]) => [
  [name, reader] as const,
  [
    `${name} on a fiber`,
    (work: Work) => (connection: Connection.Connection) => Effect.asVoid(reader(work)(connection))
  ] as const
])

describe.each(handlers)("a handler that is nothing but %s", (_, handler) => {
  it.effect("is waited for, and interrupted in the end, when its work has closed the connection and goes on", () =>
    Effect.gen(function* () {
      let finalized = 0
      const { dial, scope, server } = yield* serve({
        handler: handler((connection) =>
          Effect.gen(function* () {
            yield* Effect.forkDetach(connection.close, { startImmediately: true })
            return yield* Effect.never
          }).pipe(Effect.onInterrupt(() => Effect.sync(() => void finalized++)))
        )
      })
      const client = yield* dial
      yield* client.write("go\n")
      yield* settled
      assert.strictEqual(yield* server.connections, 1)
      yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* passing(60_000)
      const report = yield* server.drain.report
      assert.strictEqual(finalized, 1)
      assert.strictEqual(report.handlersInterrupted, 1)
      assert.strictEqual(yield* server.connections, 0)
    })
  )

  it.effect("is interrupted by a cut from inside its own work, which is waited for", () =>
    Effect.gen(function* () {
      const events: Array<string> = []
      let cut: Effect.Effect<void> = Effect.void
      const { dial, scope, server } = yield* serve({
        handler: handler(() =>
          Effect.suspend(() => {
            events.push("work")
            return Effect.andThen(cut, Effect.never)
          }).pipe(
            Effect.onInterrupt(() =>
              Effect.andThen(
                Effect.sleep(100),
                Effect.sync(() => events.push("finalized"))
              )
            )
          )
        )
      })
      cut = server.drain.cut
      const [client, other] = [yield* dial, yield* dial]
      yield* Effect.forkChild(Scope.close(scope, Exit.void))
      // One is in the middle of nothing; the drain has told it to end. Only who works before that is cut.
      yield* client.write("go\n")
      yield* other.write("go\n")
      yield* passing(60_000)
      const report = yield* server.drain.report
      assert.isAtLeast(events.filter((event) => event === "work").length, 1)
      assert.strictEqual(
        events.filter((event) => event === "finalized").length,
        events.filter((event) => event === "work").length
      )
      assert.isFalse(report.clean)
      assert.strictEqual(yield* server.connections, 0)
    })
  )

  it.effect("tells of a finalizer that dies when it is interrupted", () =>
    Effect.gen(function* () {
      const { dial, logged, metrics, scope, server } = yield* serve({
        handler: handler(() => Effect.onInterrupt(Effect.never, () => Effect.die("a broken finalizer")))
      })
      const client = yield* dial
      yield* client.write("go\n")
      yield* settled
      yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* passing(60_000)
      assert.strictEqual((yield* server.drain.report).handlersInterrupted, 1)
      assert.strictEqual((yield* metrics).handlersFailed, 1)
      assert.isTrue(logged.some(({ cause, level }) => level === "Error" && cause.includes("a broken finalizer")))
    })
  )

  it.effect("dies when its function returns no effect, and harms nobody", () =>
    Effect.gen(function* () {
      let returned: unknown
      const { dial, logged, metrics, server } = yield* serve({
        handler: (connection) => connection.each(() => returned as Effect.Effect<void>)
      })
      for (returned of [undefined, null, "text", {}]) {
        const client = yield* dial
        yield* client.write("go\n")
        yield* passing(1000)
        assert.strictEqual((yield* client.close)._tag, "Graceful")
      }
      assert.strictEqual((yield* metrics).handlersFailed, 4)
      assert.strictEqual(logged.filter(({ cause }) => cause.includes("Not a valid effect")).length, 4)
      assert.strictEqual(yield* server.connections, 0)
    })
  )
})

describe("a reading", () => {
  it.effect("that cannot begin is its own connection's failure", () =>
    Effect.gen(function* () {
      const { dial, logged, metrics, server } = yield* serve({
        handler: (connection) =>
          Framing.lines(connection, { maxFrameBytes: Number.NaN }).pipe(Framing.respond((line) => Effect.succeed(line)))
      })
      const client = yield* dial
      yield* passing(1000)
      assert.strictEqual((yield* client.close)._tag, "Graceful")
      assert.strictEqual((yield* metrics).handlersFailed, 1)
      assert.isTrue(logged.some(({ level, message }) => level === "Error" && message.includes("failed")))
      assert.strictEqual(yield* server.connections, 0)
    })
  )

  it.effect("that is interrupted by one of several messages does not begin another", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      let cut: Effect.Effect<void> = Effect.void
      const { dial, scope, server } = yield* serve({
        handler: (connection) =>
          Framing.lines(connection).pipe(
            Framing.respond((line): Effect.Effect<string | undefined> => {
              seen.push(line)
              return line === "cut" ? Effect.as(cut, undefined) : Effect.succeed(line)
            })
          )
      })
      cut = server.drain.cut
      const client = yield* dial
      yield* client.write("ha")
      yield* settled
      yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* settled
      yield* client.write("lf\ncut\nmore\n")
      yield* passing(60_000)
      assert.deepStrictEqual(seen, ["half", "cut"])
      assert.isFalse((yield* server.drain.report).clean)
    })
  )
})
