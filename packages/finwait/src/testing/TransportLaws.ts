/**
 * What every transport must obey, as tests that a provider runs on its own.
 *
 * A transport that passes carries the whole library: connections, their close and the drain of servers ask nothing of it
 * that is not tried here. The same laws hold for TCP, for Unix sockets and for the simulated network, which is why a
 * program may be tested on the one and run on the other.
 *
 * The laws know no test framework. Each is an effect that succeeds, or fails with {@link LawBroken}, which says what was
 * expected, what happened instead, and what both ends did and heard before.
 *
 * **Example** (In a test file)
 *
 * ```ts test
 * import { describe, it } from "@effect/vitest"
 * import * as NodeNetwork from "@finwait/node/NodeNetwork"
 * import * as Effect from "effect/Effect"
 * import * as TransportLaws from "finwait/testing/TransportLaws"
 *
 * describe("TCP", () => {
 *   const subject: TransportLaws.Subject = {
 *     name: "TCP",
 *     ground: Effect.sync(() => ({ provider: NodeNetwork.provider(), address: "tcp://127.0.0.1:0" }))
 *   }
 *   for (const law of TransportLaws.laws(subject)) it.live(law.name, () => law.check)
 * })
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Address from "../Address.ts"
import { laws as aborting } from "./internal/laws/aborting.ts"
import { laws as accepting } from "./internal/laws/accepting.ts"
import { attempt } from "./internal/laws/attempt.ts"
import { laws as bytes } from "./internal/laws/bytes.ts"
import { laws as closing } from "./internal/laws/closing.ts"
import { laws as ends } from "./internal/laws/ends.ts"
import { laws as flushing } from "./internal/laws/flushing.ts"
import { laws as messages } from "./internal/laws/messages.ts"
import { laws as pressure } from "./internal/laws/pressure.ts"
import { laws as releasing } from "./internal/laws/releasing.ts"
import { laws as sharing } from "./internal/laws/sharing.ts"
import type * as Transport from "../Transport.ts"

/**
 * Where one law is tried.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ground {
  readonly provider: Transport.Provider
  /** Where to listen: a free address, or one that asks for any, such as `tcp://127.0.0.1:0`. */
  readonly address: Address.Input
  /**
   * How many sockets are open. When it is given, every law has to leave as many behind as it found. Default: not
   * counted.
   */
  readonly socketsOpen?: Effect.Effect<number> | undefined
}

/**
 * The transport under test.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject {
  /** As errors name it. */
  readonly name: string
  /** A ground of its own for each law. */
  readonly ground: Effect.Effect<Ground, never, Scope.Scope>
  /**
   * Lets the world go on for a moment, so that what was sent may arrive. Default `Effect.yieldNow`, a turn of the event
   * loop. On a network with latency in virtual time: `TestClock.adjust(1)`.
   */
  readonly pass?: Effect.Effect<void> | undefined
  /**
   * How many turns to wait for what should happen, before it is said never to. Default 1,000,000: it only tells an end
   * from a hang, and a stalled TCP connection may need some hundred milliseconds to go on.
   */
  readonly turnsMax?: number | undefined
  /**
   * More bytes than all buffers between two ends hold together, so that a writer can be held back. Default 16 MiB: the
   * kernels of Linux, macOS and Windows hold less for one connection, unless somebody told them otherwise. At least
   * 1 MiB.
   */
  readonly muchBytes?: number | undefined
}

/**
 * One law: the sentence that it is, and the effect that tries it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Law {
  readonly name: string
  /** Needs nothing, and gives back all that it has opened. */
  readonly check: Effect.Effect<void, LawBroken>
}

/**
 * The transport does not obey.
 *
 * @category errors
 * @since 0.1.0
 */
export class LawBroken extends Schema.TaggedError<LawBroken>()("LawBroken", {
  /** The {@link Subject}'s name. */
  subject: Schema.String,
  /** The {@link Law}'s name. */
  law: Schema.String,
  expected: Schema.String,
  happened: Schema.String,
  /** What both ends did and heard, in order; a long one without its middle. */
  transcript: Schema.Array(Schema.String)
}) {
  override get message() {
    return [
      `${this.subject} breaks the law: ${this.law}`,
      `  expected: ${this.expected}`,
      `  happened: ${this.happened}`,
      ...this.transcript.map((line) => `    ${line}`)
    ].join("\n")
  }
}

const all = [
  ...bytes,
  ...messages,
  ...pressure,
  ...ends,
  ...flushing,
  ...releasing,
  ...sharing,
  ...closing,
  ...aborting,
  ...accepting
]

/**
 * The laws, for one transport. They are independent of each other and may be tried in any order; each tries the dialled
 * and the accepted end alike.
 *
 * What a transport says that it cannot do (`capabilities`) is not asked of it: without `halfClose` nobody reads on after
 * FIN, without `reset` the peer of an abort may see an end. What only some can do is asked of those: pipes of `messages`
 * keep them apart, know text, and say goodbye in words.
 *
 * **Details**
 *
 * Connections are made with patient limits, so no law depends on how long something takes. Nothing sleeps: a law waits
 * by `pass`, turn after turn, until what it waits for has happened.
 *
 * **Example**
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as SimNetwork from "finwait/testing/SimNetwork"
 * import * as TransportLaws from "finwait/testing/TransportLaws"
 *
 * const laws = TransportLaws.laws({
 *   name: "the simulated network",
 *   ground: Effect.map(SimNetwork.make(), ({ provider, socketsOpen }) => ({
 *     provider,
 *     address: "tcp://127.0.0.1:7000",
 *     socketsOpen
 *   }))
 * })
 * const law = laws.find(({ name }) => name === "no end comes by itself")
 * await Effect.runPromise(law!.check)
 * ```
 *
 * @category laws
 * @since 0.1.0
 */
export const laws = (subject: Subject): ReadonlyArray<Law> => {
  const ground = Effect.gen(function* () {
    const { address, provider, socketsOpen } = yield* subject.ground
    return {
      provider,
      address: yield* Effect.orDie(Address.parse(address)),
      socketsOpen,
      pass: subject.pass ?? Effect.yieldNow,
      turnsMax: subject.turnsMax ?? turnsMax,
      muchBytes: subject.muchBytes ?? muchBytes
    }
  })
  return all.map(({ law, name }) => ({
    name,
    check: Effect.mapError(
      attempt(ground, law),
      (broken) => new LawBroken({ subject: subject.name, law: name, ...broken })
    )
  }))
}

const turnsMax = 1_000_000

const muchBytes = 16 * 1024 * 1024
