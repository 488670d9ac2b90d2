/**
 * One law, tried once, on pipes of its own: how it waits, how it fails, and how everything is given back afterwards.
 *
 * Nothing here sleeps. To wait is to let the world go on, turn by turn, until something holds; the number of turns only
 * tells an end from a hang.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Address from "../../../Address.ts"
import * as Network from "../../../Network.ts"
import type * as Transport from "../../../Transport.ts"
import { Observed } from "./observed.ts"
import { Transcript } from "./transcript.ts"
import { Unmet } from "./unmet.ts"

/** What a law is tried on. */
export interface Ground {
  readonly provider: Transport.Provider
  readonly address: Address.Address
  readonly socketsOpen: Effect.Effect<number> | undefined
  readonly pass: Effect.Effect<void>
  readonly turnsMax: number
  /** More bytes than all buffers between two ends hold together. */
  readonly muchBytes: number
}

/** What a law says, tried: it succeeds, or tells what it found instead. */
export type Tried<A = void> = Effect.Effect<A, Unmet, Scope.Scope>

/** A law, by the sentence that it is. */
export interface LawOf {
  readonly name: string
  readonly law: (trial: Trial) => Tried
}

/**
 * Turns in which whatever is going to happen by itself has happened. Only for what must *not* happen, or need not: too
 * few of them let a broken transport pass, and never fail a good one.
 */
export const quietTurns = 100

export class Trial {
  readonly ground: Ground
  readonly transcript = new Transcript()
  /** All pipes, in the order in which they came about. */
  readonly pipes: Array<Observed> = []
  readonly provider: Transport.Provider
  readonly network: Network.Network["Service"]
  private unmet: Unmet | undefined
  private counts = { dialled: 0, accepted: 0 }
  private isOver = false

  constructor(ground: Ground) {
    this.ground = ground
    this.provider = this.observed(ground.provider)
    this.network = Network.make(this.provider)
  }

  // What happens ------------------------------------------------------------------------------------------------------

  note(who: string, what: string, bytes?: number): void {
    this.transcript.note(who, what, bytes)
  }

  /** Something happened that must not. The first one counts: what follows may be its consequence. */
  broke(expected: string, happened: string): void {
    this.transcript.note("law", `broken: ${happened}`)
    this.unmet ??= new Unmet(expected, happened)
  }

  /** Whether nothing has happened so far that must not. */
  readonly verified: Effect.Effect<void, Unmet> = Effect.suspend(() => {
    for (const pipe of this.pipes) pipe.late()
    return this.unmet === undefined ? Effect.void : Effect.fail(this.unmet)
  })

  /** Fails unless it holds. */
  holds(condition: boolean, expected: string, happened: string): Effect.Effect<void, Unmet> {
    return condition ? this.verified : Effect.fail(this.unmet ?? new Unmet(expected, happened))
  }

  // Waiting -----------------------------------------------------------------------------------------------------------

  /** Lets the world go on until it holds. */
  until(condition: () => boolean, expected: string, instead?: () => string): Effect.Effect<void, Unmet> {
    return Effect.gen({ self: this }, function* () {
      for (let turn = 0; !condition(); turn++) {
        yield* this.verified
        if (turn === this.ground.turnsMax) {
          return yield* Effect.fail(new Unmet(expected, instead?.() ?? `not in ${turn} turns`))
        }
        yield* this.ground.pass
      }
      yield* this.verified
    })
  }

  /** Lets the world go on for a while, or until it holds. */
  awhile(condition: () => boolean = () => false): Effect.Effect<void, Unmet> {
    return Effect.gen({ self: this }, function* () {
      for (let turn = 0; turn < quietTurns && !condition(); turn++) {
        yield* this.verified
        yield* this.ground.pass
      }
      yield* this.verified
    })
  }

  /** Awaits the end of what has been started. */
  exitOf<A, E>(fiber: Fiber.Fiber<A, E>, what: string): Effect.Effect<Exit.Exit<A, E>, Unmet> {
    return Effect.map(
      this.until(() => fiber.pollUnsafe() !== undefined, `${what}: it ends`),
      () => fiber.pollUnsafe()!
    )
  }

  /** Awaits that what has been started succeeds. */
  resultOf<A, E>(fiber: Fiber.Fiber<A, E>, what: string): Effect.Effect<A, Unmet> {
    return Effect.flatMap(this.exitOf(fiber, what), (exit) =>
      Exit.isSuccess(exit) ? Effect.succeed(exit.value) : Effect.fail(unmetBy(exit.cause, what))
    )
  }

  /** Does it, while the world goes on; it must succeed. */
  does<A, E>(what: string, effect: Effect.Effect<A, E, Scope.Scope>): Tried<A> {
    return Effect.flatMap(started(effect), (fiber) => this.resultOf(fiber, what))
  }

  // Pipes -------------------------------------------------------------------------------------------------------------

  private watch(how: "dialled" | "accepted", transport: Transport.Transport): Observed {
    const pipe = new Observed(`${how} ${++this.counts[how]}`, transport, this)
    this.note(pipe.name, "comes about")
    this.pipes.push(pipe)
    // A listener that stops hands over who still waits.
    if (this.isOver) pipe.over()
    return pipe
  }

  private observed(provider: Transport.Provider): Transport.Provider {
    return {
      connect: (address, made) =>
        Effect.suspend(() => {
          let pipe: Observed | undefined
          const dialled = (transport: Transport.Transport) => (pipe ??= this.watch("dialled", transport))
          return Effect.map(
            provider.connect(address, (transport) => made(dialled(transport))),
            dialled
          )
        }),
      listen: (address, options) =>
        Effect.map(provider.listen(address, options), (acceptor) => this.overheard(acceptor))
    }
  }

  private overheard(acceptor: Transport.Acceptor): Transport.Acceptor {
    const { address } = acceptor
    const who = `listener at ${Address.describe(address)}`
    this.note(who, "listens")
    return {
      address,
      attach: (receiver) =>
        acceptor.attach({
          onAccept: (transport) => receiver.onAccept(this.watch("accepted", transport)),
          onAcceptError: (code) => receiver.onAcceptError(code),
          onOverflow: () => receiver.onOverflow()
        }),
      stop: (callback) => {
        this.note(who, "stop")
        acceptor.stop(callback)
      },
      abort: () => {
        this.note(who, "abort")
        acceptor.abort()
      }
    }
  }

  /** Gives back whatever is left. */
  over(): void {
    this.isOver = true
    for (const pipe of this.pipes) pipe.over()
  }
}

/** Starts it, at once. The end of the scope interrupts it. */
export const started = <A, E>(
  effect: Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<Fiber.Fiber<A, E>, never, Scope.Scope> => Effect.forkScoped(effect, { startImmediately: true })

const unmetBy = (cause: Cause.Cause<unknown>, what: string): Unmet => {
  const error = Cause.squash(cause)
  return error instanceof Unmet ? error : new Unmet(`${what}: it succeeds`, said(Exit.failCause(cause)))
}

/** How something ended that should have ended otherwise. */
export const said = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "it succeeded"
  return Cause.prettyErrors(exit.cause)
    .map((error) => error.message)
    .join("; ")
}
