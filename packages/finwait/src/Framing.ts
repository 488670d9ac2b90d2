/**
 * Messages over bytes: lines, length prefixes, delimiters. Bounded, and aware of the drain.
 *
 * A framing looks at a connection as messages. When a server drains, the input ends at the next message boundary: the
 * messages that have arrived are delivered, one that has begun is waited for, and then `pull`, `stream`, `respond` and
 * `forEach` end as if the peer had said goodbye.
 *
 * **Errors.** A message longer than `maxFrameBytes` is `FrameError(TooLong)`, known as soon as its prefix or its
 * `maxFrameBytes + 1`th byte arrives, and never buffered whole. A peer that ends in the middle of a message is
 * `FrameError(Truncated)`. Both fail the handler, so that the server closes the connection, gracefully.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Pipeable from "effect/Pipeable"
import type * as Pull from "effect/Pull"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Address from "./Address.ts"
import type { Connection } from "./Connection.ts"
import type { ConnectionError } from "./ConnectionError.ts"
import type { ConnectionImpl } from "./internal/connection.ts"
import * as Decoders from "./internal/decoders.ts"
import * as Encoders from "./internal/encoders.ts"
import { done, type Pulled, Read, type Taker } from "./internal/input.ts"
import { type Messages, Responding } from "./internal/respond.ts"

/**
 * The longest message that a framing accepts when it names no limit of its own: 1 MiB, unless a server's
 * `maxFrameBytes` or `Effect.provideService` says otherwise. A peer decides how long a message is; memory for it is
 * only lent within this limit.
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentMaxFrameBytes: Context.Reference<number> = Context.Reference("finwait/Framing/MaxFrameBytes", {
  defaultValue: () => 1024 * 1024
})

/**
 * A message exceeds the limit. `frameBytes` is what its length prefix says; a delimited message does not say.
 *
 * @category reasons
 * @since 0.1.0
 */
export class TooLong extends Schema.TaggedError<TooLong>()("TooLong", {
  maxFrameBytes: Schema.Number,
  frameBytes: Schema.optional(Schema.Number)
}) {
  override get message() {
    const said = this.frameBytes === undefined ? "" : ` of ${this.frameBytes} bytes`
    return `a message${said} is longer than maxFrameBytes ${this.maxFrameBytes}`
  }
}

/**
 * The peer ended in the middle of a message, of which `bytes` bytes had arrived. With `isUnannounced` it has not said that it
 * ends, on a pipe where peers do (TLS's close_notify, a WebSocket's close frame): somebody may have truncated what it sent, at
 * a message boundary as well, where `bytes` is 0.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Truncated extends Schema.TaggedError<Truncated>()("Truncated", {
  bytes: Schema.Number,
  isUnannounced: Schema.optionalKey(Schema.Boolean)
}) {
  override get message() {
    if (this.isUnannounced !== true) return `the peer ended in the middle of a message, after ${this.bytes} bytes of it`
    return `the stream was truncated after ${this.bytes} bytes of a message: the peer did not say that it ends`
  }
}

/**
 * The bytes are not the messages they should be. The message names the address and the limit:
 * `read tcp 127.0.0.1:50312: a message of 99999999 bytes is longer than maxFrameBytes 65536`.
 *
 * @category errors
 * @since 0.1.0
 */
export class FrameError extends Schema.TaggedError<FrameError>()("FrameError", {
  address: Schema.String,
  reason: Schema.Union([TooLong, Truncated])
}) {
  override get message() {
    return `read ${this.address}: ${this.reason.message}`
  }
}

/**
 * A connection seen as messages: `In` arrive, `Out` are written.
 *
 * @category models
 * @since 0.1.0
 */
export interface Framed<out In, in Out> extends Pipeable.Pipeable {
  readonly connection: Connection
  /** The next message; ends with the input. */
  readonly pull: Pull.Pull<In, ConnectionError | FrameError>
  /** The message as bytes, with its prefix or delimiter. Throws `RangeError` for what cannot be one message. */
  readonly encode: (message: Out) => Uint8Array
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The longest message accepted, without prefix or delimiter. Default: {@link CurrentMaxFrameBytes}. */
  readonly maxFrameBytes?: number | undefined
}

