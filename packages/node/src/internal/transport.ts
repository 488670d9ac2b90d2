/**
 * A `net.Socket` as a transport, plain or under TLS. Public API only; no policy, no timer.
 *
 * Four listeners per socket, more where they are needed, shared by all sockets: they find the transport through one
 * symbol property, so that a connection costs no closures.
 */
import type * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import type * as Socket from "effect/socket/Socket"
import * as Address from "finwait/Address"
import type { Capabilities, Goodbye, PeerEnd, Receiver, Transport } from "finwait/Transport"
import type * as Net from "node:net"
import { localOf, remoteOf } from "./addresses.ts"
import { moved } from "./buffers.ts"
import { awaitQuiet } from "./catchUp.ts"
import type { Secured } from "./secured.ts"
import { upgradeToTls } from "./tlsUpgrade.ts"
import { currentTurn, onNextTurn } from "./turns.ts"

const key = Symbol("finwait/transport")

interface Carrier extends Net.Socket {
  [key]: NodeTransport
}

const ofTcp: Capabilities = { reset: true, halfClose: true }
const ofUnix: Capabilities = { reset: false, halfClose: true }

/** How long TLS may take to end a socket that is to be reset. A peer that does not read may keep it from it for ever. */
const endingTurnsMax = 4

/** No turn of the event loop. */
const never = -1

/** The end that is known without asking the system: the accepted socket's own, the dialled socket's other. */
export interface Known {
  readonly side: "local" | "remote"
  readonly address: Address.Address
  /** The other one is asked for when somebody wants to know it; a peer that has reset has no name any more. */
  readonly isAskedLater?: boolean
}

export class NodeTransport extends Inspectable.Class implements Transport {
  /** What is read and written: the socket that was accepted or dialled, or the TLS upon it. */
  socket: Net.Socket
  /** The TLS upon it, if there is any. */
  secured: Secured | undefined
  receiver: Receiver | undefined
  /** Bytes that have arrived. */
  arrived = 0
  flowing = false
  /** The end came while delivery was off; and then the socket was gone, too. Both are told after the next resume. */
  held: "nothing" | "end" | "release" = "nothing"
  /** The peer's end has been told; or that the pipe is broken, or it was reset: nothing is left to be told but its release. */
  hasEnded = false
  isOver = false
  private readonly known: Known
  /** The turn of the event loop in which end() was called. */
  private endedInTurn = never
  private resetAfterTurn = false
  /** It has broken before anybody was told: TLS reads ahead. */
  brokenCode: string | undefined
  /** How many of TLS and the socket under it have closed. */
  closes = 0
  /** For so many turns TLS has been ending the socket that is to be reset. */
  private turnsEnding = 0
  /** Node is asked to tell when there is room again. */
  awaitsDrain = false
  /** What was written in a handshake: it leaves in TLS, or not at all. */
  private securing: Array<Uint8Array | string> | undefined
  /** The end was asked for in a handshake. */
  private endsSecured = false

  /** How many are open in this process, accepted and dialled. */
  static open = 0

  constructor(socket: Net.Socket, known: Known) {
    super()
    this.socket = socket
    this.known = known
    // Node keeps the answer, and the system has none any more when the peer has reset.
    if (known.isAskedLater !== true) void (known.side === "local" ? socket.remoteAddress : socket.localAddress)
    NodeTransport.open++
    ;(socket as Carrier)[key] = this
    listen(socket)
  }

  /**
   * Speaks TLS from here on: `secured` has been made upon the socket, and its handshake is done. What is told and asked
   * is the TLS's from now on; the descriptor stays the socket's.
   */
  secure(secured: Secured): void {
    const raw = this.detach()
    // Room was told of by the socket.
    this.awaitsDrain = false
    this.secured = secured
    this.socket = secured.tls
    ;(secured.tls as Net.Socket as Carrier)[key] = this
    listen(secured.tls)
    // Its errors are the TLS's as well. Whoever closes first, the other has to follow.
    raw.on("error", ignore)
    if (this.flowing) this.socket.resume()
    this.endSecuring()
  }

  /** A handshake begins on a connection that is in use: nothing of what is written meanwhile may leave in plain. */
  beginSecuring(): Net.Socket {
    this.securing = []
    return this.detach()
  }

