/**
 * The moments at which two things happen to one connection or one server, in every order in which they can happen.
 */
import { assert, describe, it, vi } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type * as ClosePolicy from "finwait/ClosePolicy"
import type { CloseOutcome } from "finwait/CloseOutcome"
import * as Connection from "finwait/Connection"
import * as Framing from "finwait/Framing"
import * as Network from "finwait/Network"
import type * as NetworkError from "finwait/NetworkError"
import * as Server from "finwait/Server"
import * as Shutdown from "finwait/Shutdown"
import * as Explore from "finwait/testing/Explore"
import * as SimNetwork from "finwait/testing/SimNetwork"
import { address, text } from "./support/network.ts"
import { adding } from "./support/server.ts"

// Thousands of runs each: seconds where nothing else runs. It only tells an end from a hang.
vi.setConfig({ testTimeout: 120_000 })

interface Ends {
  readonly sim: SimNetwork.Sim
  readonly here: Connection.Connection
  readonly peer: Connection.Connection
}

/** Two ends of a connection; what happens from here on happens in every order. */
const ends = Effect.fnUntraced(function* (
  options: {
    readonly sim?: SimNetwork.Options
    readonly close?: ClosePolicy.Options
    readonly shutdown?: Shutdown.Shutdown
    readonly before?: (ends: Ends) => Effect.Effect<unknown, never, Scope.Scope>
  } = {}
): Effect.fn.Return<Ends, NetworkError.NetworkError, Scope.Scope> {
  const sim = yield* SimNetwork.make({ historyMax: 0, ...options.sim })
  const accepted = Deferred.makeUnsafe<Connection.Connection>()
  const listener = yield* sim.network.listen(address)
  listener.attach({
    onConnection: (connection) => Deferred.doneUnsafe(accepted, Exit.succeed(connection)),
    onRefused: () => {},
    onError: () => {}
  })
  const here = yield* sim.network
    .connect(address, { close: options.close })
    .pipe(Effect.provideService(Shutdown.CurrentShutdown, options.shutdown ?? Shutdown.make()))
  const peer = yield* Deferred.await(accepted)
  const both = { sim, here, peer }
  if (options.before !== undefined) yield* options.before(both)
  Explore.shared([here, peer])
  yield* Explore.fromHere
  return both
})

/** What happens at the same time, each on a fiber of its name. */
const together = <A extends Record<string, Effect.Effect<unknown, unknown>>>(
  effects: A
): Effect.Effect<{ [K in keyof A]: Effect.Success<A[K]> }, Effect.Error<A[keyof A]>> =>
  Effect.all(Object.fromEntries(Object.entries(effects).map(([name, effect]) => [name, Explore.named(name)(effect)])), {
    concurrency: "unbounded"
  }) as never

interface Ended {
  readonly sim: SimNetwork.Sim
}

/** In every order: nothing is left, and it has ended in its time. Gives what the runs came to. */
const everyOrder = <A extends Ended, E>(
  options: Explore.Options<A, E> & { readonly millisMax?: number; readonly verify: (value: A) => void }
): Explore.Report => {
  const report = Explore.run({
    ...options,
    check: (value, left) =>
      Effect.gen(function* () {
        assert.isAtMost(left.elapsedMillis, options.millisMax ?? 0, "it ends in time")
        assert.strictEqual(left.timersLeft, 0, "no timer is left")
        assert.strictEqual(left.fibersLeft, 0, "no fiber is left")
        assert.strictEqual(yield* value.sim.socketsOpen, 0, "no socket is left")
        options.verify(value)
      })
  })
  if (process.env["EXPLORE"]) console.log(report)
  return report
}

const outcomesOf = (report: Explore.Report): ReadonlyArray<string> => [...report.outcomes.keys()].toSorted()

const nameOf = (outcome: CloseOutcome): string =>
  outcome._tag === "Aborted" ? `Aborted by ${outcome.cause} at ${outcome.stage}` : outcome._tag

