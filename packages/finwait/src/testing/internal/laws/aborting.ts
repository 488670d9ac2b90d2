/**
 * The reset, as programs see it: at each stage of a close, and from the other side.
 */
import * as Effect from "effect/Effect"
import type { CloseOutcome, Stage } from "../../../CloseOutcome.ts"
import { closes } from "./closing.ts"
import { bytesOf } from "./numbered.ts"
import { failsWith, forBothSides, reads, type Side, type Sides } from "./sides.ts"
import { started, type LawOf, type Trial, type Tried } from "./trial.ts"

/** How a read ends on the side that was reset. Where there is no reset, it looks like an end unless input was unread. */
const endings = ({ pipe }: Side): ReadonlyArray<string> => (pipe.capabilities.reset ? ["Reset"] : ["Reset", "success"])

/** Writes until it fails: the only way to hear of a reset behind a FIN. */
const writesAreReset = Effect.fnUntraced(function* (trial: Trial, side: Side) {
  const writing = yield* started(Effect.forever(Effect.andThen(side.connection.write("x"), trial.ground.pass)))
  yield* failsWith(trial, writing, "writing to a side that has aborted", "Reset")
})

const abortIn = (
  stage: Exclude<Stage, "Closed">,
  before: (trial: Trial, sides: Sides) => Tried,
  after: (trial: Trial, sides: Sides) => Tried
) =>
  Effect.fnUntraced(function* (trial: Trial, sides: Sides) {
    const { connection, pipe } = sides.here
    yield* before(trial, sides)
    const closing = stage === "Open" ? undefined : yield* started(connection.close)
    yield* trial.until(
      () => connection.stage === stage,
      `the close comes to its stage ${stage}`,
      () => `it is at ${connection.stage}`
    )
    yield* trial.awhile()
    const outcome = yield* closes(trial, yield* started(connection.abort), sides.here, "Aborted")
    const { cause } = outcome as Extract<CloseOutcome, { readonly _tag: "Aborted" }>
    yield* trial.holds(
      outcome.stage === stage && cause === "abort",
      `it is aborted at ${stage}, by abort`,
      `it was at ${outcome.stage}, by ${cause}`
    )
    if (closing !== undefined) {
      const waited = yield* closes(trial, closing, sides.here, "Aborted")
      yield* trial.holds(waited === outcome, "who closes gets the outcome of the abort", JSON.stringify(waited))
    }
    yield* trial.holds(pipe.released, "an abort gives the descriptor back", "onReleased was never told")
    yield* after(trial, sides)
  })

const nothing = () => Effect.void

const readsAreReset = Effect.fnUntraced(function* (trial: Trial, { there }: Sides) {
  yield* failsWith(trial, yield* reads(trial, there, 1), "reading from a side that has aborted", ...endings(there))
})

const isHeldBack = Effect.fnUntraced(function* (trial: Trial, { here }: Sides) {
  const bytes = trial.ground.muchBytes
  yield* started(here.connection.write(bytesOf(1, 0, bytes)))
})

/** Who hears goodbye without a half-close answers it, and there is nothing left to wait for: so nobody hears it. */
const toTheEnd = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  if (here.pipe.capabilities.halfClose) yield* reads(trial, there, 1)
})

const waitingRead = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  const reading = yield* reads(trial, there, 1)
  yield* trial.awhile()
  yield* closes(trial, yield* started(here.connection.abort), here, "Aborted")
  yield* failsWith(trial, reading, "a read that waits when the peer resets", ...endings(there))
  if (!here.pipe.capabilities.reset) return
  const outcome = yield* closes(trial, yield* started(there.connection.close), there, "ResetByPeer")
  yield* trial.holds(outcome.closedFirst === "peer", "the peer closed first", JSON.stringify(outcome))
})

const waitingWrite = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  const writing = yield* started(there.connection.write(bytesOf(1, 0, trial.ground.muchBytes)))
  yield* trial.awhile()
  yield* closes(trial, yield* started(here.connection.abort), here, "Aborted")
  yield* failsWith(trial, writing, "a write that waits when the peer resets", "Reset")
  yield* closes(trial, yield* started(there.connection.close), there, "ResetByPeer")
})

const beforeAnyoneListens = Effect.fnUntraced(function* (trial: Trial, { here, there }: Sides) {
  yield* closes(trial, yield* started(here.connection.abort), here, "Aborted")
  yield* trial.awhile()
  yield* failsWith(trial, yield* reads(trial, there, 1), "a read that comes after the peer's reset", ...endings(there))
})

const saysGoodbyeForever = { farewell: () => Effect.never }

export const laws: ReadonlyArray<LawOf> = [
  { name: "an abort while Open resets", law: forBothSides(abortIn("Open", nothing, readsAreReset)) },
  {
    name: "an abort while in Farewell resets",
    law: forBothSides(abortIn("Farewell", nothing, readsAreReset), saysGoodbyeForever)
  },
  { name: "an abort while Flushing resets", law: forBothSides(abortIn("Flushing", isHeldBack, readsAreReset)) },
  {
    name: "an abort while Lingering resets",
    law: forBothSides(abortIn("Lingering", toTheEnd, (trial, { there }) => writesAreReset(trial, there)))
  },
  { name: "a reset fails the peer's read that waits", law: forBothSides(waitingRead) },
  { name: "a reset fails the peer's write that waits", law: forBothSides(waitingWrite) },
  { name: "a reset is told to who reads only later", law: forBothSides(beforeAnyoneListens) }
]