  get isSecuring(): boolean {
    return this.securing !== undefined
  }

  private endSecuring(): void {
    const { securing } = this
    if (securing === undefined) return
    this.securing = undefined
    let hasRoom = true
    for (const data of securing) hasRoom = this.hand(data)
    if (this.endsSecured) this.closeWrite()
    else if (securing.length > 0 && hasRoom) this.receiver?.onWritable()
  }

  upgrade(options: Socket.TlsUpgradeOptions, arrived: ReadonlyArray<Uint8Array>): Effect.Effect<void, unknown> {
    return upgradeToTls(this, this.known.side === "local" ? "server" : "client", options, arrived)
  }

  /** What it was to become has failed: it is nothing any more. */
  fail(code: string): void {
    const { receiver } = this
    this.isOver = true
    this.securing = undefined
    this.socket.destroy()
    receiver?.onBroken(code)
  }

  /** The socket under the TLS, or the socket itself. */
  get raw(): Net.Socket {
    return this.secured?.raw ?? this.socket
  }

  get capabilities(): Capabilities {
    return this.known.address._tag === "Tcp" ? ofTcp : ofUnix
  }

  get localAddress(): Address.Address {
    const { address, side } = this.known
    return side === "local" ? address : localOf(this.raw, address)
  }

  get remoteAddress(): Address.Address {
    const { address, side } = this.known
    return side === "remote" ? address : remoteOf(this.raw, address)
  }

  /** As it is shown and logged. Node's TLS has a private key in it. */
  toJSON() {
    const [local, remote] = [Address.describe(this.localAddress), Address.describe(this.remoteAddress)]
    return { _id: "Transport", local, remote, isSecured: this.secured !== undefined }
  }

  attach(receiver: Receiver): void {
    this.receiver = receiver
    if (this.brokenCode !== undefined) process.nextTick(tellBroken, this)
  }

  /**
   * Gives the socket away, to who reads and writes it from now on: nothing is delivered any more, and no act but `reset`
   * and `release` is asked for. It stays counted.
   */
  detach(): Net.Socket {
    return this.socket.off("data", onData).off("end", onEnd).off("error", onError)
  }

  /**
   * Lends the socket to who reads and writes it for a while. The end, an error and the release are still told, an end at
   * once; what arrives is not, and none but `reset` and `release` may be asked for before it is taken back.
   */
  lend(): void {
    this.flowing = true
    if (this.held !== "nothing") process.nextTick(tellHeld, this)
    this.socket.off("data", onData)
  }

  /**
   * Reads it again, and nobody else, who might take what comes for what it is not. It is paused. Who listens for anything but
   * its input goes on doing so. One by one: Node's `removeAllListeners` makes all that is done with the emitter slow.
   */
  takeBack(): void {
    const { socket } = this
    for (const [event, own] of lent) {
      for (const listener of socket.listeners(event)) if (listener !== own) socket.off(event, listener as () => void)
    }
    socket.on("data", onData)
    this.pause()
  }

  resume(): void {
    this.flowing = true
    this.socket.resume()
    if (this.held !== "nothing") process.nextTick(tellHeld, this)
  }

  pause(): void {
    this.flowing = false
    this.socket.pause()
  }

  catchUp(callback: () => void): void {
    awaitQuiet(this, callback)
  }

  private get ending(): boolean {
    return this.endedInTurn !== never
  }

  get unsentBytes(): number {
    const { secured, socket } = this
    return secured === undefined ? socket.writableLength : socket.writableLength + secured.unsentBefore
  }

  write(bytes: Uint8Array): boolean {
    return this.hand(bytes)
  }

  /** What Node counts of text that waits is its characters: text that has longer ones is better handed over as bytes. */
  writeText(text: string): boolean | undefined {
    return Buffer.byteLength(text) === text.length ? this.hand(text) : undefined
  }

  private hand(data: Uint8Array | string): boolean {
    const { securing, socket } = this
    if (securing !== undefined) {
      securing.push(data)
      return false
    }
    moved(data.length)
    // To Node a write after end() is an error that destroys the socket. What Node says of room is from before the system
    // took the bytes, which it mostly does at once: a long write that has left needs no waiting.
    if (this.ending || socket.write(data) || socket.writableLength < socket.writableHighWaterMark) return true
    if (!this.awaitsDrain) {
      this.awaitsDrain = true
      this.socket.on("drain", onDrain)
    }
    return false
  }

