/**
 * Flushed: everything, and the FIN behind it, has been given to the system. And caught up: what the system held has
 * been delivered.
 */
import * as Effect from "effect/Effect"
import { type Ends, forBothEnds, listening, pipeOf } from "./end.ts"
import type { LawOf, Trial } from "./trial.ts"

const onceAndAfterAll = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  const bytes = trial.ground.muchBytes
  // In one write, so that the pipe has to keep what the system does not take.
  here.send(bytes, bytes).finish()
  yield* trial.awhile()
  yield* trial.holds(
    !here.pipe.flushed,
    "nothing is flushed that no buffer on the way can hold",
    `onFlushed came for ${bytes} bytes that nobody had read`
  )
  there.pausesAfterEach = true
  while (!there.ended) {
    const before = there.heardBytes
    there.resume()
    yield* trial.until(
      () => there.heardBytes > before || there.ended,
      "a peer that reads slowly gets everything",
      () => `${before} of ${bytes} bytes arrived`
    )
  }
  yield* trial.holds(there.heardBytes === bytes, `${bytes} bytes arrive`, `${there.heardBytes} did`)
  yield* trial.until(() => here.pipe.flushed, "onFlushed is told when the system has it all")
})

const ofNothing = Effect.fnUntraced(function* (trial: Trial, { here }: Ends) {
  yield* trial.awhile()
  yield* trial.holds(!here.pipe.flushed, "onFlushed waits for closeWrite", "it came by itself")
  here.finish()
  yield* trial.until(() => here.pipe.flushed, "onFlushed is told, although there was nothing but FIN")
})

/**
 * Catching up tells old bytes from new ones. What has arrived cannot be seen before it is delivered; but what was sent
 * later, on another pipe, has arrived.
 */
const caughtUp = Effect.fnUntraced(function* (trial: Trial) {
  const from = yield* listening(trial)
  for (const side of [0, 1]) {
    const pair = yield* pipeOf(trial, from)
    const [here, there] = [pair[side]!.attach(), pair[1 - side]!.attach()]
    const [witness, told] = (yield* pipeOf(trial, from)).map((end) => end.attach())
    told!.resume()
    there.send(1000, 100)
    yield* trial.awhile()
    witness!.send(1)
    yield* trial.until(() => told!.heardBytes === 1, "a byte arrives")
    let delivered: number | undefined
    here.resume()
    here.pipe.catchUp(() => (delivered = here.heardBytes))
    yield* trial.until(() => delivered !== undefined, "catchUp calls back")
    yield* trial.holds(delivered === 1000, "catchUp delivers what the system held", `${delivered} of 1000 bytes`)

    let calls = 0
    here.pipe.catchUp(() => calls++)
    here.pipe.pause()
    yield* trial.until(() => calls > 0, "catchUp calls back on a pipe that is paused meanwhile")
    yield* trial.awhile()
    yield* trial.holds(calls === 1, "catchUp calls back once", `it called back ${calls} times`)
  }
})

export const laws: ReadonlyArray<LawOf> = [
  { name: "flushed is told once, when the system has everything", law: forBothEnds(onceAndAfterAll) },
  { name: "flushed is told of a FIN alone", law: forBothEnds(ofNothing) },
  { name: "catching up delivers what the system held", law: caughtUp }
]
