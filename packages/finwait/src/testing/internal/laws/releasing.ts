/**
 * The last acts: reset, which takes everything back, and release, which takes back nothing but the descriptor.
 */
import * as Effect from "effect/Effect"
import { type End, type Ends, forBothEnds, listening, pipeOf } from "./end.ts"
import type { LawOf, Trial } from "./trial.ts"

const toldOfReset = (trial: Trial, { here, there }: Ends) =>
  trial.until(
    () => (here.pipe.capabilities.reset ? there.broken : there.over),
    here.pipe.capabilities.reset ? "the peer is told of a reset as a break" : "the peer is told that it is over",
    () => (there.ended ? "it was told an end, as if all had been said" : "it was told nothing")
  )

const isReleased = (trial: Trial, end: End) =>
  trial.until(() => end.pipe.released, `${end.pipe.name}: a reset gives the descriptor back, and says so`)

const nothingAfterRelease = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  here.resume()
  there.resume().send(1000)
  yield* trial.until(() => here.heardBytes === 1000, "1000 bytes arrive")
  here.pipe.release()
  // Whatever is told from now on is told to nobody: bytes, the end, room, a break.
  there.send(1_000_000, 1000).finish()
  yield* trial.awhile()
  there.pipe.reset()
  yield* trial.awhile()
})

const resetTwice = Effect.fnUntraced(function* (trial: Trial, ends: Ends) {
  const { here, there } = ends
  there.resume()
  for (let i = 0; i < 3; i++) here.pipe.reset()
  yield* isReleased(trial, here)
  here.pipe.reset()
  yield* toldOfReset(trial, ends)
  for (const end of [here, there]) for (let i = 0; i < 3; i++) end.pipe.release()
  here.pipe.reset()
  yield* trial.awhile()
})

const resetInTheTurnOfCloseWrite = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  there.resume().send(1000)
  yield* trial.awhile()
  // What has arrived must not be told any more, even if the reset has to wait for the system.
  here.resume().send(1000).finish()
  here.pipe.reset()
  yield* isReleased(trial, here)
  // The FIN may have been quicker than the reset.
  yield* trial.until(() => there.over, "the peer is told that it is over")
})

const resetWithUnsentBytes = Effect.fnUntraced(function* (trial: Trial, ends: Ends) {
  const { here, there } = ends
  const bytes = trial.ground.muchBytes
  here.send(bytes, bytes)
  yield* trial.awhile()
  here.pipe.reset()
  yield* isReleased(trial, here)
  there.resume()
  yield* toldOfReset(trial, ends)
  yield* trial.holds(there.heardBytes < bytes, "what was not sent is lost", "everything arrived")
})

const everyAct = (end: End, trial: Trial) => {
  const { pipe } = end
  let caughtUp = 0
  pipe.resume()
  pipe.write(new Uint8Array(10))
  pipe.catchUp(() => caughtUp++)
  pipe.pause()
  pipe.closeWrite()
  pipe.reset()
  pipe.release()
  pipe.write(new Uint8Array(10))
  pipe.catchUp(() => caughtUp++)
  pipe.resume()
  return trial.holds(pipe.unsentBytes >= 0, "an ended pipe has a number of unsent bytes", `${pipe.unsentBytes}`)
}

const actsOnWhatHasEnded = Effect.fnUntraced(function* (trial: Trial) {
  const from = yield* listening(trial)
  const pair = Effect.map(pipeOf(trial, from), ([one, other]) => [one.attach(), other.attach()] as const)
  // Ended by this side's reset, by the peer's, by both FINs, and given back.
  const [resetting, wasReset] = yield* pair
  wasReset.resume()
  resetting.pipe.reset()
  yield* trial.until(() => wasReset.over && resetting.pipe.released, "both sides are told of the reset")
  const [first, second] = yield* pair
  for (const end of [first, second]) end.resume().finish()
  yield* trial.until(() => first.ended && second.ended && first.pipe.flushed && second.pipe.flushed, "both sides end")
  const [paused, other] = yield* pair
  paused.resume()
  other.resume().send(1)
  yield* trial.until(() => paused.heardBytes === 1, "a byte arrives")
  paused.pipe.pause()
  other.finish()
  paused.finish()
  yield* trial.until(() => paused.pipe.flushed && other.ended, "a paused side ends")
  yield* trial.awhile()
  paused.pipe.reset()
  yield* isReleased(trial, paused)
  const [released, left] = yield* pair
  released.pipe.release()
  yield* trial.awhile()
  for (const end of [resetting, wasReset, first, second, paused, other, released, left]) yield* everyAct(end, trial)
  yield* trial.awhile()
})

const writeAfterCloseWrite = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  there.resume()
  here.send(1000).finish()
  here.pipe.write(new Uint8Array(10))
  here.pipe.closeWrite()
  yield* trial.until(() => there.ended, "the end follows the last byte")
  here.pipe.write(new Uint8Array(10))
  here.pipe.closeWrite()
  yield* trial.awhile()
  yield* trial.holds(there.heardBytes === 1000, "nothing is sent behind FIN", `${there.heardBytes - 1000} bytes were`)
  yield* trial.holds(!here.broken && !there.broken, "a write behind FIN does nothing", "it broke the pipe")
})

const releaseWithUnreadInput = Effect.fnUntraced(function* (trial: Trial, ends: Ends) {
  const { here, there } = ends
  if (!here.pipe.capabilities.reset) return
  there.resume().send(1000)
  yield* trial.until(() => there.pipe.unsentBytes === 0, "1000 bytes leave")
  yield* trial.awhile()
  here.pipe.release()
  yield* toldOfReset(trial, ends)
})

const releaseTakesNothingBack = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  // So few that the system takes them although nobody reads.
  const bytes = Math.min(100_000, Math.floor(trial.ground.muchBytes / 32))
  here.resume().send(bytes).finish()
  there.finish()
  yield* trial.until(() => here.pipe.flushed && here.ended, "this side flushes, and hears the other's end")
  here.pipe.release()
  yield* trial.awhile()
  there.resume()
  yield* trial.until(() => there.ended, "what the system has taken is still sent, and the end behind it")
  yield* trial.holds(there.heardBytes === bytes, `${bytes} bytes arrive`, `${there.heardBytes} did`)
})

export const laws: ReadonlyArray<LawOf> = [
  { name: "nothing is told after release", law: forBothEnds(nothingAfterRelease) },
  { name: "reset and release are done once, however often they are asked for", law: forBothEnds(resetTwice) },
  { name: "a reset in the turn of closeWrite resets", law: forBothEnds(resetInTheTurnOfCloseWrite) },
  { name: "a reset takes back what was not sent", law: forBothEnds(resetWithUnsentBytes) },
  { name: "acts on a pipe that has ended do nothing", law: actsOnWhatHasEnded },
  { name: "nothing is sent behind FIN", law: forBothEnds(writeAfterCloseWrite) },
  { name: "a release with unread input is a reset, where there is one", law: forBothEnds(releaseWithUnreadInput) },
  { name: "a release takes back nothing that was flushed", law: forBothEnds(releaseTakesNothingBack) }
]