  closeWrite(_goodbye?: Goodbye, isLast?: boolean): void {
    if (this.ending || this.socket.destroyed) return
    if (this.securing !== undefined) {
      this.endsSecured = true
      return
    }
    // FIN is said by the close of the descriptor as well, for one system call less.
    if (isLast === true && this.hasEnded && this.secured === undefined && this.socket.writableLength === 0) {
      return this.receiver?.onFlushed()
    }
    this.endedInTurn = currentTurn()
    // Who had it on loan may have ended it.
    if (this.socket.writableFinished) process.nextTick(tellFlushed, this)
    else this.socket.on("finish", onFinish).end()
    if (this.secured?.isDirect === true && this.hasEnded) onNextTurn(() => this.probe())
  }

  /**
   * Node's TLS does not notice that a peer that has ended is gone, reset behind its end: what it has to write stays with it
   * for ever. The socket below is asked, by a write of nothing, which sends nothing.
   */
  private probe(): void {
    const { raw, socket } = this
    // With nothing left to be written TLS has asked for FIN, and nothing may be written behind it.
    if (socket.writableLength === 0 || raw.destroyed) return
    raw.write(nothing, (error: NodeJS.ErrnoException | null | undefined) => {
      if (error !== null && error !== undefined) socket.destroy(error)
    })
  }

  reset(): void {
    if (this.resetAfterTurn) return
    this.isOver = true
    // A reset in the same turn as end() fails with EINVAL and leaks the descriptor; it waits for the next.
    if (this.endedInTurn === currentTurn()) {
      this.resetAfterTurn = true
      if (this.receiver !== undefined) this.receiver = deaf(this.receiver)
      onNextTurn(() => {
        this.resetAfterTurn = false
        this.reset()
      })
      return
    }
    if (this.held === "release") return process.nextTick(tellReleased, this)
    this.held = "nothing"
    const { raw, socket } = this
    // Both have said FIN, and what TLS had has not been read: there is nobody left to be told, but TLS has to go.
    if (raw.destroyed) return void socket.destroy()
    // TLS ends the socket when all that it was given has left, and so do Node's rules begin: see `Secured.isEnding`.
    if (this.secured?.isEnding === true && ++this.turnsEnding < endingTurnsMax) return onNextTurn(() => this.reset())
    // A Unix socket has no RST. With unread input the peer sees ECONNRESET all the same, else an end.
    if (this.capabilities.reset && this.secured?.isEnding !== true) raw.resetAndDestroy()
    else raw.destroy()
    socket.destroy()
  }

  release(): void {
    this.receiver = undefined
    const { raw, secured, socket } = this
    // To a peer that does not look for close_notify, an end would look like one that was meant.
    if (secured?.truncated === true && secured.truncation === "error" && this.capabilities.reset) raw.resetAndDestroy()
    // TLS reads ahead, so that the system holds nothing that is unread and would not reset.
    if (secured !== undefined && socket.readableLength > 0 && this.capabilities.reset && !secured.isEnding) {
      raw.resetAndDestroy()
    }
    socket.destroy()
    raw.destroy()
  }
}

function listen(socket: Net.Socket): void {
  // Delivery begins with the first resume. A listener on a socket that is not paused yet starts it, and a pause after
  // that comes too late to keep Node from reading.
  socket.pause()
  socket.on("data", onData)
  socket.on("end", onEnd)
  socket.on("error", onError)
  socket.on("close", onClose)
}

const ignore = (): void => {}

function onFinish(this: Net.Socket): void {
  ;(this as Carrier)[key].receiver?.onFlushed()
}

function tellFlushed(transport: NodeTransport): void {
  transport.receiver?.onFlushed()
}

function onData(this: Net.Socket, bytes: Uint8Array): void {
  const transport = (this as Carrier)[key]
  transport.arrived += bytes.length
  moved(bytes.length)
  transport.receiver?.onData(bytes)
}

/**
 * Node 22 and the first releases of 24 take a reset for an end when there is something to read before it, and half an
 * answer for a whole one. The system knows better, and says so to who writes: a write of nothing sends nothing, and
 * fails. Writes that are under way fail by themselves, in this turn. Behind our own FIN there is no way to ask. TLS is not
 * asked: what it is to know it knows by close_notify, and on a broken pipe a write of nothing is never answered.
 */
