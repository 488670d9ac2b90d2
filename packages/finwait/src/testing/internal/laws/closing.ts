/**
 * The close, as it shows on the transport under test: it is the same for every transport, and so are its promises.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { CloseOutcome } from "../../../CloseOutcome.ts"
import * as Connection from "../../../Connection.ts"
import { bytesOf } from "./numbered.ts"
import { failsWith, forBothSides, politely, reads, type Side, type Sides } from "./sides.ts"
import { started, type LawOf, type Trial } from "./trial.ts"

/** Awaits that a close ends as it should. */
export const closes = Effect.fnUntraced(function* (
  trial: Trial,
  closing: Fiber.Fiber<CloseOutcome>,
  side: Side,
  tag: CloseOutcome["_tag"]
) {
  const outcome = yield* trial.resultOf(closing, `${side.name}: the close`)
  yield* trial.holds(outcome._tag === tag, `${side.name}: the close is ${tag}`, `it was ${JSON.stringify(outcome)}`)
  return outcome
})

const gracefully = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  const closing = yield* started(here.connection.close)
  const { bytes, closing: theirs } = yield* politely(trial, there, 1)
  yield* closes(trial, closing, here, "Graceful")
  yield* closes(trial, theirs, there, "Graceful")
  return bytes
})

const withFarewell = Effect.fnUntraced(function* (trial: Trial, sides: Sides) {
  yield* started(sides.here.connection.write(bytesOf(1, 0, 100_000)))
  const closing = yield* started(sides.here.connection.close)
  const heard = yield* started(Connection.readText(sides.there.connection))
  const text = yield* trial.resultOf(heard, "reading to the end")
  yield* trial.holds(
    text.endsWith("BYE\n"),
    "the farewell is the last that arrives",
    `${JSON.stringify(text.slice(-9))} is`
  )
  const theirs = yield* started(sides.there.connection.close)
  const outcome = yield* closes(trial, closing, sides.here, "Graceful")
  yield* closes(trial, theirs, sides.there, "Graceful")
  const { bytesWritten, farewell } = outcome
  const said = farewell === "flushed" && bytesWritten === 100_004
  yield* trial.holds(said, "the outcome knows of the farewell", JSON.stringify(outcome))
})

const whileReading = Effect.fnUntraced(function* (trial: Trial, sides: Sides) {
  const { connection } = sides.here
  const pulling = yield* started(connection.pull)
  yield* trial.awhile()
  const closing = yield* started(connection.close)
  yield* failsWith(trial, pulling, "a read that waits when its own side closes", "Closed")
  yield* failsWith(trial, yield* started(connection.pull), "a read after the close", "Closed")
  yield* failsWith(trial, yield* started(connection.write("x")), "a write after the close", "Closed")
  yield* gracefully(trial, sides)
  yield* closes(trial, closing, sides.here, "Graceful")
})

const whileWriting = Effect.fnUntraced(function* (trial: Trial, sides: Sides) {
  const bytes = trial.ground.muchBytes
  const writing = yield* started(sides.here.connection.write(bytesOf(1, 0, bytes)))
  yield* trial.awhile()
  const closing = yield* started(sides.here.connection.close)
  yield* trial.awhile()
  const heard = yield* gracefully(trial, sides)
  yield* trial.holds(heard === bytes, `all ${bytes} bytes of the write that waited arrive`, `${heard} did`)
  yield* trial.resultOf(writing, "the write that waited")
  const { bytesWritten } = yield* closes(trial, closing, sides.here, "Graceful")
  yield* trial.holds(bytesWritten === bytes, `the outcome counts ${bytes} bytes written`, `it counts ${bytesWritten}`)
})

const closers = 100