/** Reads to the end, which may be a reset, then closes. */
const politely = (connection: Connection.Connection) =>
  Effect.flatMap(Effect.exit(Connection.readText(connection)), (read) =>
    Effect.map(connection.close, (outcome) => ({ text: Exit.isSuccess(read) ? read.value : undefined, outcome }))
  )

describe("one connection", () => {
  it("closed by two fibers: one close, one outcome", () => {
    const report = everyOrder({
      program: Effect.gen(function* () {
        const { sim, here, peer } = yield* ends()
        return { sim, ...(yield* together({ one: here.close, other: here.close, peer: politely(peer) })) }
      }),
      outcome: ({ one, peer }) => `${nameOf(one)}, ${nameOf(peer.outcome)}`,
      verify: ({ one, other }) => assert.strictEqual(one, other)
    })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), ["Graceful, Graceful"])
  })

  it("closed while somebody writes: what was taken arrives, what was not is refused", () => {
    const report = everyOrder({
      program: Effect.gen(function* () {
        const { sim, here, peer } = yield* ends()
        const done = yield* together({
          writer: Effect.exit(here.write("last words")),
          closer: here.close,
          peer: politely(peer)
        })
        return { sim, ...done }
      }),
      outcome: ({ closer, peer, writer }) => `${writer._tag}, ${nameOf(closer)}, ${nameOf(peer.outcome)}`,
      verify: ({ peer, writer }) => assert.strictEqual(peer.text, Exit.isSuccess(writer) ? "last words" : "")
    })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), ["Failure, Graceful, Graceful", "Success, Graceful, Graceful"])
  })

  it("closed from both ends: both are graceful, and both were first", () => {
    const report = everyOrder({
      program: Effect.gen(function* () {
        const { sim, here, peer } = yield* ends()
        return { sim, ...(yield* together({ here: here.close, peer: peer.close })) }
      }),
      outcome: ({ here, peer }) => [here._tag, here.closedFirst, peer._tag, peer.closedFirst].join(" "),
      verify: () => {}
    })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), ["Graceful local Graceful local"])
  })

  it("closed while the peer says FIN: both are graceful", () => {
    const report = everyOrder({
      program: Effect.gen(function* () {
        const { sim, here, peer } = yield* ends()
        const fin = Effect.andThen(peer.closeWrite, politely(peer))
        return { sim, ...(yield* together({ reader: Effect.exit(here.pull), here: here.close, peer: fin })) }
      }),
      outcome: ({ here, peer }) => [nameOf(here), here.closedFirst, nameOf(peer.outcome)].join(" "),
      verify: ({ reader }) => assert.isTrue(Exit.isFailure(reader))
    })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), ["Graceful local Graceful", "Graceful peer Graceful"])
  })

  it("closed while the peer resets: it was reset, whenever it comes", () => {
    const report = everyOrder({
      program: Effect.gen(function* () {
        const { sim, here, peer } = yield* ends()
        return { sim, ...(yield* together({ here: here.close, peer: peer.abort })) }
      }),
      outcome: ({ here, peer }) => `${nameOf(here)}, ${nameOf(peer)}`,
      verify: () => {}
    })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), ["ResetByPeer, Aborted by abort at Open"])
  })

  it("closed while somebody aborts it: one outcome, and a graceful one only for a peer that is as well", () => {
    const report = everyOrder({
      program: Effect.gen(function* () {
        const { sim, here, peer } = yield* ends()
        return { sim, ...(yield* together({ closer: here.close, aborter: here.abort, peer: politely(peer) })) }
      }),
      outcome: ({ aborter, peer }) => `${nameOf(aborter)}, ${nameOf(peer.outcome)}`,
      verify: ({ aborter, closer }) => assert.strictEqual(aborter, closer)
    })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), [
      "Aborted by abort at Flushing, Graceful",
      "Aborted by abort at Flushing, ResetByPeer",
      "Aborted by abort at Lingering, Graceful",
      "Aborted by abort at Lingering, ResetByPeer",
      "Aborted by abort at Open, ResetByPeer",
      "Graceful, Graceful"
    ])
  })

  it("the deadline is due at the instant at which the peer's FIN arrives: either, and then", () => {
    const report = everyOrder({
      millisMax: 100,
      settle: 10,
      program: Effect.gen(function* () {
        const { sim, here, peer } = yield* ends({ sim: { latency: 10 }, close: { deadline: 100 } })
        const done = yield* together({ here: here.close, peer: Effect.andThen(Effect.sleep(90), peer.close) })
        return { sim, ...done }
      }),
      outcome: ({ here, peer }) => `${nameOf(here)}, ${nameOf(peer)}`,
      verify: ({ here }) => assert.strictEqual(here.closeMillis, 100)
    })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), ["Aborted by deadline at Lingering, Graceful", "Graceful, Graceful"])
  })

  it("a write waits for room while the peer begins to read: it is told of it", () => {
    const report = everyOrder({
      program: Effect.gen(function* () {
        const { sim, here, peer } = yield* ends({ sim: { sendBufferBytes: 4, receiveBufferBytes: 4 } })
        const writing = Effect.andThen(here.write("0123456789"), here.close)
        return { sim, ...(yield* together({ here: writing, peer: politely(peer) })) }
      }),
      outcome: ({ here, peer }) => `${peer.text} ${nameOf(here)}`,
      verify: () => {}
    })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), ["0123456789 Graceful"])
  })

  it("a reader is interrupted while bytes arrive: the next one has them", () => {
    const report = everyOrder({
      // A fiber that is preempted right behind its pull has the bytes in hand, and an interruption takes them with it, as
      // with whatever one takes in Effect. What is promised is that no byte is lost to one that still waits.
      preemptionsMax: 0,
      deviationsMax: Infinity,
      program: Effect.gen(function* () {
        const { sim, here, peer } = yield* ends()
        const reading = yield* Effect.forkChild(Explore.named("reader")(here.pull))
        const done = yield* together({
          peer: Effect.andThen(peer.write("bytes"), peer.closeWrite),
          // `Effect.all` begins its members at once, one after the other: who only interrupts would always come first.
          interrupter: Effect.yieldNow.pipe(
            Effect.andThen(Fiber.interrupt(reading)),
            Effect.andThen(Fiber.await(reading))
          )
        })
        const first = Exit.isSuccess(done.interrupter) ? text(done.interrupter.value) : ""
        return { sim, first, ...(yield* together({ rest: politely(here), peer: peer.close })) }
      }),
      outcome: ({ first, rest }) => `"${first}" then "${rest.text}"`,
      verify: ({ first, rest }) => assert.strictEqual(first + rest.text!, "bytes")
    })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), [`"" then "bytes"`, `"bytes" then ""`])
  })

  it("two fibers read while bytes arrive: one has them, the other is told", () => {
    const report = everyOrder({
      program: Effect.gen(function* () {
        const { sim, here, peer } = yield* ends()
        const pull = Effect.match(here.pull, {
          onSuccess: text,
          onFailure: (error) => (error._tag === "ConnectionError" ? error.reason._tag : "end")
        })
        const writing = Effect.andThen(peer.write("bytes"), peer.closeWrite)
        const done = yield* together({ one: pull, other: pull, peer: writing })
        yield* together({ here: here.close, peer: peer.close })
        return { sim, ...done }
      }),
      outcome: ({ one, other }) => [one, other].toSorted().join(" "),
      verify: () => {}
    })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), ["Busy bytes", "bytes end"])
  })
})

