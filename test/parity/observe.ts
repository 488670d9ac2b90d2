/**
 * What scenarios are made of: two ends of a connection, servers, and observations that can be compared.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import type * as ClosePolicy from "finwait/ClosePolicy"
import type { CloseOutcome } from "finwait/CloseOutcome"
import type * as Connection from "finwait/Connection"
import type * as Drain from "finwait/Drain"
import type * as Listener from "finwait/Listener"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import type { World } from "./world.ts"

export type Observing = Effect.Effect<unknown, unknown, Scope.Scope>

export interface Scenario {
  readonly name: string
  /** Which transports it is about. Default: both. */
  readonly kinds?: ReadonlyArray<World["kind"]>
  readonly run: (world: World) => Observing
}

// Texts ---------------------------------------------------------------------------------------------------------------

/** Ports are the system's choice, and folders have names of their own. */
export const masked = (message: string): string =>
  message.replaceAll(/(127\.0\.0\.1):\d+/g, "$1:PORT").replaceAll(/\/\S*\/(\d+\.sock)/g, "FOLDER/$1")

/** How something ended: `done` for the end of an input, else the value or the error's message. */
export const ending = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return exit.value === undefined ? "success" : `success ${JSON.stringify(exit.value)}`
  if (exit.cause.reasons.some((reason) => reason._tag === "Fail" && Cause.isDone(reason.error))) return "done"
  if (Cause.hasInterruptsOnly(exit.cause)) return "interrupted"
  return masked(Cause.prettyErrors(exit.cause)[0]!.message)
}

/** The same for an effect. */
export const endingOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<string, never, R> =>
  Effect.map(Effect.exit(effect), ending)

// Bytes ---------------------------------------------------------------------------------------------------------------

/** Bytes that tell where they are: a lost, a doubled and a swapped one all show. */
export const pattern = (length: number, from = 0): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index++) bytes[index] = ((from + index) * 31 + ((from + index) >> 8)) & 0xff
  return bytes
}

export interface Reading {
  readonly bytes: Uint8Array
  /** `done`, or the error. */
  readonly end: string
}

/** Reads to the end, whatever that is. */
export const reading = Effect.fnUntraced(function* (connection: Connection.Connection): Effect.fn.Return<Reading> {
  const chunks: Array<Uint8Array> = []
  while (true) {
    const exit = yield* Effect.exit(connection.pull)
    if (Exit.isFailure(exit)) return { bytes: Buffer.concat(chunks), end: ending(exit) }
    chunks.push(exit.value)
  }
})

/** What was read, as text, and how it ended. */
export const text = (connection: Connection.Connection): Effect.Effect<readonly [text: string, end: string]> =>
  Effect.map(reading(connection), ({ bytes, end }) => [new TextDecoder().decode(bytes), end] as const)

/** How many bytes were read, whether they are those of the pattern, and how it ended. */
export const patterned = (connection: Connection.Connection) =>
  Effect.map(reading(connection), ({ bytes, end }) => ({
    length: bytes.length,
    intact: Buffer.compare(bytes, pattern(bytes.length)) === 0,
    end
  }))

/** Reads until so many bytes are there: the event that says that the other side has come so far. */
export const readSome = Effect.fnUntraced(function* (connection: Connection.Connection, length: number) {
  let read = ""
  while (read.length < length) read += new TextDecoder().decode(yield* connection.pull)
  return read
})

/** What a peer with manners does: reads to the end, then closes. */
export const politely = Effect.fnUntraced(function* (connection: Connection.Connection) {
  const read = yield* text(connection)
  return { read, outcome: account(yield* connection.close) }
})

// Outcomes ------------------------------------------------------------------------------------------------------------

/** An observation without what is not to be compared. */
export const without = <A extends object, K extends keyof A>(value: A, ...names: ReadonlyArray<K>): Omit<A, K> =>
  Object.fromEntries(
    Object.entries(value).filter(([name]) => !(names as ReadonlyArray<string>).includes(name))
  ) as never

/** An outcome without its time: a real clock has gone on. */
export const account = (outcome: CloseOutcome) => without(outcome, "closeMillis")

/** A report without its times, and without the slowest, who are told apart by times only. */
export const reported = (report: Drain.Report) => {
  const slowest = report.slowest.map(({ outcome }) => outcome).toSorted()
  return { ...without(report, "durationMillis"), address: masked(report.address), slowest }
}

// Who talks to whom ---------------------------------------------------------------------------------------------------

export interface Pair {
  readonly client: Connection.Connection
  readonly server: Connection.Connection
  readonly listener: Listener.Listener
}

/** Two ends of a connection. Whatever a scenario leaves open is aborted at its end. */
export const pair = Effect.fnUntraced(function* (
  { address, network }: World,
  close: { readonly client?: ClosePolicy.Options; readonly server?: ClosePolicy.Options } = {}
) {
  const listener = yield* network.listen(address(), { close: close.server })
  const accepted = yield* Deferred.make<Connection.Connection>()
  listener.attach({
    onConnection: (connection) => Deferred.doneUnsafe(accepted, Effect.succeed(connection)),
    onRefused: () => {},
    onError: () => {}
  })
  const client = yield* network.connect(listener.address, { close: close.client })
  yield* Effect.addFinalizer(() => client.abort)
  const server = yield* Deferred.await(accepted)
  yield* Effect.addFinalizer(() => server.abort)
  return { client, server, listener } satisfies Pair
})

/**
 * Dials where it will be turned away. A reset that comes at once is met by who dials or by who reads then: both say that
 * somebody was there and did not want to talk.
 */
export const turnedAway = Effect.fnUntraced(function* (
  { network }: World,
  address: Listener.Listener["address"]
): Effect.fn.Return<string, never, Scope.Scope> {
  const exit = yield* Effect.exit(network.connect(address))
  const how = Exit.isSuccess(exit) ? (yield* text(exit.value)).join("") : ending(exit)
  return how.includes("reset by the peer") || how.includes("ECONNRESET") ? "reset" : how
})

/** A server in the scope of the scenario; its handlers' ends are not logged. */
export const serve = <E>(world: World, options: Omit<Server.Options<E, never, never, never>, "listen">) =>
  Server.make<E, never>({ ...options, listen: world.address() }).pipe(
    Effect.provideService(Network.Network, world.network),
    Effect.provideService(Logger.CurrentLoggers, new Set())
  )

/** Dials the server; aborted at the end of the scenario unless it has closed. */
export const dial = ({ network }: World, { address }: Pick<Server.Server["Service"], "address">) =>
  Effect.acquireRelease(network.connect(address, { close: patient }), (connection) => connection.abort)

/** Nothing in a scenario takes as long as this. */
export const patient: ClosePolicy.Options = { lingerTimeout: "1 minute", lingerIdleTimeout: "1 minute" }

/** A budget that no scenario uses up, unless it wants to. */
export const budget = { grace: "30 seconds", lameDuck: 0, deadline: 15_000, close: 5000, margin: 2000 } as const

/** Both at once. */
export const both = <A, EA, RA, B, EB, RB>(one: Effect.Effect<A, EA, RA>, other: Effect.Effect<B, EB, RB>) =>
  Effect.all([one, other], { concurrency: 2 })

/** Begins something, and goes on when it has begun. */
export const beginning = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Fiber.Fiber<A, E>, never, R> =>
  Effect.forkChild(effect, { startImmediately: true })

/** Lets turns pass until a condition holds, for what no event tells. */
export const until = (condition: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (!condition()) yield* Effect.yieldNow
  })
