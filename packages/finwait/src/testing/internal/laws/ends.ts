/**
 * The end of one direction: after the last byte, once, not by itself, and not the end of the other direction.
 */
import * as Effect from "effect/Effect"
import { type Ends, forBothEnds } from "./end.ts"
import type { LawOf, Trial } from "./trial.ts"

const afterTheLastByte = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  const bytes = 1_000_000
  here.send(bytes).finish()
  yield* trial.awhile()
  there.resume()
  yield* trial.until(
    () => there.ended,
    "the end is told after closeWrite",
    () => `${there.heardBytes} of ${bytes} bytes arrived, and no end`
  )
  yield* trial.holds(there.heardBytes === bytes, `${bytes} bytes arrive before the end`, `${there.heardBytes} did`)
  there.pipe.pause()
  there.resume()
  // Told again, or bytes behind it: that is seen whatever the law.
  yield* trial.awhile()
})

const withoutAByte = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  there.resume()
  here.finish()
  yield* trial.until(() => there.ended, "the end is told of a pipe that carried nothing")
  yield* trial.holds(there.heardBytes === 0, "nothing arrives", `${there.heardBytes} bytes arrived`)
})

const notByItself = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  for (const bytes of [0, 1000]) {
    here.resume().send(bytes)
    there.resume().send(bytes)
    yield* trial.until(() => here.heardBytes === bytes && there.heardBytes === bytes, `${bytes} bytes arrive`)
    yield* trial.awhile()
    yield* trial.holds(!here.over && !there.over, "a pipe goes on until somebody ends it", "it ended by itself")
  }
})

const waitsForResume = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  // It has been listened to before: a system that has begun to read may hear of the end while it is paused.
  there.resume()
  here.send(1000)
  yield* trial.until(() => there.heardBytes === 1000, "1000 bytes arrive")
  there.pipe.pause()
  here.finish()
  yield* trial.awhile()
  yield* trial.holds(!there.ended, "the end waits for resume, as bytes do", "it was told while paused")
  // With this the other direction ends as well, and a system may have nothing left to keep the pipe for.
  there.finish()
  yield* trial.until(() => there.pipe.flushed, "onFlushed is told on a paused pipe")
  yield* trial.awhile()
  there.resume()
  yield* trial.until(() => there.ended, "the end is told when delivery is on again")
})

const canHalfClose = ({ here }: Ends): boolean => here.pipe.capabilities.halfClose

const readsOn = Effect.fnUntraced(function* (trial: Trial, ends: Ends) {
  if (!canHalfClose(ends)) return
  const { here, there } = ends
  here.resume().send(1000).finish()
  there.resume()
  yield* trial.until(() => there.ended, "the end is told after closeWrite")
  yield* trial.holds(!here.over, "an end is the end of one direction", "the other direction ended as well")
  const bytes = 200_000
  there.send(bytes).finish()
  yield* trial.until(
    () => here.ended,
    "who has sent FIN hears the other direction to its end",
    () => `${here.heardBytes} of ${bytes} bytes arrived`
  )
  yield* trial.holds(here.heardBytes === bytes, `${bytes} bytes arrive`, `${here.heardBytes} did`)
})

const writesOn = Effect.fnUntraced(function* (trial: Trial, ends: Ends) {
  if (!canHalfClose(ends)) return
  const { here, there } = ends
  here.resume()
  there.resume().finish()
  yield* trial.until(() => here.ended, "the end is told after closeWrite")
  yield* trial.awhile()
  const bytes = 200_000
  here.send(bytes).finish()
  yield* trial.until(
    () => there.ended,
    "who has heard FIN is heard to its own end",
    () => `${there.heardBytes} of ${bytes} bytes arrived`
  )
  yield* trial.holds(there.heardBytes === bytes, `${bytes} bytes arrive`, `${there.heardBytes} did`)
})

const heldBackAtTheOthersEnd = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  const bytes = trial.ground.muchBytes
  here.resume().send(bytes)
  yield* trial.awhile()
  there.finish()
  yield* trial.until(() => here.ended, "the end is told after closeWrite")
  yield* trial.awhile()
  there.resume()
  yield* trial.until(
    () => there.heardBytes === bytes,
    "what a writer that was held back has still to say arrives behind the other's end",
    () => `${there.heardBytes} of ${bytes} bytes arrived`
  )
  here.finish()
  yield* trial.until(() => there.ended, "the end follows the last byte")
})

export const laws: ReadonlyArray<LawOf> = [
  { name: "the end comes after the last byte, once", law: forBothEnds(afterTheLastByte) },
  { name: "a pipe may end without a byte", law: forBothEnds(withoutAByte) },
  { name: "no end comes by itself", law: forBothEnds(notByItself) },
  { name: "the end waits for resume, as bytes do", law: forBothEnds(waitsForResume) },
  { name: "who is held back when the other's end comes loses nothing", law: forBothEnds(heldBackAtTheOthersEnd) },
  { name: "who has sent FIN hears on, where there is a half-close", law: forBothEnds(readsOn) },
  { name: "who has heard FIN writes on, where there is a half-close", law: forBothEnds(writesOn) }
]
