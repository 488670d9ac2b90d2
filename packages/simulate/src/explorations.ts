/**
 * Moments at which two things happen to one connection, in every order. More of them are in the core's own tests; these
 * few travel with the campaign, to hunt for mistakes that only an order brings to light.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as ClosePolicy from "finwait/ClosePolicy"
import * as Connection from "finwait/Connection"
import * as CloseModel from "finwait/testing/CloseModel"
import * as Explore from "finwait/testing/Explore"
import * as SimNetwork from "finwait/testing/SimNetwork"

const address = "tcp://127.0.0.1:7000"

/** Two ends of a connection, whose next steps are taken in every order. */
const ends = Effect.fnUntraced(function* (close: ClosePolicy.Options, options?: SimNetwork.Options) {
  const sim = yield* SimNetwork.make(options)
  const accepted = Deferred.makeUnsafe<Connection.Connection>()
  const listener = yield* sim.network.listen(address)
  listener.attach({
    onConnection: (connection) => Deferred.doneUnsafe(accepted, Exit.succeed(connection)),
    onRefused: () => {},
    onError: () => {}
  })
  const here = yield* sim.network.connect(address, { close })
  const peer = yield* Deferred.await(accepted)
  Explore.shared([here, peer])
  yield* Explore.fromHere
  return { sim, here, peer }
})

const politely = (connection: Connection.Connection) =>
  Effect.andThen(Effect.exit(Connection.readText(connection)), connection.close)

/** Some bytes more than two small buffers hold. */
const small = { sendBufferBytes: 100, receiveBufferBytes: 100 }
const much = new Uint8Array(1000)

/** In each of them the close is one of the model's, ends at once, and leaves nothing. */
const meetings = {
  "two closes": Effect.gen(function* () {
    const { here, peer, sim } = yield* ends({})
    const [one, other] = yield* Effect.all([here.close, here.close, politely(peer)], { concurrency: "unbounded" })
    return { sim, good: one === other }
  }),
  "a close and a write that waits": Effect.gen(function* () {
    const { here, peer, sim } = yield* ends({}, small)
    const [written] = yield* Effect.all([Effect.exit(here.write(much)), here.close, politely(peer)], {
      concurrency: "unbounded"
    })
    return { sim, good: written._tag === "Success" || written._tag === "Failure" }
  }),
  "three writes, one behind the other": Effect.gen(function* () {
    const { here, peer, sim } = yield* ends({}, small)
    const writing = Effect.forEach(["a", "b", "c"], (letter) =>
      Effect.forkChild(here.write(letter.repeat(300)), { startImmediately: true })
    )
    const reading = Effect.tap(Connection.readText(peer), () => peer.close)
    const [, text] = yield* Effect.all([Effect.andThen(writing, here.close), reading], { concurrency: "unbounded" })
    return { sim, good: /^a*b*c*$/.test(text) }
  }),
  "a close and a peer that writes before it reads": Effect.gen(function* () {
    const { here, peer, sim } = yield* ends({}, small)
    const [outcome] = yield* Effect.all(
      [
        Effect.andThen(Effect.forkChild(here.write(much), { startImmediately: true }), here.close),
        Effect.andThen(Effect.exit(peer.write(much)), politely(peer))
      ],
      { concurrency: "unbounded" }
    )
    return { sim, good: outcome._tag === "Graceful" && outcome.bytesWritten === much.length }
  }),
  "a close and an abort": Effect.gen(function* () {
    const { here, peer, sim } = yield* ends({ farewell: Connection.sendLine("BYE") })
    const [one, other] = yield* Effect.all([here.close, here.abort, politely(peer)], { concurrency: "unbounded" })
    return { sim, good: one === other }
  })
}

/** What the explorations found, in words. */
export const explore = (): ReadonlyArray<string> =>
  Object.entries(meetings).flatMap(([name, program]) => {
    const { found } = Explore.search({
      program,
      deviationsMax: 1,
      runsMax: 500,
      check: ({ good, sim }, left) =>
        Effect.gen(function* () {
          const violations = CloseModel.violations(yield* sim.history)
          const open = yield* sim.socketsOpen
          const { elapsedMillis, fibersLeft, timersLeft } = left
          if (good && violations.length === 0 && open + fibersLeft + timersLeft + elapsedMillis === 0) return
          return yield* Effect.die(new Error(violations[0] ?? JSON.stringify({ good, open, ...left })))
        })
    })
    return found === undefined ? [] : [`${name}: ${found.why}`]
  })