type PullError = ConnectionError | FrameError | Cause.Done

class FramedImpl<In, Out> implements Framed<In, Out> {
  readonly connection: ConnectionImpl
  readonly encoder: Encoders.Encoder<Out>
  private readonly makeDecoder: (maxFrameBytes: number) => Decoders.Decoder<In>
  private readonly options: Options | undefined
  private decoder: Decoders.Decoder<In> | undefined
  private gathered: Encoders.Gathered<Out> | undefined
  private pulling: PullMessage<In, Out, In> | undefined
  private maxFrameBytes = 0
  /** More has arrived behind the message that was pulled last. */
  private hasMore = false
  private readingRest = false
  private lastDone = false

  constructor(
    connection: Connection,
    makeDecoder: (maxFrameBytes: number) => Decoders.Decoder<In>,
    encoder: Encoders.Encoder<Out>,
    options: Options | undefined
  ) {
    this.connection = connection as ConnectionImpl
    this.makeDecoder = makeDecoder
    this.encoder = encoder
    this.options = options
  }

  get encode(): (message: Out) => Uint8Array {
    return (message) => Encoders.bytesOf(this.encoder.encode(message))
  }

  pipe() {
    return Pipeable.pipeArguments(this, arguments)
  }

  get isOpen(): boolean {
    return this.decoder !== undefined
  }

  open(context: Context.Context<never>): Decoders.Decoder<In> {
    if (this.decoder === undefined) {
      this.maxFrameBytes = this.options?.maxFrameBytes ?? Context.get(context, CurrentMaxFrameBytes)
      this.decoder = this.makeDecoder(this.maxFrameBytes)
    }
    return this.decoder
  }

  push(chunk: Uint8Array): void {
    this.decoder!.push(chunk)
  }

  /** The next message that is there. */
  next(): In | undefined | Decoders.TooLong {
    const message = this.decoder!.next()
    if (message !== undefined && this.readingRest) {
      this.readingRest = false
      if (this.connection.input.swept) this.lastDone = true
    }
    return message
  }

  /**
   * Whether a message has begun that has to be waited for. While draining that is the one in hand, with whatever arrived
   * whole together with its rest, and not another that begins behind it: a peer that never stops sending would never
   * come to an end.
   */
  get unfinished(): boolean {
    return (this.readingRest = this.decoder!.pending > 0 && !this.lastDone)
  }

  /** What the end of the input means, given what is left over. */
  get atEnd(): Exit.Exit<void, FrameError> {
    const bytes = this.decoder!.pending
    const { peerEnd, peerEnded } = this.connection.input
    const isUnannounced = peerEnd?.truncated === true
    if ((bytes === 0 && !isUnannounced) || !peerEnded || this.lastDone) return Exit.void
    return Exit.fail(this.error(new Truncated(isUnannounced ? { bytes, isUnannounced } : { bytes })))
  }

  tooLong({ frameBytes }: Decoders.TooLong): FrameError {
    const { maxFrameBytes } = this
    return this.error(new TooLong(frameBytes === undefined ? { maxFrameBytes } : { maxFrameBytes, frameBytes }))
  }

  private error(reason: TooLong | Truncated): FrameError {
    return new FrameError({ address: Address.describe(this.connection.remoteAddress), reason })
  }

  get pull(): Pull.Pull<In, ConnectionError | FrameError> {
    return (this.pulling ??= new PullMessage(this, (message) => message))
  }

  /** Notes whether there is more to be read, and so to be answered, behind this message. */
  take(): In | undefined | Decoders.TooLong {
    const message = this.next()
    this.hasMore = message !== undefined && this.decoder!.pending > 0
    return message
  }

