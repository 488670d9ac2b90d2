/**
 * Listening and dialling: who comes is handed over or turned away, nobody is left in between.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Address from "../../../Address.ts"
import type { NetworkError } from "../../../NetworkError.ts"
import type { Acceptor } from "../../../Transport.ts"
import { dialling, End, listening, pipeOf } from "./end.ts"
import type { Observed } from "./observed.ts"
import { said, started, type LawOf, type Trial } from "./trial.ts"

const stopped = (trial: Trial, acceptor: Acceptor) =>
  trial.does(
    "stop",
    Effect.callback<void>((resume) => acceptor.stop(() => resume(Exit.void)))
  )

const reasonOf = (exit: Exit.Exit<unknown, NetworkError>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const fail = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  return fail === undefined ? said(exit) : fail.error.reason._tag
}

const isRefused = Effect.fnUntraced(function* (trial: Trial, { address }: Acceptor) {
  const exit = yield* trial.exitOf(yield* started(trial.provider.connect(address, () => {})), "connect")
  const reason = reasonOf(exit)
  yield* trial.holds(reason === "Refused", "where nobody listens, connect fails as Refused", `it ended with ${reason}`)
})

const afterStop = Effect.fnUntraced(function* (trial: Trial) {
  const from = yield* listening(trial)
  const [dialled, accepted] = yield* pipeOf(trial, from)
  yield* stopped(trial, from.acceptor)
  yield* isRefused(trial, from.acceptor)
  yield* trial.awhile()
  yield* trial.holds(from.accepted.length === 1, "after stop nobody is accepted", "somebody was")
  // Who was accepted before is not concerned.
  dialled.attach().resume().send(1000).finish()
  accepted.attach().resume().send(1000).finish()
  yield* trial.until(() => dialled.ended && accepted.ended, "who was accepted before the stop is served on")
  yield* stopped(trial, from.acceptor)
  from.acceptor.abort()
})

const dials = 20

/** Connections are established by the system, not by who accepts: some wait in its backlog when the stop comes. */
const backlog = Effect.fnUntraced(function* (trial: Trial) {
  for (const stopsAfter of [1, dials]) {
    const from = yield* listening(trial)
    const dialled: Array<Observed> = []
    const connect = trial.provider.connect(from.acceptor.address, (pipe) => dialled.push(pipe as Observed))
    const dialling = yield* Effect.forEach(Array.from({ length: dials }), () => started(connect))
    yield* trial.until(() => dialled.length >= stopsAfter, "who dials is connected")
    yield* stopped(trial, from.acceptor)
    for (const fiber of dialling) {
      const reason = reasonOf(yield* trial.exitOf(fiber, "connect"))
      const isFine = reason === "success" || reason === "Refused"
      yield* trial.holds(isFine, "who dials while a listener stops is connected or Refused", `connect: ${reason}`)
    }
    const ends = dialled.map((pipe) => new End(pipe, trial, 1, 1).attach().resume())
    yield* trial.awhile(() => ends.some((end) => end.over))
    const turnedAway = ends.filter((end) => end.over).length
    yield* trial.holds(
      turnedAway === 0 && from.accepted.length === dialled.length,
      "who is connected when a listener stops is handed over",
      `of ${dialled.length}, ${from.accepted.length} were handed over and ${turnedAway} turned away`
    )
  }
})

const afterAbort = Effect.fnUntraced(function* (trial: Trial) {
  const acceptor = yield* trial.does("listen", trial.provider.listen(trial.ground.address, {}))
  const waiting: Array<End> = []
  for (let i = 0; i < dials; i++) {
    waiting.push(new End(yield* dialling(trial, { acceptor }), trial, 1, 1).attach().resume())
  }
  yield* trial.awhile()
  const early = waiting.filter((end) => end.over).length
  yield* trial.holds(early === 0, "who waits in the backlog waits", `${early} were turned away`)
  acceptor.abort()
  yield* trial.until(
    () => waiting.every((end) => end.over),
    "an abort turns away who waits",
    () => `${waiting.filter((end) => !end.over).length} of ${dials} wait for ever`
  )
  for (const { broken, pipe } of waiting) {
    yield* trial.holds(broken || !pipe.capabilities.reset, "an abort resets who waits", "one was told an end")
  }
  yield* isRefused(trial, acceptor)
})

