/**
 * Transports that break one thing each, over a provider that breaks nothing: what the laws of transports must notice.
 */
import * as Effect from "effect/Effect"
import * as Address from "finwait/Address"
import type { AcceptReceiver, Acceptor, Goodbye, PeerEnd, Provider, Receiver, Transport } from "finwait/Transport"

/** Passes on whatever it is told, both ways. */
export class Passing implements Transport, Receiver {
  receiver!: Receiver
  readonly inner: Transport
  /** All pipes of one provider, in the order in which they came about. */
  readonly all: ReadonlyArray<Passing>

  constructor(inner: Transport, all: Array<Passing>) {
    this.inner = inner
    this.all = all
    all.push(this)
  }

  get capabilities() {
    return this.inner.capabilities
  }
  get localAddress() {
    return this.inner.localAddress
  }
  get remoteAddress() {
    return this.inner.remoteAddress
  }
  get unsentBytes() {
    return this.inner.unsentBytes
  }

  attach(receiver: Receiver): void {
    this.receiver = receiver
    this.inner.attach(this)
  }
  resume(): void {
    this.inner.resume()
  }
  pause(): void {
    this.inner.pause()
  }
  catchUp(callback: () => void): void {
    this.inner.catchUp(callback)
  }
  write(bytes: Uint8Array): boolean {
    return this.inner.write(bytes)
  }
  writeText(text: string): boolean | undefined {
    return this.inner.writeText?.(text)
  }
  isText(chunk: Uint8Array): boolean {
    return this.inner.isText?.(chunk) === true
  }
  closeWrite(goodbye?: Goodbye): void {
    this.inner.closeWrite(goodbye)
  }
  reset(): void {
    this.inner.reset()
  }
  release(): void {
    this.inner.release()
  }

  onData(bytes: Uint8Array): void {
    this.receiver.onData(bytes)
  }
  onEnd(end?: PeerEnd): void {
    this.receiver.onEnd(end)
  }
  onWritable(): void {
    this.receiver.onWritable()
  }
  onFlushed(): void {
    this.receiver.onFlushed()
  }
  onBroken(code: string): void {
    this.receiver.onBroken(code)
  }
  onReleased(): void {
    this.receiver.onReleased()
  }
}

/** Breaks a provider. */
export type Breaker = (provider: Provider) => Provider

/** A provider whose pipes, dialled and accepted, are of this kind. */
export const pipes =
  (Pipe: new (inner: Transport, all: Array<Passing>) => Passing): Breaker =>
  (provider) => {
    const all: Array<Passing> = []
    return {
      connect: (address, made) =>
        Effect.suspend(() => {
          let pipe: Passing | undefined
          const dialled = (inner: Transport) => (pipe ??= new Pipe(inner, all))
          return Effect.map(
            provider.connect(address, (inner) => made(dialled(inner))),
            dialled
          )
        }),
      listen: (address, options) =>
        Effect.map(provider.listen(address, options), (acceptor) =>
          overridden(acceptor, {
            attach: (receiver) =>
              acceptor.attach(
                Object.assign(Object.create(receiver), {
                  onAccept: (inner: Transport) => receiver.onAccept(new Pipe(inner, all))
                }) as AcceptReceiver
              )
          })
        )
    }
  }

const overridden = (acceptor: Acceptor, acts: Partial<Acceptor>): Acceptor => ({
  address: acceptor.address,
  attach: (receiver) => acceptor.attach(receiver),
  stop: (callback) => acceptor.stop(callback),
  abort: () => acceptor.abort(),
  ...acts
})

const acceptors =
  (breaks: (acceptor: Acceptor) => Partial<Acceptor>): Breaker =>
  (provider) => ({
    connect: provider.connect,
    listen: (address, options) =>
      Effect.map(provider.listen(address, options), (acceptor) => overridden(acceptor, breaks(acceptor)))
  })

// Bytes ---------------------------------------------------------------------------------------------------------------

export const dropsAByte = pipes(
  class extends Passing {
    override onData(bytes: Uint8Array): void {
      super.onData(bytes.length > 4096 ? bytes.subarray(1) : bytes)
    }
  }
)