  /**
   * Writes a message. While there are more to be read of what has arrived, more is to be written as well, and it leaves
   * together: when all has been read, or at the end of the turn.
   */
  write(message: Out): Effect.Effect<void, ConnectionError> {
    const { environment, output } = this.connection
    if (!this.hasMore && !output.isGathering) return output.write(this.encoder.encode(message))
    if (!output.isGathering) environment.atTurnEnd(output)
    return output.gather(message, (this.gathered ??= this.encoder.gathered()))
  }
}

/** One message to be written. */
class WriteMessage<In, Out> extends Effectable.Class<void, ConnectionError> {
  private readonly framed: FramedImpl<In, Out>
  private readonly message: Out

  constructor(framed: FramedImpl<In, Out>, message: Out) {
    super()
    this.framed = framed
    this.message = message
  }

  override asEffect(): Effect.Effect<void, ConnectionError> {
    return this.framed.write(this.message)
  }
}

/** The next message, as an effect that can be run again and again, and what it makes of the chunks that it waits for. */
class PullMessage<In, Out, A> extends Effectable.Class<A, PullError> implements Taker<A, FrameError> {
  private readonly framed: FramedImpl<In, Out>
  /** What a message is given as. */
  private readonly of: (message: In) => A
  // One of each, and only where somebody waits so.
  private reading: Read<A, FrameError> | undefined
  private readingRest: Read<A, FrameError> | undefined

  constructor(framed: FramedImpl<In, Out>, of: (message: In) => A) {
    super()
    this.framed = framed
    this.of = of
  }

  override asEffect(): Pulled<A, FrameError> {
    if (!this.framed.isOpen) this.framed.open(Fiber.getCurrent()!.context)
    return this.next()
  }

  private next(): Pulled<A, FrameError> {
    const { framed } = this
    const message = framed.take()
    if (message instanceof Decoders.TooLong) return Exit.fail(framed.tooLong(message))
    if (message !== undefined) return Exit.succeed(this.of(message))
    const { input, output } = framed.connection
    // All answers to what has been read leave before there is more.
    const released = output.release()
    const read = framed.unfinished
      ? (this.readingRest ??= new Read(input, false, this))
      : (this.reading ??= new Read(input, true, this))
    return released === Exit.void ? read : Effect.andThen(released, read)
  }

  taken(chunk: Uint8Array): Pulled<A, FrameError> {
    this.framed.push(chunk)
    return this.next()
  }

  ended(): Pulled<A, FrameError> {
    const { atEnd } = this.framed
    return atEnd._tag === "Success" ? done : Exit.failCause(atEnd.cause)
  }
}

/**
 * Lines of UTF-8 text, ended by `\n`; a `\r` before it is dropped. Answers are written with `\n`.
 *
 * **Example**
 *
 * ```ts no-run
 * import * as Effect from "effect/Effect"
 * import type { Connection } from "finwait/Connection"
 * import * as Framing from "finwait/Framing"
 *
 * const upper = (connection: Connection) =>
 *   Framing.lines(connection).pipe(Framing.respond((line) => Effect.succeed(line.toUpperCase())))
 * ```
 *
 * @category framings
 * @since 0.1.0
 */
export const lines = (connection: Connection, options?: Options): Framed<string, string> =>
  new FramedImpl(connection, Decoders.lines, Encoders.lines, options)

/**
 * Messages behind a header of 1, 2 or 4 bytes that tells their length, itself not included. Default: 4 bytes, big
 * endian, which is what most protocols have.
 *
 * @category framings
 * @since 0.1.0
 */
export const lengthPrefixed = (
  connection: Connection,
  options?: Options & {
    readonly headerBytes?: 1 | 2 | 4 | undefined
    readonly endian?: "big" | "little" | undefined
  }
): Framed<Uint8Array, Uint8Array> => {
  const header = { headerBytes: options?.headerBytes ?? 4, endian: options?.endian ?? "big" } as const
  return new FramedImpl(
    connection,
    (maxFrameBytes) => Decoders.lengthPrefixed({ ...header, maxFrameBytes }),
    Encoders.lengthPrefixed(header),
    options
  )
}

