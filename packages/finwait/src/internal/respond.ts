/**
 * Answering messages: all answers of a turn leave in one write, and no message is begun before the one ahead of it is
 * done.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { ConnectionError } from "../ConnectionError.ts"
import { concat, type Decoder, TooLong } from "./decoders.ts"
import type { Input } from "./input.ts"
import type { Output } from "./output.ts"
import { type Plan, Reading } from "./reading.ts"

/** How much is gathered before it is written: what a socket takes at once. */
const gatherBytes = 64 * 1024

/** Messages of a connection; `E` is what can be wrong with them. */
export interface Messages<In, Out, E> {
  readonly connection: { readonly input: Input; readonly output: Output }
  readonly encode: (message: Out) => Uint8Array
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
  private readonly context: Context.Context<never>
  private answers: Array<Uint8Array> = []
  private answersBytes = 0

  constructor(
    messages: Messages<In, Out, E>,
    answer: (message: In) => Answering<Out, E>,
    context: Context.Context<never>
  ) {
    this.messages = messages
    this.answer = answer
    this.decoder = messages.open(context)
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

  get unfinished(): boolean {
    return this.messages.unfinished
  }

  atEnd(): Exit.Exit<void, E> {
    return this.messages.atEnd
  }

  private step(): Effect.Effect<void, E | ConnectionError> {
    const { messages } = this
    while (true) {
      if (this.answersBytes >= gatherBytes) {
        const written = this.flush()
        if (written !== Exit.void) return Effect.flatMap(written, () => this.step())
      }
      const message = messages.next()
      if (message === undefined) return this.flush()
      if (message instanceof TooLong) return this.flushThen(() => Exit.fail(messages.tooLong(message)))
      const effect = this.work(message)
      const working = Exit.isExit(effect) ? undefined : Effect.runForkWith(this.context)(effect)
      const exit = working === undefined ? (effect as Exit.Exit<Out | undefined, E>) : working.pollUnsafe()
      if (exit === undefined) return this.waitFor(working!)
      const gathered = exit._tag === "Failure" ? Exit.failCause(exit.cause) : this.gather(exit.value)
      // What was answered before is written, whatever became of this one.
      if (gathered._tag === "Failure") return this.flushThen(() => gathered)
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
    return this.flushThen(() => Fiber.join(working)).pipe(
      // Whatever ends the waiting, a reset while flushing as well, the work does not go on alone.
      Effect.ensuring(Fiber.interrupt(working)),
      Effect.flatMap((answer) => Effect.andThen(this.gather(answer), () => this.step()))
    )
  }

  /** Keeps the answer for the next write; what cannot be encoded is a defect. */
  private gather(answer: Out | undefined): Exit.Exit<void> {
    if (answer === undefined) return Exit.void
    try {
      const bytes = this.messages.encode(answer)
      this.answers.push(bytes)
      this.answersBytes += bytes.length
      return Exit.void
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  private flush(): Effect.Effect<void, ConnectionError> {
    const { answers } = this
    if (answers.length === 0) return Exit.void
    const bytes = answers.length === 1 ? answers[0]! : concat(answers)
    this.answers = []
    this.answersBytes = 0
    return this.messages.connection.output.write(bytes)
  }

  private flushThen<A, E2>(next: () => Effect.Effect<A, E2>): Effect.Effect<A, E2 | ConnectionError> {
    const first = this.flush()
    return first === Exit.void ? next() : Effect.flatMap(first, next)
  }
}
