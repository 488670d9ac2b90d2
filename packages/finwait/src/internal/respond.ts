/**
 * Answering messages: all answers of a turn leave in one write, and no message is begun before the one ahead of it is
 * done.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { ConnectionError } from "../ConnectionError.ts"
import { type Decoder, TooLong } from "./decoders.ts"
import type { Encoder, Gathered } from "./encoders.ts"
import { interrupting, isExit } from "./exits.ts"
import type { Input } from "./input.ts"
import type { Output } from "./output.ts"
import { type Plan, Reading } from "./reading.ts"

/** Messages of a connection; `E` is what can be wrong with them. */
export interface Messages<In, Out, E> {
  readonly connection: { readonly input: Input; readonly output: Output }
  readonly encoder: Encoder<Out>
  open(context: Context.Context<never>): Decoder<In>
  /** The next message that is there. */
  next(): In | undefined | TooLong
  tooLong(tooLong: TooLong): E
  readonly unfinished: boolean
  readonly atEnd: Exit.Exit<void, E>
}

type Answering<Out, E> = Effect.Effect<Out | undefined, E>

export class Responding<In, Out, E> extends Reading<E | ConnectionError> {
  private readonly messages: Messages<In, Out, E>
  private readonly answer: (message: In) => Answering<Out, E>

  constructor(messages: Messages<In, Out, E>, answer: (message: In) => Answering<Out, E>) {
    super()
    this.messages = messages
    this.answer = answer
  }

  protected get input(): Input {
    return this.messages.connection.input
  }

  protected plan(context: Context.Context<never>): Plan<E | ConnectionError> {
    return new Responder(this.messages, this.answer, context)
  }
}

class Responder<In, Out, E> implements Plan<E | ConnectionError> {
  private readonly messages: Messages<In, Out, E>
  private readonly answer: (message: In) => Answering<Out, E>
  private readonly decoder: Decoder<In>
  private readonly gathered: Gathered<Out>
  private readonly output: Output
  private readonly context: Context.Context<never>
  private stopped = false

  constructor(
    messages: Messages<In, Out, E>,
    answer: (message: In) => Answering<Out, E>,
    context: Context.Context<never>
  ) {
    this.messages = messages
    this.answer = answer
    this.decoder = messages.open(context)
    this.gathered = messages.encoder.gathered()
    this.output = messages.connection.output
    this.context = context
  }

  /** A handler that has pulled before may have messages left over. */
  first(): Effect.Effect<void, E | ConnectionError> {
    return this.step()
  }

  take(chunk: Uint8Array): Effect.Effect<void, E | ConnectionError> {
    this.decoder.push(chunk)
    return this.step()
  }

  stop(): void {
    this.stopped = true
  }

  get unfinished(): boolean {
    return this.messages.unfinished
  }

  atEnd(): Exit.Exit<void, E> {
    return this.messages.atEnd
  }

  private step(): Effect.Effect<void, E | ConnectionError> {
    const { messages } = this
    while (true) {
      const message = this.stopped ? undefined : messages.next()
      if (message === undefined) return this.output.release()
      if (message instanceof TooLong) return this.release(() => Exit.fail(messages.tooLong(message)))
      const effect = this.work(message)
      const working = isExit(effect) ? undefined : Effect.runForkWith(this.context)(effect)
      const exit = working === undefined ? (effect as Exit.Exit<Out | undefined, E>) : working.pollUnsafe()
      if (exit === undefined) return this.waitFor(working!)
      const said = exit._tag === "Failure" ? Exit.failCause(exit.cause) : this.say(exit.value)
      if (said === Exit.void) continue
      // What was answered before is written, whatever became of this one.
      return isExit(said) ? this.release(() => said) : Effect.flatMap(said, () => this.step())
    }
  }

  /** The message's effect; a function that throws has died like an effect that does. */
  private work(message: In): Answering<Out, E> {
    try {
      return this.answer(message)
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  private waitFor(working: Fiber.Fiber<Out | undefined, E>): Effect.Effect<void, E | ConnectionError> {
    return this.release(() => Fiber.join(working)).pipe(
      // Whatever ends the waiting, a reset while flushing as well, the work does not go on alone.
      Effect.ensuring(interrupting(working)),
      Effect.flatMap((answer) => Effect.flatMap(this.say(answer), () => this.step()))
    )
  }

  /** Keeps the answer for the next write; what cannot be a message is a defect. */
  private say(answer: Out | undefined): Effect.Effect<void, ConnectionError> {
    if (answer === undefined) return Exit.void
    try {
      return this.output.gather(answer, this.gathered)
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  /** Writes what there is, and goes on. */
  private release<A, E2>(next: () => Effect.Effect<A, E2>): Effect.Effect<A, E2 | ConnectionError> {
    const released = this.output.release()
    return released === Exit.void ? next() : Effect.flatMap(released, next)
  }
}
