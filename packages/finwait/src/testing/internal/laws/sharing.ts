/**
 * Several fibers on one connection: one reads, any may write.
 */
import * as Effect from "effect/Effect"
import { Comparison, bytesOf } from "./numbered.ts"
import { failsWith, forBothSides, reads, type Sides } from "./sides.ts"
import { started, type LawOf, type Trial } from "./trial.ts"

const bothWays = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  const bytes = trial.ground.muchBytes / 4
  const heard = [new Comparison(1), new Comparison(2)] as const
  const readers = [yield* reads(trial, here, 1, heard[0]), yield* reads(trial, there, 2, heard[1])]
  for (const [side, stream] of [
    [there, 1],
    [here, 2]
  ] as const) {
    const { connection } = side
    const writing = Effect.gen(function* () {
      yield* connection.write("")
      yield* connection.write(bytesOf(stream, 0, bytes / 2))
      // Small ones behind a large one: none may overtake it.
      const size = 4096
      for (let at = bytes / 2; at < bytes; at += size) {
        yield* connection.write(bytesOf(stream, at, Math.min(size, bytes - at)))
      }
      // Without a half-close, who ends keeps the other from writing on.
      if (!side.pipe.capabilities.halfClose) {
        yield* trial.until(
          () => heard.every(({ position }) => position === bytes),
          `${bytes} bytes arrive at each side`
        )
      }
      yield* connection.closeWrite
    })
    yield* started(writing)
  }
  for (const reader of readers) {
    const heard = yield* trial.resultOf(reader, "reading to the end")
    yield* trial.holds(heard === bytes, `${bytes} bytes arrive`, `${heard} did`)
  }
})

const halfClose = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  if (!here.pipe.capabilities.halfClose) return
  const [mine, theirs] = [yield* reads(trial, here, 1), yield* reads(trial, there, 2)]
  yield* trial.does("write", here.connection.write(bytesOf(2, 0, 1000)))
  yield* trial.does("closeWrite", here.connection.closeWrite)
  const heard = yield* trial.resultOf(theirs, "reading to the end")
  yield* trial.holds(heard === 1000, "1000 bytes arrive", `${heard} did`)
  yield* failsWith(trial, yield* started(here.connection.write("x")), "a write after closeWrite", "Closed")
  yield* trial.does("write after the other's FIN", there.connection.write(bytesOf(1, 0, 200_000)))
  yield* trial.does("closeWrite", there.connection.closeWrite)
  const answer = yield* trial.resultOf(mine, "reading after closeWrite")
  yield* trial.holds(answer === 200_000, "200000 bytes arrive", `${answer} did`)
})

const secondReader = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  const first = yield* reads(trial, here, 1)
  yield* failsWith(trial, yield* started(here.connection.pull), "a second reader", "Busy")
  yield* failsWith(trial, yield* started(here.connection.each(() => Effect.void)), "a second reader", "Busy")
  yield* trial.does("write", there.connection.write(bytesOf(1, 0, 100_000)))
  yield* failsWith(trial, yield* started(here.connection.pull), "a second reader", "Busy")
  yield* trial.does("closeWrite", there.connection.closeWrite)
  const heard = yield* trial.resultOf(first, "the first reader")
  yield* trial.holds(heard === 100_000, "the first reader gets all 100000 bytes", `it got ${heard}`)
})

const writers = 20
const recordBytes = 5000
const recordsEach = 10

/** Records of one byte each, repeated: another one inside of a record is a mixture. */
const together = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  const bytes = writers * recordsEach * recordBytes
  const next = Array.from({ length: writers }, () => 0)
  let at = 0
  let current = 0
  const take = (byte: number): string | undefined => {
    if (at++ % recordBytes !== 0) return byte === current ? undefined : `${byte} in the middle of record ${current}`
    current = byte
    const writer = Math.floor(byte / recordsEach)
    return byte % recordsEach === next[writer]!++ ? undefined : `record ${byte} of writer ${writer} out of its order`
  }
  const writing = Effect.fnUntraced(function* (writer: number) {
    for (let record = 0; record < recordsEach; record++) {
      yield* here.connection.write(new Uint8Array(recordBytes).fill(writer * recordsEach + record))
    }
  })
  const fibers = yield* Effect.forEach(Array.from({ length: writers }), (_, writer) => started(writing(writer)))
  // Nobody reads yet, so that some of them may wait for room beside each other.
  yield* trial.awhile()
  const reading = yield* started(
    there.connection.each((chunk) => {
      for (const byte of chunk) {
        const problem = take(byte)
        if (problem !== undefined) trial.broke("each write's bytes arrive together, each writer's in order", problem)
      }
      return Effect.void
    })
  )
  for (const fiber of fibers) yield* trial.resultOf(fiber, "writing")
  yield* trial.does("closeWrite", here.connection.closeWrite)
  yield* trial.resultOf(reading, "reading to the end")
  yield* trial.holds(at === bytes, `${bytes} bytes arrive`, `${at} did`)
})

const waits = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  const bytes = trial.ground.muchBytes
  const writing = yield* started(here.connection.write(bytesOf(1, 0, bytes)))
  yield* trial.awhile()
  yield* trial.holds(
    writing.pollUnsafe() === undefined,
    "a write waits while the peer does not read",
    `a write of ${bytes} bytes ended`
  )
  const reading = yield* reads(trial, there, 1)
  yield* trial.resultOf(writing, "the write, when the peer reads")
  yield* trial.does("closeWrite", here.connection.closeWrite)
  const heard = yield* trial.resultOf(reading, "reading to the end")
  yield* trial.holds(heard === bytes, `${bytes} bytes arrive`, `${heard} did`)
})

const pulled = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  yield* started(Effect.andThen(there.connection.write(bytesOf(1, 0, 300_000)), there.connection.closeWrite))
  const heard = new Comparison(1)
  const pulling = Effect.gen(function* () {
    for (;;) {
      const problem = heard.take(yield* here.connection.pull)
      if (problem !== undefined) trial.broke("bytes arrive whole and in order", problem)
      // What is not pulled is not asked for.
      yield* trial.ground.pass
    }
  })
  yield* failsWith(trial, yield* started(pulling), "pulling all there is", "end")
  yield* trial.holds(heard.position === 300_000, "300000 bytes are pulled, then the end", `${heard.position} were`)
})

export const laws: ReadonlyArray<LawOf> = [
  { name: "a connection carries bytes whole and in order, both ways", law: forBothSides(bothWays) },
  { name: "a connection's pulls bring all bytes, then the end", law: forBothSides(pulled) },
  { name: "a connection half-closes, where there is a half-close", law: forBothSides(halfClose) },
  { name: "a write waits while the peer does not read, and loses nothing", law: forBothSides(waits) },
  { name: "a second reader is Busy, and the first is not disturbed", law: forBothSides(secondReader) },
  { name: "what one write carries arrives together", law: forBothSides(together) }
]
