/**
 * A connection as Effect's own `Socket`: the same input and output, with the errors and the life cycle that its
 * contract asks for. Acquiring the reader does not dial, the connection is there already. The end of the reader's scope
 * fails a suspended pull; whether it closes the connection as well is for who has given it away to say: a program that
 * was written for Effect's own sockets counts on it.
 */
import type * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type { ConnectionError } from "../ConnectionError.ts"
import type { Transport } from "../Transport.ts"
import { byteLengthOf, bytesOf, type Data, type Gathered } from "./encoders.ts"
import { type Input, type Pulled, Read, type Taker } from "./input.ts"
import type { Environment } from "./environment.ts"
import { gatherBytes, type Output, type Written } from "./output.ts"

// The codes are WebSocket's, because Effect's sockets speak in them: a normal end, and one without a goodbye.
const normal = 1000
const abnormal = 1006

export type Frames = Arr.NonEmptyReadonlyArray<Uint8Array | string>
export type PullFrames = Effect.Effect<Frames, Socket.SocketError>

export const closedWith = (code: number, closeReason?: string): Socket.SocketError =>
  new Socket.SocketError({
    reason: new Socket.SocketCloseError(
      closeReason === undefined || closeReason === "" ? { code } : { code, closeReason }
    )
  })

const writeFailed = (cause: ConnectionError) =>
  new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause }) })

/** A connection, and what is behind it. */
export interface Backed {
  readonly transport: Transport
  readonly input: Input
  readonly output: Output
  readonly environment: Environment
  readonly isClosing: boolean
  readonly draining: Effect.Effect<void>
  /** The end of a reader's scope closes it. */
  readonly readerCloses: boolean
  beginClose(): void
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** What is read, as a socket gives it. */
export class FrameTaker implements Taker<Frames, Socket.SocketError> {
  /** The scope of the reader has ended. */
  over = false
  protected readonly connection: Backed

  constructor(connection: Backed) {
    this.connection = connection
  }

  /** All that there is, in one batch. */
  taken(chunk: Uint8Array): Pulled<Frames, Socket.SocketError> {
    const { input, transport } = this.connection
    if (transport.isText === undefined && !input.hasMore) return Exit.succeed([chunk])
    const frames = [chunk, ...input.takeAll()].map((chunk) =>
      transport.isText?.(chunk) === true ? decoder.decode(chunk) : chunk
    )
    return Exit.succeed(frames as unknown as Frames)
  }

  ended(): Pulled<Frames, Socket.SocketError> {
    const { peerEnd } = this.connection.input
    const { code, reason } = peerEnd?.goodbye ?? { code: peerEnd?.truncated === true ? abnormal : normal, reason: "" }
    return Exit.fail(closedWith(code, reason))
  }

  failed(cause: ConnectionError): Pulled<Frames, Socket.SocketError> {
    if (this.over) return Exit.fail(closedWith(abnormal))
    const { reason } = cause
    // The program has destroyed what is under the connection: to it that is a close of its own.
    const isOurs = reason._tag === "Closed" || (reason._tag === "Reset" && reason.code === "ECONNABORTED")
    if (isOurs) return Exit.fail(this.closed())
    return Exit.fail(new Socket.SocketError({ reason: new Socket.SocketReadError({ cause }) }))
  }

  /** By this side: with the words that it had for the peer, where there are any. */
  private closed(): Socket.SocketError {
    const { output, transport } = this.connection
    if (transport.capabilities.messages !== true) return closedWith(normal)
    return closedWith(output.goodbye.code, output.goodbye.reason)
  }
}

/** A reader that reads by a taker, until its scope ends. */
export const readerOf = (
  connection: Backed,
  taker: FrameTaker,
  pull: () => PullFrames
): Effect.Effect<Socket.Reader, Socket.SocketError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.succeed<Socket.Reader>({
      pull: Effect.suspend(() => (taker.over ? Effect.fail(closedWith(abnormal)) : pull())),
      upgrade: (options) => upgrade(connection, options)
    }),
    () =>
      Effect.sync(() => {
        taker.over = true
        connection.input.dismiss(taker)
        if (connection.readerCloses) connection.beginClose()
      })
  )

export const socketReader = (connection: Backed): Socket.Socket["reader"] =>
  Effect.suspend(() => {
    const taker = new FrameTaker(connection)
    const pull = new Read(connection.input, true, taker) as unknown as PullFrames
    return readerOf(connection, taker, () => pull)
  })