describe("the second signal, while one connection closes", () => {
  const stages = {
    Farewell: { words: "", holds: true },
    Flushing: { words: "w".repeat(200_000), holds: false },
    Lingering: { words: "last words", holds: false }
  } as const

  for (const [stage, { holds, words }] of Object.entries(stages)) {
    const isCut = ["Farewell", "Flushing", "Lingering"]
      .slice(["Farewell", "Flushing", "Lingering"].indexOf(stage))
      .map((later) => `Aborted by shutdown at ${later}`)
    it(`at ${stage}: what ends it and what cuts it, in every order`, () => {
      const report = everyOrder({
        // The switch of a shutdown is a closure: nothing can be named.
        reduce: false,
        program: Effect.gen(function* () {
          const shutdown = Shutdown.make()
          const said = Deferred.makeUnsafe<void>()
          const { sim, here, peer } = yield* ends({
            shutdown,
            close: { farewell: (connection) => (holds ? Deferred.await(said) : connection.write(words)) },
            before: ({ here }) => Effect.forkScoped(here.close)
          })
          assert.strictEqual(here.stage, stage)
          const done = yield* together({
            signal: Effect.sync(() => shutdown.cut()),
            speaker: Deferred.succeed(said, undefined),
            peer: politely(peer),
            here: here.outcome
          })
          return { sim, shutdown, ...done }
        }),
        outcome: ({ here }) => nameOf(here),
        verify: ({ here, peer, shutdown }) => {
          assert.strictEqual(shutdown.forced, here._tag === "Aborted" ? 1 : 0)
          if (here._tag === "Graceful") assert.strictEqual(peer.text, words)
        }
      })
      assert.deepStrictEqual(outcomesOf(report), [...isCut, "Graceful"])
    })
  }
})