const fromManyFibers = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  const { connection, pipe } = here
  const all = yield* Effect.forEach(Array.from({ length: closers }), () => started(connection.close))
  yield* trial.awhile()
  const { closing } = yield* politely(trial, there, 1)
  const outcome = yield* closes(trial, all[0]!, here, "Graceful")
  for (const fiber of [...all, yield* started(connection.close), yield* started(connection.outcome)]) {
    const other = yield* trial.resultOf(fiber, "a close")
    yield* trial.holds(other === outcome, "all who close get the one outcome", `another one: ${JSON.stringify(other)}`)
  }
  yield* closes(trial, closing, there, "Graceful")
  const { closeWrite, release, reset } = pipe.acts
  const happened = `${closeWrite} times closeWrite, ${reset} reset, ${release} release`
  yield* trial.holds(closeWrite === 1 && reset === 0 && release === 1, "one FIN, no reset, one release", happened)
})

const abortAfterwards = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  yield* trial.does("write", here.connection.write(bytesOf(1, 0, 1000)))
  const reading = yield* reads(trial, there, 1)
  const closing = yield* started(here.connection.close)
  const heard = yield* trial.resultOf(reading, "reading to the end")
  yield* trial.holds(heard === 1000, "1000 bytes arrive", `${heard} did`)
  const theirs = yield* started(there.connection.close)
  const outcome = yield* closes(trial, closing, here, "Graceful")
  const aborted = yield* trial.does("abort", here.connection.abort)
  yield* trial.holds(aborted === outcome, "an abort after the close gives its outcome", JSON.stringify(aborted))
  yield* trial.holds(here.pipe.acts.reset === 0, "what is closed is not reset", "it was reset")
  yield* closes(trial, theirs, there, "Graceful")
})

const whenInterrupted = Effect.fnUntraced(function* (trial: Trial, sides: Sides) {
  const closing = yield* started(sides.here.connection.close)
  yield* trial.does("interruption", Fiber.interrupt(closing))
  yield* trial.awhile()
  yield* trial.holds(
    sides.here.pipe.acts.closeWrite === 1,
    "the close goes on when who waits for it is interrupted",
    "FIN was never sent"
  )
  yield* gracefully(trial, sides)
})

const duringAnUpload = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  // The peer speaks on after it has been told goodbye.
  if (!here.pipe.capabilities.halfClose) return
  const upload = trial.ground.muchBytes
  const uploading = yield* started(there.connection.write(bytesOf(2, 0, upload)))
  yield* trial.awhile()
  // Nobody here has read a byte when the answer is given, and the peer reads none of it before it has sent everything.
  const answer = 50_000
  yield* started(here.connection.write(bytesOf(1, 0, answer)))
  const closing = yield* started(here.connection.close)
  yield* trial.resultOf(uploading, "the upload, while the other side closes")
  yield* trial.awhile()
  const { bytes, closing: theirs } = yield* politely(trial, there, 1)
  yield* trial.holds(bytes === answer, `${answer} bytes of the answer arrive`, `${bytes} did`)
  const outcome = yield* closes(trial, closing, here, "Graceful")
  const { bytesDiscarded } = outcome
  yield* trial.holds(bytesDiscarded === upload, `${upload} bytes are read and discarded`, `${bytesDiscarded} were`)
  yield* closes(trial, theirs, there, "Graceful")
})

const bothAtOnce = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  const closing = [here, there].map((side) => ({ side, close: side.connection.close }))
  const fibers = yield* Effect.forEach(closing, ({ close }) => started(close))
  yield* closes(trial, fibers[0]!, here, "Graceful")
  yield* closes(trial, fibers[1]!, there, "Graceful")
})

const farewell = { farewell: Connection.sendLine("BYE") }

export const laws: ReadonlyArray<LawOf> = [
  { name: "a close says its farewell behind everything written", law: forBothSides(withFarewell, farewell) },
  { name: "a close ends the read that waits", law: forBothSides(whileReading) },
  { name: "a close takes along the write that waits", law: forBothSides(whileWriting) },
  { name: "both sides may close at once", law: forBothSides(bothAtOnce) },
  { name: "a hundred closes are one: one outcome, one FIN", law: forBothSides(fromManyFibers) },
  { name: "an abort after the close changes nothing", law: forBothSides(abortAfterwards) },
  { name: "a close whose waiter is interrupted goes on", law: forBothSides(whenInterrupted) },
  {
    name: "a close loses nothing to unread input, nor to a peer that is still sending",
    law: forBothSides(duringAnUpload)
  }
]