export const swapsTwoWrites = pipes(
  class extends Passing {
    private writes = 0
    private held: Uint8Array | undefined
    override write(bytes: Uint8Array): boolean {
      const { held } = this
      this.held = ++this.writes % 1000 === 0 ? bytes : undefined
      if (this.held !== undefined) return true
      const hasRoom = super.write(bytes)
      return held === undefined ? hasRoom : super.write(held)
    }
  }
)

/** After so many bytes, one chunk comes twice. */
export const doublesAChunk = pipes(
  class extends Passing {
    private heard = 0
    override onData(bytes: Uint8Array): void {
      super.onData(bytes)
      const before = this.heard
      this.heard += bytes.length
      if (before <= 50_000 && this.heard > 50_000) super.onData(bytes)
    }
  }
)

export const givesToAnother = pipes(
  class extends Passing {
    private chunks = 0
    override onData(bytes: Uint8Array): void {
      const other = this.all.find((pipe) => pipe.localAddress !== this.localAddress && pipe.receiver !== undefined)
      if (++this.chunks % 5 === 0 && other !== undefined) other.receiver.onData(bytes)
      else super.onData(bytes)
    }
  }
)

export const takesCharactersForBytes = pipes(
  class extends Passing {
    override writeText(text: string): boolean {
      return this.write(Uint8Array.from(text, (character) => character.charCodeAt(0)))
    }
  }
)

export const losesWhatComesEarly = pipes(
  class extends Passing {
    constructor(inner: Transport, all: Array<Passing>) {
      super(inner, all)
      inner.attach(this)
      inner.resume()
    }
    override attach(receiver: Receiver): void {
      this.receiver = receiver
    }
    override onData(bytes: Uint8Array): void {
      this.receiver?.onData(bytes)
    }
    override onEnd(): void {
      this.receiver?.onEnd()
    }
  }
)

/** Half of a write leaves behind the next one. */
export const mixesWrites = pipes(
  class extends Passing {
    private rest: Uint8Array | undefined
    override write(bytes: Uint8Array): boolean {
      const half = bytes.length >> 1
      const hasRoom = super.write(bytes.subarray(0, half))
      const { rest } = this
      this.rest = bytes.subarray(half)
      return rest === undefined ? hasRoom : super.write(rest)
    }
    override closeWrite(): void {
      if (this.rest !== undefined) super.write(this.rest)
      this.rest = undefined
      super.closeWrite()
    }
  }
)

/** A short write overtakes a long one. */
export const hurriesShortWrites = pipes(
  class extends Passing {
    private held: Uint8Array | undefined
    private flush(): void {
      if (this.held !== undefined) super.write(this.held)
      this.held = undefined
    }
    override write(bytes: Uint8Array): boolean {
      if (bytes.length < 10) return super.write(bytes)
      this.flush()
      this.held = bytes
      return true
    }
    override closeWrite(): void {
      this.flush()
      super.closeWrite()
    }
  }
)

// Messages ------------------------------------------------------------------------------------------------------------

export const forgetsMessagesOfNothing = pipes(
  class extends Passing {
    override write(bytes: Uint8Array): boolean {
      return bytes.length === 0 || super.write(bytes)
    }
  }
)

export const writesTextAsBytes = pipes(
  class extends Passing {
    override writeText(text: string): boolean {
      return super.write(new TextEncoder().encode(text))
    }
  }
)

export const isWordless = pipes(
  class extends Passing {
    override closeWrite(): void {
      super.closeWrite()
    }
  }
)

// Pressure ------------------------------------------------------------------------------------------------------------

export const alwaysHasRoom = pipes(
  class extends Passing {
    override write(bytes: Uint8Array): boolean {
      super.write(bytes)
      return true
    }
    override onWritable(): void {}
  }
)

export const forgetsThatThereIsRoom = pipes(
  class extends Passing {
    override onWritable(): void {}
  }
)

export const ignoresPause = pipes(
  class extends Passing {
    override pause(): void {}
  }
)

// Ends ----------------------------------------------------------------------------------------------------------------

export const tellsTheEndEarly = pipes(
  class extends Passing {
    private heard = 0
    override onData(bytes: Uint8Array): void {
      const before = this.heard
      this.heard += bytes.length
      if (before <= 100_000 && this.heard > 100_000) super.onEnd()
      super.onData(bytes)
    }
  }
)