const shout = (connection: Connection.Connection) =>
  Framing.lines(connection).pipe(Framing.respond((line) => Effect.succeed(line.toUpperCase())))

interface Serving {
  readonly sim: SimNetwork.Sim
  readonly server: Server.Server["Service"]
}

/** A server that shouts; what happens from here on happens in every order. */
const served = Effect.fnUntraced(function* <A>(
  options: Partial<Server.Options<unknown>> & { readonly shutdown?: Shutdown.Shutdown },
  before: (serving: Serving) => Effect.Effect<A, unknown, Scope.Scope>
) {
  const sim = yield* SimNetwork.make({ historyMax: 0 })
  const { shutdown = Shutdown.make(), ...others } = options
  const server = yield* Server.make({ handler: shout, drain: budget, ...others, listen: address }).pipe(
    Effect.provideService(Network.Network, sim.network),
    Effect.provideService(Shutdown.CurrentShutdown, shutdown)
  )
  const ready = yield* before({ sim, server })
  Explore.shared([server, ready])
  yield* Explore.fromHere
  return { sim, server, ready }
})

const budget = { grace: 10_000, lameDuck: 0, deadline: 5000, close: 2000, margin: 1000 } as const

describe("one server", () => {
  it("drains while somebody dials: refused, or served and told goodbye", () => {
    const report = everyOrder({
      program: Effect.gen(function* () {
        const { sim, server } = yield* served({}, () => Effect.void)
        const dialling = Effect.gen(function* () {
          const connection = yield* sim.network.connect(address)
          yield* connection.write("hello\n")
          return (yield* politely(connection)).text
        })
        const client = Effect.catchReason(dialling, "NetworkError", "Refused", () => Effect.succeed("refused"))
        return { sim, ...(yield* together({ drain: server.drain.begin, client: Effect.scoped(client) })) }
      }),
      outcome: ({ client, drain }) => `${client}, ${drain.connections}, ${drain.outcomes.Graceful} graceful`,
      verify: ({ drain }) => adding(drain)
    })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), [", 1, 1 graceful", "HELLO\n, 1, 1 graceful", "refused, 0, 0 graceful"])
  })

  it("is told to drain while the second half of a request arrives: it is answered", () => {
    const report = everyOrder({
      preemptionsMax: 1,
      program: Effect.gen(function* () {
        const {
          sim,
          server,
          ready: client
        } = yield* served({}, ({ sim }) =>
          Effect.tap(sim.network.connect(address), (connection) => connection.write("hel"))
        )
        const asking = Effect.andThen(client.write("lo\n"), politely(client))
        return { sim, ...(yield* together({ drain: server.drain.begin, client: asking })) }
      }),
      outcome: ({ client, drain }) => `${client.text} ${client.outcome._tag} ${drain.clean}`,
      verify: ({ drain }) => adding(drain)
    })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), ["HELLO\n Graceful true"])
  })

  it("is told to drain while a request arrives: it is answered or not read, never half", () => {
    const report = everyOrder({
      preemptionsMax: 1,
      program: Effect.gen(function* () {
        const { sim, server, ready: client } = yield* served({}, ({ sim }) => sim.network.connect(address))
        const asking = Effect.andThen(client.write("hello\n"), politely(client))
        return { sim, ...(yield* together({ drain: server.drain.begin, client: asking })) }
      }),
      outcome: ({ client, drain }) => `${client.text} ${client.outcome._tag} ${drain.clean}`,
      verify: ({ drain }) => adding(drain)
    })
    assert.isTrue(report.exhausted)
    assert.deepStrictEqual(outcomesOf(report), [" Graceful true", "HELLO\n Graceful true"])
  })
})

