/**
 * Who does not read holds the writer back, and loses nothing by it.
 */
import * as Effect from "effect/Effect"
import { type End, type Ends, forBothEnds } from "./end.ts"
import type { LawOf, Trial } from "./trial.ts"
import { Unmet } from "./unmet.ts"

/** What a transport may keep itself when it is obeyed: several times any high-water mark in use (Node has 64 KiB). */
const unsentBytesMax = 1024 * 1024

/** Times the bytes that all buffers hold. Who takes more than that of a writer holds them nowhere but in memory. */
const takenFactor = 4

const writeBytes = 64 * 1024

/** Writes as an obedient program does until it is held back for good. */
export const fill = Effect.fnUntraced(function* (trial: Trial, end: End) {
  const takenMax = takenFactor * trial.ground.muchBytes
  while (end.hasRoom) {
    while (end.hasRoom) {
      end.write(writeBytes)
      if (end.sentBytes > takenMax) {
        const happened = `write took ${end.sentBytes} bytes and still had room`
        return yield* Effect.fail(new Unmet("a writer whose peer does not read is told to wait", happened))
      }
    }
    const { unsentBytes } = end.pipe
    const expected = `no more than ${unsentBytesMax} bytes of an obedient writer are unsent`
    yield* trial.holds(unsentBytes <= unsentBytesMax, expected, `${unsentBytes} are`)
    yield* trial.awhile(() => end.hasRoom)
  }
})

const isHeldBack = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  yield* fill(trial, here)
  yield* trial.holds(
    there.heardBytes === 0,
    "who has not resumed is told nothing",
    `it was told ${there.heardBytes} bytes`
  )
})

const goesOn = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  yield* fill(trial, here)
  const { writables } = here
  there.resume()
  yield* trial.until(() => here.writables > writables, "room comes back when the peer reads")
  here.finish()
  yield* trial.until(
    () => there.ended,
    "everything arrives when the peer reads",
    () => `${there.heardBytes} of ${here.sentBytes} bytes arrived`
  )
  yield* trial.holds(
    there.heardBytes === here.sentBytes,
    `all ${here.sentBytes} bytes arrive`,
    `${there.heardBytes} arrived`
  )
})

const isToldNothing = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  const bytes = 300_000
  here.send(bytes, 10_000).finish()
  yield* trial.awhile()
  // Each chunk stops delivery from inside of its own event: the next one needs another resume.
  there.pausesAfterEach = true
  while (there.heardBytes < bytes) {
    const before = there.heardBytes
    there.resume()
    yield* trial.until(() => there.heardBytes > before, "delivery goes on with resume")
    yield* trial.awhile()
    there.pipe.pause()
    yield* trial.awhile()
  }
  there.resume()
  yield* trial.until(() => there.ended, "the end follows the last byte")
})

export const laws: ReadonlyArray<LawOf> = [
  { name: "a writer whose peer does not read is held back", law: forBothEnds(isHeldBack) },
  { name: "a writer that was held back goes on when the peer reads", law: forBothEnds(goesOn) },
  { name: "a paused receiver is told nothing, and loses nothing", law: forBothEnds(isToldNothing) }
]
