/**
 * One end of a bare pipe, as an obedient program would be: it waits for room when it is told to, and compares what
 * arrives with what should.
 */
import * as Effect from "effect/Effect"
import type { Acceptor, Receiver } from "../../../Transport.ts"
import { bytesOf, Comparison } from "./numbered.ts"
import type { Observed } from "./observed.ts"
import type { Trial, Tried } from "./trial.ts"

export class End implements Receiver {
  readonly pipe: Observed
  private readonly trial: Trial
  /** The stream that it sends. */
  private readonly stream: number
  private readonly heard: Comparison
  hasRoom = true
  /** How often room came back. */
  writables = 0
  sentBytes = 0
  /** Stops delivery at every chunk, from inside of its event. */
  pausesAfterEach = false
  private toSend = 0
  private chunkBytes = 0
  private finishes = false

  constructor(pipe: Observed, trial: Trial, sends: number, hears: number) {
    this.pipe = pipe
    this.trial = trial
    this.stream = sends
    this.heard = new Comparison(hears)
  }

  get heardBytes(): number {
    return this.heard.position
  }

  get ended(): boolean {
    return this.pipe.ended
  }

  get broken(): boolean {
    return this.pipe.brokenBy !== undefined
  }

  /** It is over, one way or the other, as this end hears it. */
  get over(): boolean {
    return this.ended || this.broken
  }

  // Acts --------------------------------------------------------------------------------------------------------------

  attach(): this {
    this.pipe.attach(this)
    return this
  }

  /** Sends so many bytes more, in writes of this size, as there is room for them. */
  send(bytes: number, chunkBytes = 64 * 1024): this {
    this.toSend += bytes
    this.chunkBytes = chunkBytes
    this.pump()
    return this
  }

  /** FIN, behind everything. */
  finish(): this {
    this.finishes = true
    this.pump()
    return this
  }

  resume(): this {
    this.pipe.resume()
    return this
  }

  private pump(): void {
    while (this.hasRoom && this.sentBytes < this.toSend) {
      this.write(Math.min(this.chunkBytes, this.toSend - this.sentBytes))
    }
    if (this.finishes && this.sentBytes === this.toSend && this.pipe.acts.closeWrite === 0) this.pipe.closeWrite()
  }

  /** One write, whether there is room or not. */
  write(bytes: number): void {
    const chunk = bytesOf(this.stream, this.sentBytes, bytes)
    this.sentBytes += bytes
    this.toSend = Math.max(this.toSend, this.sentBytes)
    this.hasRoom = this.pipe.write(chunk)
  }

  // Events ------------------------------------------------------------------------------------------------------------

  onData(bytes: Uint8Array): void {
    const problem = this.heard.take(bytes)
    if (problem !== undefined) this.trial.broke(`${this.pipe.name}: bytes arrive whole and in order`, problem)
    if (this.pausesAfterEach) this.pipe.pause()
  }

  onEnd(): void {}

  onWritable(): void {
    this.hasRoom = true
    this.writables++
    this.pump()
  }

  onFlushed(): void {}

  onBroken(): void {}

  onReleased(): void {}
}

export interface Ends {
  /** The end under test. */
  readonly here: End
  readonly there: End
}

export interface Listening {
  readonly acceptor: Acceptor
  /** Who was accepted, in order, and not attached yet. */
  readonly accepted: Array<Observed>
}

/** A listener that accepts whoever comes. */
export const listening = (trial: Trial): Tried<Listening> =>
  Effect.map(trial.does("listen", trial.provider.listen(trial.ground.address, {})), (acceptor) => {
    const accepted: Array<Observed> = []
    acceptor.attach({
      onAccept: (pipe) => accepted.push(pipe as Observed),
      onAcceptError: (code) => trial.broke("accepting works", `it failed with ${code}`),
      onOverflow: () => trial.broke("a few connections are accepted", "one was turned away for a limit")
    })
    return { acceptor, accepted }
  })

export const dialling = (trial: Trial, { acceptor }: Pick<Listening, "acceptor">): Tried<Observed> =>
  Effect.map(
    trial.does(
      "connect",
      trial.provider.connect(acceptor.address, () => {})
    ),
    (pipe) => pipe as Observed
  )

/** One pipe: its dialled and its accepted end, neither attached. Streams are numbered so that no two are alike. */
export const pipeOf = Effect.fnUntraced(function* (trial: Trial, from: Listening) {
  const before = from.accepted.length
  const dialled = yield* dialling(trial, from)
  yield* trial.until(() => from.accepted.length > before, "who is connected is accepted")
  const accepted = from.accepted[before]!
  const stream = 2 * trial.pipes.length
  return [new End(dialled, trial, stream, stream + 1), new End(accepted, trial, stream + 1, stream)] as const
})

/**
 * A law about one pipe, for both of its ends: what dials and what accepts may be made differently, as in TLS.
 */
export const forBothEnds = (body: (trial: Trial, ends: Ends) => Tried, attached = true) =>
  Effect.fnUntraced(function* (trial: Trial) {
    const from = yield* listening(trial)
    for (const side of ["dialled", "accepted"] as const) {
      const [dialled, accepted] = yield* pipeOf(trial, from)
      if (attached) {
        dialled.attach()
        accepted.attach()
      }
      trial.note("law", `the ${side} end is under test`)
      yield* body(trial, side === "dialled" ? { here: dialled, there: accepted } : { here: accepted, there: dialled })
    }
  })