export const endMayBeReset = Number(process.versions.node.split(".")[0]) < 26

const nothing = new Uint8Array(0)

function onEnd(this: Net.Socket): void {
  const transport = (this as Carrier)[key]
  if (
    !endMayBeReset ||
    transport.secured !== undefined ||
    !transport.capabilities.reset ||
    this.writableEnded ||
    this.destroyed
  )
    hearEnd(transport)
  else if (this.writableLength === 0) {
    this.write(nothing, (error) => {
      if (error === undefined || error === null) hearEnd(transport)
    })
  } else {
    onNextTurn(() => {
      if (!this.destroyed) hearEnd(transport)
    })
  }
}

/** Node tells of an end while it is paused, when nothing has to be read before it. */
function hearEnd(transport: NodeTransport): void {
  if (transport.flowing) tellEnd(transport)
  else transport.held = "end"
}

const truncated: PeerEnd = { truncated: true }

function tellEnd(transport: NodeTransport): void {
  const { receiver, secured } = transport
  transport.hasEnded = true
  if (secured?.truncated !== true) receiver?.onEnd()
  else if (secured.truncation === "error") {
    transport.isOver = true
    receiver?.onBroken("ERR_TLS_TRUNCATED")
  } else receiver?.onEnd(truncated)
}

function tellHeld(transport: NodeTransport): void {
  const { held } = transport
  if (!transport.flowing || held === "nothing") return
  transport.held = "nothing"
  tellEnd(transport)
  if (held === "release") tellReleased(transport)
}

/** What a lent socket is read by, and who of it stays. */
const lent = [
  ["data", onData],
  ["end", onEnd],
  ["error", onError]
] as const

function onDrain(this: Net.Socket): void {
  ;(this as Carrier)[key].receiver?.onWritable()
}

function onError(this: Net.Socket, error: NodeJS.ErrnoException): void {
  const transport = (this as Carrier)[key] as NodeTransport | undefined
  if (transport === undefined) return
  const { receiver } = transport
  if (receiver === undefined) {
    transport.brokenCode ??= error.code ?? error.message
    return
  }
  // What had arrived before the pipe broke can still be taken, and may be the peer's last answer, or the end of it.
  let bytes: Uint8Array | null
  while ((bytes = this.read() as Uint8Array | null) !== null) receiver.onData(bytes)
  if (transport.held === "end") {
    transport.held = "nothing"
    tellEnd(transport)
  }
  transport.isOver = true
  receiver.onBroken(error.code ?? error.message)
}

function onClose(this: Net.Socket): void {
  const transport = (this as Carrier)[key]
  if (this === transport.raw) NodeTransport.open--
  // Whichever of the two has closed first, the other follows.
  const { secured } = transport
  if (secured !== undefined && ++transport.closes < 2) {
    if (this !== transport.raw) transport.raw.destroy()
    else if (!secured.readsOn) transport.socket.destroy()
    return
  }
  // Whoever resumes now would wait for ever for an end that has come already.
  if (transport.held === "end" && transport.receiver !== undefined) transport.held = "release"
  else tellReleased(transport)
  // Nothing comes of it any more. Whoever keeps the socket keeps no more than that. Node's TLS may have an error left.
  if (secured === undefined) (this as { [key]?: NodeTransport | undefined })[key] = undefined
}

function tellBroken(transport: NodeTransport): void {
  transport.isOver = true
  transport.receiver?.onBroken(transport.brokenCode!)
  tellReleased(transport)
}

function tellReleased(transport: NodeTransport): void {
  const { receiver } = transport
  transport.receiver = undefined
  transport.held = "nothing"
  // Somebody who has the socket itself has destroyed it.
  const isWhole = transport.hasEnded && transport.socket.writableFinished
  if (!transport.isOver && !isWhole) receiver?.onBroken("ECONNABORTED")
  receiver?.onReleased()
}

/** Who has asked for a reset hears of nothing else any more. */
const deaf = (receiver: Receiver): Receiver => ({
  onData: () => {},
  onEnd: () => {},
  onWritable: () => {},
  onFlushed: () => {},
  onBroken: () => {},
  onReleased: () => receiver.onReleased()
})