describe("the second signal, while one server drains", () => {
  const phases = {
    LameDuck: {
      lameDuckMillis: 1000,
      waitMillis: 1,
      ignores: false,
      // Before the drain comes to resetting, the cut itself may have ended the connection.
      isLeft: [
        "answer, Resetting, 0 graceful",
        "answer, clean, 1 graceful",
        "reset, Backlog, 0 graceful",
        "reset, LameDuck, 0 graceful",
        "reset, Resetting, 0 graceful",
        "reset, Waiting, 0 graceful"
      ]
    },
    Waiting: {
      lameDuckMillis: 0,
      waitMillis: 1,
      ignores: false,
      isLeft: [
        "answer, Resetting, 0 graceful",
        "answer, clean, 1 graceful",
        "reset, Resetting, 0 graceful",
        "reset, Waiting, 0 graceful"
      ]
    },
    Interrupting: {
      lameDuckMillis: 0,
      waitMillis: 5000,
      ignores: true,
      isLeft: [
        "answer, Interrupting, 0 graceful",
        "answer, Interrupting, 1 graceful",
        "reset, Interrupting, 0 graceful"
      ]
    }
  } as const

  for (const [phase, { ignores, isLeft, lameDuckMillis, waitMillis }] of Object.entries(phases)) {
    it(`at ${phase}: the handler ends, and everything is cut`, () => {
      const report = everyOrder({
        // The switch of a shutdown is a closure: nothing can be named.
        reduce: false,
        preemptionsMax: 1,
        program: Effect.gen(function* () {
          const shutdown = Shutdown.make()
          const work = Deferred.makeUnsafe<void>()
          const handler = (connection: Connection.Connection) => {
            const answer = Effect.andThen(Deferred.await(work), connection.write("answer"))
            return ignores ? Effect.uninterruptible(answer) : answer
          }
          const drain = { ...budget, lameDuck: lameDuckMillis }
          const {
            sim,
            server,
            ready: client
          } = yield* served({ drain, handler, shutdown }, ({ server, sim }) =>
            Effect.gen(function* () {
              const connection = yield* sim.network.connect(address)
              yield* Effect.sleep(1)
              yield* Effect.forkScoped(server.drain.begin)
              yield* Effect.sleep(waitMillis)
              return connection
            })
          )
          assert.strictEqual(yield* server.drain.phase, phase)
          const done = yield* together({
            signal: Effect.sync(() => shutdown.cut()),
            worker: Deferred.succeed(work, undefined),
            client: politely(client),
            drain: server.drain.report
          })
          return { sim, shutdown, ...done }
        }),
        outcome: ({ client, drain }) =>
          `${client.text ?? "reset"}, ${drain.forcedAt ?? "clean"}, ${drain.outcomes.Graceful} graceful`,
        verify: ({ client, drain, shutdown }) => {
          adding(drain)
          assert.strictEqual(drain.connections, 1)
          assert.deepStrictEqual(shutdown.reports, [drain])
          if (drain.outcomes.Graceful === 1) assert.strictEqual(client.text, "answer")
        }
      })
      assert.deepStrictEqual(outcomesOf(report), isLeft)
    })
  }
})