const twice = Effect.fnUntraced(function* (trial: Trial) {
  const from = yield* listening(trial)
  const second = yield* trial.exitOf(yield* started(trial.provider.listen(from.acceptor.address, {})), "listen")
  const reason = reasonOf(second)
  yield* trial.holds(reason === "AddressInUse", "a second listener fails with AddressInUse", `it ended with ${reason}`)
  const before = from.accepted.length
  yield* dialling(trial, from)
  yield* trial.until(() => from.accepted.length > before, "the first listener listens on")
  // When it is gone, its place is free.
  yield* stopped(trial, from.acceptor)
  yield* trial.does("listen again", trial.provider.listen(from.acceptor.address, {}))
})

/** More turns than a connect takes on any transport of a machine with itself. */
const interruptedUpTo = 20

const whenInterrupted = Effect.fnUntraced(function* (trial: Trial) {
  const from = yield* listening(trial)
  for (let turns = 0; turns < interruptedUpTo; turns++) {
    const dialled: Array<Observed> = []
    const connecting = yield* started(
      trial.provider.connect(from.acceptor.address, (pipe) => dialled.push(pipe as Observed))
    )
    for (let turn = 0; turn < turns; turn++) yield* trial.ground.pass
    yield* trial.does("interruption", Fiber.interrupt(connecting))
    const exit = yield* trial.exitOf(connecting, "connect")
    yield* trial.holds(
      Exit.isFailure(exit) || dialled.length === 1,
      "a connect tells of the pipe that it has made",
      "it succeeded and told of none"
    )
    for (const pipe of dialled) pipe.reset()
  }
  yield* trial.awhile()
  for (const pipe of from.accepted) {
    const end = new End(pipe, trial, 1, 1).attach().resume()
    yield* trial.until(() => end.over, "who was accepted from a connect that was interrupted is told that it is over")
  }
})

/** `undefined` where an address says nothing: a Unix socket that dials has no name. */
const named = (address: Address.Address): string | undefined =>
  address._tag === "Unix" && address.path === "" ? undefined : Address.format(address)

const addresses = Effect.fnUntraced(function* (trial: Trial) {
  const from = yield* listening(trial)
  const seen: Array<string | undefined> = []
  for (let i = 0; i < 2; i++) {
    const [dialled, accepted] = yield* pipeOf(trial, from)
    for (const [one, other] of [
      [dialled, accepted],
      [accepted, dialled]
    ] as const) {
      const [remote, local] = [named(one.pipe.remoteAddress), named(other.pipe.localAddress)]
      yield* trial.holds(
        remote === local,
        `${one.pipe.name}: its remote address is the other's local one, ${local}`,
        `it is ${remote}`
      )
    }
    const remote = named(dialled.pipe.remoteAddress)
    const listens = named(from.acceptor.address)
    yield* trial.holds(remote === listens, `who dials ${listens} is connected to it`, `it is connected to ${remote}`)
    seen.push(named(accepted.pipe.remoteAddress))
  }
  const alike = seen[0] !== undefined && seen[0] === seen[1]
  yield* trial.holds(!alike, "two who dial have two addresses", `both have ${seen[0]}`)
})

export const laws: ReadonlyArray<LawOf> = [
  { name: "after stop connections are refused, and those that are open stay", law: afterStop },
  { name: "a stop hands over who is connected", law: backlog },
  { name: "an abort of a listener resets who waits", law: afterAbort },
  { name: "listening twice on one address is AddressInUse", law: twice },
  { name: "a connect that is interrupted leaves nothing open", law: whenInterrupted },
  { name: "each end's remote address is the other's local one", law: addresses }
]