export const losesTheFin = pipes(
  class extends Passing {
    override closeWrite(): void {
      queueMicrotask(() => this.receiver.onFlushed())
    }
  }
)

/** Sends FIN behind the last byte, and therefore not without one. */
export const losesTheFinOfNothing = pipes(
  class extends Passing {
    private wrote = false
    override write(bytes: Uint8Array): boolean {
      this.wrote = true
      return super.write(bytes)
    }
    override closeWrite(): void {
      if (this.wrote) super.closeWrite()
      else queueMicrotask(() => this.receiver.onFlushed())
    }
  }
)

export const endsByItself = pipes(
  class extends Passing {
    override resume(): void {
      super.resume()
      queueMicrotask(() => this.receiver.onEnd())
    }
  }
)

/** Holds bytes back while it is paused, and tells of the end nevertheless. */
export const tellsTheEndWhilePaused = pipes(
  class extends Passing {
    private flowing = false
    private readonly held: Array<Uint8Array> = []
    override resume(): void {
      this.flowing = true
      super.resume()
      while (this.flowing && this.held.length > 0) super.onData(this.held.shift()!)
    }
    override pause(): void {
      this.flowing = false
    }
    override onData(bytes: Uint8Array): void {
      if (this.flowing) super.onData(bytes)
      else this.held.push(bytes)
    }
  }
)

export const isDeafBehindItsFin = pipes(
  class extends Passing {
    private deaf = false
    override closeWrite(): void {
      this.deaf = true
      super.closeWrite()
    }
    override onData(bytes: Uint8Array): void {
      if (!this.deaf) super.onData(bytes)
    }
  }
)

/** Node's own way, without `allowHalfOpen`. */
export const answersFinAtOnce = pipes(
  class extends Passing {
    override onEnd(): void {
      super.onEnd()
      super.closeWrite()
    }
    override onFlushed(): void {}
  }
)

export const tellsTheEndTwice = pipes(
  class extends Passing {
    override onEnd(): void {
      super.onEnd()
      super.onEnd()
    }
  }
)

// Flushing ------------------------------------------------------------------------------------------------------------

export const tellsFlushedEarly = pipes(
  class extends Passing {
    override closeWrite(): void {
      super.closeWrite()
      queueMicrotask(() => this.receiver.onFlushed())
    }
    override onFlushed(): void {}
  }
)

export const forgetsFlushed = pipes(
  class extends Passing {
    override onFlushed(): void {}
  }
)

export const catchesUpAtOnce = pipes(
  class extends Passing {
    override catchUp(callback: () => void): void {
      callback()
    }
  }
)

/** As `destroy()` does: what was not sent is lost with the descriptor. */
export const resetsAtCloseWrite = pipes(
  class extends Passing {
    override closeWrite(): void {
      if (this.inner.unsentBytes > 0) super.reset()
      else super.closeWrite()
    }
  }
)

/** As `destroySoon()` does: the descriptor goes with the last byte, although the peer still sends. */
export const releasesWhenFlushed = pipes(
  class extends Passing {
    override onFlushed(): void {
      super.onFlushed()
      this.inner.release()
    }
  }
)

// The last acts -------------------------------------------------------------------------------------------------------

export const tellsAfterRelease = pipes(
  class extends Passing {
    override release(): void {
      super.release()
      queueMicrotask(() => this.receiver.onReleased())
    }
  }
)

export const isReleasedTwice = pipes(
  class extends Passing {
    override onReleased(): void {
      super.onReleased()
      super.onReleased()
    }
  }
)

export const forgetsReleased = pipes(
  class extends Passing {
    override onReleased(): void {}
  }
)

/** `resetAndDestroy()` in the turn of `end()` leaks the descriptor. */
export const doesNotResetInTheTurnOfCloseWrite = pipes(
  class extends Passing {
    private closing = false
    override closeWrite(): void {
      this.closing = true
      queueMicrotask(() => (this.closing = false))
      super.closeWrite()
    }
    override reset(): void {
      if (this.closing) super.pause()
      else super.reset()
    }
  }
)