/** As a server's handshakes have it once it drains. */
const upgradeGrace = Duration.seconds(1)

const drained = (): unknown =>
  new Error(`the server drains, and the handshake was not done within ${Duration.format(upgradeGrace)}`)

const upgrade = (
  { draining, input, isClosing, transport }: Backed,
  options: Socket.TlsUpgradeOptions = {}
): Effect.Effect<void, Socket.SocketError> =>
  Effect.suspend(() => {
    if (transport.upgrade === undefined || isClosing) return Socket.SocketUpgradeError.unsupported()
    const tooLate = draining.pipe(Effect.andThen(Effect.sleep(upgradeGrace)), Effect.andThen(Effect.fail(drained())))
    // What has come behind the last message belongs to the handshake. What an attacker has put there fails it.
    return Effect.mapError(
      Effect.raceFirst(transport.upgrade(options, input.takeAll()), tooLate),
      (cause) => new Socket.SocketError({ reason: new Socket.SocketUpgradeError({ cause }) })
    )
  })

/** Not mapped where it has gone well, which it mostly does at once. */
export const told = (written: Written): Effect.Effect<void, Socket.SocketError> =>
  written === Exit.void ? Exit.void : Effect.mapError(written, writeFailed)

/** Frames that leave together. */
class GatheredFrames implements Gathered<Data> {
  size = 0
  private frames: Array<Data> = []

  add(frame: Data): void {
    this.frames.push(frame)
    this.size += byteLengthOf(frame)
  }

  take(): Data {
    const { frames } = this
    this.frames = []
    this.size = 0
    return frames.length === 1 ? frames[0]! : joined(frames)
  }
}

/**
 * Writes frames. The first of a turn leaves at once, those that follow leave together at its end: answers to calls that
 * have come together cost two system calls, and not one each. A pipe of messages gathers by itself.
 */
export class FrameWriter implements Socket.Writer {
  private readonly connection: Backed
  private readonly ofMessages: boolean
  private gathered: GatheredFrames | undefined

  constructor(connection: Backed) {
    this.connection = connection
    this.ofMessages = connection.transport.capabilities.messages === true
  }

  /** Now, with what becomes of it. */
  put(frame: Data): Written {
    const { environment, output } = this.connection
    // What is long costs more to be joined than to be written.
    if (this.ofMessages || frame.length === 0 || frame.length >= gatherBytes) return output.write(frame)
    if (output.wroteInTurn) return output.gather(frame, (this.gathered ??= new GatheredFrames()))
    output.wroteInTurn = true
    environment.atTurnEnd(output)
    return output.write(frame)
  }

  readonly write: Socket.Writer["write"] = (frame) =>
    Effect.suspend(() => {
      if (!Socket.isCloseEvent(frame)) return told(this.put(frame))
      const { connection } = this
      connection.output.goodbye = { code: frame.code, reason: frame.reason ?? "" }
      connection.beginClose()
      return Exit.void
    })

  readonly writeAll: Socket.Writer["writeAll"] = (frames) =>
    Effect.suspend(() => {
      if (frames.length > 1 && !this.ofMessages && bytesIn(frames) <= gatherBytes) return told(this.put(joined(frames)))
      let written: Written = Exit.void
      for (const frame of frames) written = this.put(frame)
      return told(written)
    })
}

/** A pipe that cannot end one direction by itself goes on: its reader may still have something to hear. */
export const endWriting = ({ output, transport }: Backed): void => {
  if (transport.capabilities.halfClose) output.end()
}

export const socketWriter = (connection: Backed): Socket.Socket["writer"] =>
  Effect.acquireRelease(
    Effect.sync((): Socket.Writer => new FrameWriter(connection)),
    () => Effect.sync(() => endWriting(connection))
  )

const bytesIn = (chunks: ReadonlyArray<Data>): number =>
  chunks.reduce<number>((bytes, chunk) => bytes + byteLengthOf(chunk), 0)

const joined = (chunks: ReadonlyArray<Data>): Data => {
  if (chunks.every((chunk) => typeof chunk === "string")) return chunks.join("")
  const all = new Uint8Array(bytesIn(chunks))
  let at = 0
  for (const chunk of chunks) {
    const bytes = bytesOf(chunk)
    all.set(bytes, at)
    at += bytes.length
  }
  return all
}
