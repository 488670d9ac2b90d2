import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import * as Connection from "finwait/Connection"
import { bytes, pair, settled } from "./support/network.ts"

/** Many small writes, and some that are larger than every buffer on the way. */
const size = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 20_000, max: 200_000 }))

/** What both sides do, in virtual time. */
const scenarios = fc.record({
  latency: fc.constantFrom(0, 1, 40),
  sendBufferBytes: fc.constantFrom(1, 1000, 64 * 1024),
  receiveBufferBytes: fc.constantFrom(1000, 64 * 1024),
  farewell: fc.boolean(),
  /** What this side writes before it closes, and how long after the beginning it closes, read or unread. */
  writes: fc.array(size, { maxLength: 4 }),
  closesAfter: fc.constantFrom(0, 1, 50, 500),
  readsFirst: fc.boolean(),
  /** What the peer sends meanwhile, and how long it waits between two reads. */
  uploads: fc.array(size, { maxLength: 4 }),
  readsAfter: fc.constantFrom(0, 1, 100),
  /** The peer may go on sending after it has heard this side's FIN. */
  uploadsAfterwards: fc.array(size, { maxLength: 2 })
})

describe("nothing promised is lost", () => {
  const runs = fc.sample(scenarios, { numRuns: 120, seed: 4 })
  for (let from = 0; from < runs.length; from += 12) {
    it.effect(`whatever both sides do, a peer that keeps reading reads it all: ${from + 1} to ${from + 12}`, () =>
      Effect.forEach(
        runs.slice(from, from + 12),
        (run) =>
          Effect.gen(function* () {
            const scenario = JSON.stringify(run)
            const dialling = yield* Effect.forkChild(
              pair({
                sim: run,
                close: {
                  deadline: "2 hours",
                  lingerTimeout: "1 hour",
                  lingerIdleTimeout: "1 hour",
                  ...(run.farewell ? { farewell: Connection.sendLine("BYE") } : {})
                }
              })
            )
            yield* settled
            yield* TestClock.adjust(100)
            yield* settled
            const { here, peer, sim } = yield* Fiber.join(dialling)

            let ours = 0
            const living = Effect.gen(function* () {
              if (run.readsFirst && run.uploads.length > 0) yield* here.pull
              yield* Effect.sleep(run.closesAfter)
              // Written and not waited for: what fits no buffer is still in the program's hands when the close begins.
              for (const length of run.writes) {
                yield* Effect.forkChild(here.write(bytes(length, ++ours)), { startImmediately: true })
              }
              return yield* here.close
            })

            let theirs = 0
            const upload = (lengths: ReadonlyArray<number>) =>
              Effect.forEach(lengths, (length) =>
                Effect.map(peer.write(bytes(length)), () => {
                  theirs += length
                })
              )
            const reading = Effect.gen(function* () {
              const read: Array<Uint8Array> = []
              while (true) {
                yield* Effect.sleep(run.readsAfter)
                const exit = yield* Effect.exit(peer.pull)
                if (Exit.isFailure(exit)) return { read, exit }
                read.push(exit.value)
              }
            })
            const peering = Effect.gen(function* () {
              const uploading = yield* Effect.forkChild(Effect.asVoid(upload(run.uploads)))
              const { exit, read } = yield* reading
              yield* Fiber.join(uploading)
              yield* upload(run.uploadsAfterwards)
              return { read, exit, outcome: yield* peer.close }
            })

            const both = yield* Effect.forkChild(Effect.all([living, peering], { concurrency: 2 }))
            // Bytes that wait for no time need turns: many of them for each step of the clock, or it runs ahead of them.
            for (let step = 0; both.pollUnsafe() === undefined && step < 5000; step++) {
              for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
              yield* TestClock.adjust(100)
            }
            const done = both.pollUnsafe()
            assert.isDefined(done, `both sides end: ${scenario}`)
            assert.isTrue(Exit.isSuccess(done), `nobody failed: ${scenario} ${JSON.stringify(done)}`)
            const [outcome, there] = yield* done

            // The peer has read everything, in order, to an end that is no reset.
            const farewell = run.farewell ? "BYE\n" : ""
            const expected = run.writes.map((length, index) => [index + 1, length])
            const runsRead: Array<[byte: number, length: number]> = []
            let tail = ""
            for (const chunk of there.read) {
              for (const byte of chunk) {
                const last = runsRead.at(-1)
                if (byte > 4) tail += String.fromCharCode(byte)
                else if (last !== undefined && last[0] === byte) last[1]++
                else runsRead.push([byte, 1])
              }
            }
            assert.deepStrictEqual(runsRead, expected, scenario)
            assert.strictEqual(tail, farewell, scenario)
            assert.strictEqual(JSON.stringify(there.exit).includes("Done"), true, scenario)

            // Both know it, and their figures agree.
            const written = run.writes.reduce((sum, length) => sum + length, farewell.length)
            assert.strictEqual(outcome._tag, "Graceful", scenario)
            assert.strictEqual(there.outcome._tag, "Graceful", scenario)
            assert.strictEqual(outcome.bytesWritten, written, scenario)
            assert.strictEqual(outcome.bytesUnsent, 0, scenario)
            assert.strictEqual(outcome.bytesRead, theirs, scenario)
            assert.strictEqual(there.outcome.bytesRead, written, scenario)
            assert.strictEqual(there.outcome.bytesWritten, theirs, scenario)
            assert.strictEqual(outcome.farewell, run.farewell ? "flushed" : "none", scenario)
            assert.strictEqual(yield* sim.socketsOpen, 0, scenario)
          }).pipe(Effect.scoped),
        { discard: true }
      )
    )
  }
})