/** Ends politely instead. */
export const doesNotReset = pipes(
  class extends Passing {
    private over = false
    override reset(): void {
      if (this.over) return
      this.over = true
      super.closeWrite()
      queueMicrotask(() => this.receiver.onReleased())
    }
    override onData(bytes: Uint8Array): void {
      if (!this.over) super.onData(bytes)
    }
    override onEnd(): void {
      if (!this.over) super.onEnd()
    }
    override onWritable(): void {
      if (!this.over) super.onWritable()
    }
    override onFlushed(): void {
      if (!this.over) super.onFlushed()
    }
  }
)

export const throwsWhenItHasEnded = pipes(
  class extends Passing {
    private ended = false
    override onReleased(): void {
      this.ended = true
      super.onReleased()
    }
    override closeWrite(): void {
      if (this.ended) throw new Error("closeWrite of a pipe that has ended")
      super.closeWrite()
    }
  }
)

/** A write behind end() destroys a socket of Node. */
export const breaksAtWriteBehindFin = pipes(
  class extends Passing {
    private ending = false
    override closeWrite(): void {
      this.ending = true
      super.closeWrite()
    }
    override write(bytes: Uint8Array): boolean {
      if (this.ending) queueMicrotask(() => this.receiver.onBroken("EPIPE"))
      return super.write(bytes)
    }
  }
)

/** Reads to the end although nobody listens any more. */
export const drainsAtRelease = pipes(
  class extends Passing {
    private released = false
    override release(): void {
      this.released = true
      super.closeWrite()
      super.resume()
    }
    override onData(bytes: Uint8Array): void {
      if (!this.released) super.onData(bytes)
    }
    override onEnd(): void {
      if (!this.released) super.onEnd()
    }
    override onFlushed(): void {
      if (!this.released) super.onFlushed()
    }
  }
)

export const resetsAtRelease = pipes(
  class extends Passing {
    private released = false
    override release(): void {
      this.released = true
      super.reset()
    }
    override onReleased(): void {
      if (!this.released) super.onReleased()
    }
  }
)

export const forgetsThatItBroke = pipes(
  class extends Passing {
    private broke = false
    override onBroken(): void {
      this.broke = true
    }
    override onReleased(): void {
      if (!this.broke) super.onReleased()
    }
  }
)

/** Who was reset before anybody read from it never says so. */
export const forgetsThatItBrokeEarly = pipes(
  class extends Passing {
    private resumed = false
    private broke = false
    override resume(): void {
      this.resumed = true
      super.resume()
    }
    override onBroken(code: string): void {
      this.broke = !this.resumed
      if (!this.broke) super.onBroken(code)
    }
    override onReleased(): void {
      if (!this.broke) super.onReleased()
    }
  }
)

// Listening and dialling ----------------------------------------------------------------------------------------------

export const stopsNothing = acceptors(() => ({ stop: (callback) => callback() }))

/** As `server.close()` does: who was connected and not accepted yet is lost. */
export const dropsTheBacklog = acceptors((acceptor) => {
  let isStopping = false
  return {
    attach: (receiver) =>
      acceptor.attach(
        Object.assign(Object.create(receiver), {
          onAccept: (transport: Transport) => (isStopping ? transport.reset() : receiver.onAccept(transport))
        }) as AcceptReceiver
      ),
    stop: (callback) => {
      isStopping = true
      acceptor.stop(callback)
    }
  }
})

export const abortsNothing = acceptors(() => ({ abort: () => {} }))

export const listensElsewhere: Breaker = (provider) => ({
  connect: provider.connect,
  listen: (_, options) => provider.listen(Address.tcp("127.0.0.1", 0), options)
})

/** Tells of a pipe some turns after it has come about. */
export const tellsLateOfWhatItMade: Breaker = (provider) => ({
  connect: (address, made) =>
    Effect.gen(function* () {
      const transport = yield* provider.connect(address, () => {})
      for (let turn = 0; turn < 5; turn++) yield* Effect.yieldNow
      made(transport)
      return transport
    }),
  listen: provider.listen
})

export const namesTheWrongAddress = pipes(
  class extends Passing {
    override get remoteAddress() {
      return Address.tcp("127.0.0.1", 1)
    }
  }
)