/**
 * Messages ended by a delimiter, one byte or several, which is not a part of them.
 *
 * @category framings
 * @since 0.1.0
 */
export const delimited = (
  connection: Connection,
  delimiter: Uint8Array | string,
  options?: Options
): Framed<Uint8Array, Uint8Array> => {
  const bytes = typeof delimiter === "string" ? new TextEncoder().encode(delimiter) : delimiter
  return new FramedImpl(
    connection,
    (maxFrameBytes) => Decoders.delimited(bytes, maxFrameBytes),
    Encoders.delimited(bytes),
    options
  )
}

/**
 * The messages as a stream.
 *
 * @category reading
 * @since 0.1.0
 */
export const stream = <In, Out>(self: Framed<In, Out>): Stream.Stream<In, ConnectionError | FrameError> =>
  Stream.fromPull(
    Effect.succeed(new PullMessage(self as FramedImpl<In, Out>, (message) => [message] as const)) as Effect.Effect<
      Pull.Pull<readonly [In], ConnectionError | FrameError>
    >
  )

/**
 * Writes one message.
 *
 * @category writing
 * @since 0.1.0
 */
export const write: {
  <Out>(message: Out): <In>(self: Framed<In, Out>) => Effect.Effect<void, ConnectionError>
  <In, Out>(self: Framed<In, Out>, message: Out): Effect.Effect<void, ConnectionError>
} = dual(
  2,
  <In, Out>(self: FramedImpl<In, Out>, message: Out): Effect.Effect<void, ConnectionError> =>
    new WriteMessage(self, message)
) as never

/**
 * Answers every message, in order, one at a time. Ends with the input. `undefined` is no answer.
 *
 * **Details**
 *
 * The messages that arrived together are answered in one write, unless one of them has to wait: then those before it
 * are written first. A message whose effect ends at once costs no wake-up. When the handler fails, what was answered
 * before is written, and `respond` fails with the same error.
 *
 * @category serving
 * @since 0.1.0
 */
export const respond: {
  <In, Out, E, R>(
    f: (message: In) => Effect.Effect<Out | undefined, E, R>
  ): (self: Framed<In, Out>) => Effect.Effect<void, E | ConnectionError | FrameError, R>
  <In, Out, E, R>(
    self: Framed<In, Out>,
    f: (message: In) => Effect.Effect<Out | undefined, E, R>
  ): Effect.Effect<void, E | ConnectionError | FrameError, R>
} = dual(
  2,
  <In, Out, E, R>(
    self: FramedImpl<In, Out>,
    f: (message: In) => Effect.Effect<Out | undefined, E, R>
  ): Effect.Effect<void, E | ConnectionError | FrameError, R> =>
    new Responding(self as Messages<In, Out, E | FrameError>, f as (message: In) => Effect.Effect<Out | undefined, E>)
) as never

/**
 * Hands every message to a function, in order, one at a time. Ends with the input.
 *
 * @category reading
 * @since 0.1.0
 */
export const forEach: {
  <In, E, R>(
    f: (message: In) => Effect.Effect<unknown, E, R>
  ): <Out>(self: Framed<In, Out>) => Effect.Effect<void, E | ConnectionError | FrameError, R>
  <In, Out, E, R>(
    self: Framed<In, Out>,
    f: (message: In) => Effect.Effect<unknown, E, R>
  ): Effect.Effect<void, E | ConnectionError | FrameError, R>
} = dual(
  2,
  <In, Out, E, R>(
    self: Framed<In, Out>,
    f: (message: In) => Effect.Effect<unknown, E, R>
  ): Effect.Effect<void, E | ConnectionError | FrameError, R> =>
    respond(self, (message) => {
      const effect = f(message)
      return Exit.isExit(effect) ? (Exit.asVoid(effect) as never) : Effect.as(effect, undefined)
    })
)
