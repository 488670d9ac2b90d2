/**
 * A `net.Socket` as a transport. Public API only; no policy, no timer.
 *
 * Four listeners per socket, and a fifth where somebody had to wait for room, shared by all sockets: they find the
 * transport through one symbol property, so that a connection costs no closures.
 */
import type { Address } from "finwait/Address"
import type { Capabilities, Receiver, Transport } from "finwait/Transport"
import type * as Net from "node:net"
import { moved } from "./buffers.ts"
import { currentTurn, onNextTurns } from "./turns.ts"

const key = Symbol("finwait/transport")

interface Carrier extends Net.Socket {
  [key]: NodeTransport
}

const ofTcp: Capabilities = { reset: true, halfClose: true }
const ofUnix: Capabilities = { reset: false, halfClose: true }

/** What libuv reads at once: a chunk this long may have more behind it. */
const readBytes = 64 * 1024

/** After so many full reads in a row a catch-up gives up: the peer sends faster than we can tell old from new. */
const catchUpTurnsMax = 256

export class NodeTransport implements Transport {
  readonly socket: Net.Socket
  readonly capabilities: Capabilities
  readonly localAddress: Address
  readonly remoteAddress: Address
  receiver: Receiver | undefined
  /** Bytes that have arrived. */
  arrived = 0
  private ending = false
  flowing = false
  /** The end came while delivery was off; and then the socket was gone, too. Both are told after the next resume. */
  endHeld = false
  releaseHeld = false
  /** The turn of the event loop in which end() was called. */
  private endedInTurn = -1
  private resetAfterTurn = false
  /** Node is asked to tell when there is room again. */
  awaitsDrain = false

  /** How many are open in this process, accepted and dialled. */
  static open = 0

  constructor(socket: Net.Socket, localAddress: Address, remoteAddress: Address) {
    this.socket = socket
    this.capabilities = remoteAddress._tag === "Tcp" ? ofTcp : ofUnix
    this.localAddress = localAddress
    this.remoteAddress = remoteAddress
    NodeTransport.open++
    ;(socket as Carrier)[key] = this
    // Delivery begins with the first resume. A listener on a socket that is not paused yet starts it, and a pause after
    // that comes too late to keep Node from reading.
    socket.pause()
    socket.on("data", onData)
    socket.on("end", onEnd)
    socket.on("error", onError)
    socket.on("close", onClose)
  }

  attach(receiver: Receiver): void {
    this.receiver = receiver
  }

  resume(): void {
    this.flowing = true
    this.socket.resume()
    if (this.endHeld) process.nextTick(tellHeld, this)
  }

  pause(): void {
    this.flowing = false
    this.socket.pause()
  }

  /**
   * What the kernel holds is delivered by the next poll for readable sockets, 64 KiB at a time: a turn that brings less
   * has emptied it. Two turns, because the first poll may already have passed this socket by.
   */
  catchUp(callback: () => void): void {
    let turns = 0
    let quiet = 0
    let before = this.arrived
    onNextTurns(() => {
      quiet = this.arrived - before >= readBytes ? 0 : quiet + 1
      before = this.arrived
      if (quiet < 2 && ++turns < catchUpTurnsMax && !this.socket.destroyed) return true
      callback()
      return false
    })
  }

  get unsentBytes(): number {
    return this.socket.writableLength
  }

  write(bytes: Uint8Array): boolean {
    const { socket } = this
    moved(bytes.length)
    // To Node a write after end() is an error that destroys the socket. What Node says of room is from before the system
    // took the bytes, which it mostly does at once: a long write that has left needs no waiting.
    if (this.ending || socket.write(bytes) || socket.writableLength < socket.writableHighWaterMark) return true
    if (!this.awaitsDrain) {
      this.awaitsDrain = true
      this.socket.on("drain", onDrain)
    }
    return false
  }

  closeWrite(): void {
    if (this.ending || this.socket.destroyed) return
    this.ending = true
    this.endedInTurn = currentTurn()
    this.socket.end(onFinish.bind(undefined, this))
  }

  reset(): void {
    if (this.resetAfterTurn) return
    // A reset in the same turn as end() fails with EINVAL and leaks the descriptor; it waits for the next.
    if (this.endedInTurn === currentTurn()) {
      this.resetAfterTurn = true
      if (this.receiver !== undefined) this.receiver = deaf(this.receiver)
      onNextTurns(() => {
        this.resetAfterTurn = false
        this.reset()
        return false
      })
      return
    }
    this.endHeld = false
    if (this.releaseHeld) return process.nextTick(tellReleased, this)
    if (this.socket.destroyed) return
    // A Unix socket has no RST. With unread input the peer sees ECONNRESET all the same, else an end.
    if (this.capabilities.reset) this.socket.resetAndDestroy()
    else this.socket.destroy()
  }

  release(): void {
    this.receiver = undefined
    this.socket.destroy()
  }
}

function onFinish(transport: NodeTransport, error?: Error | null): void {
  if (error === undefined || error === null) transport.receiver?.onFlushed()
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
 * fails. Writes that are under way fail by themselves, in this turn. Behind our own FIN there is no way to ask.
 */
const endMayBeReset = Number(process.versions.node.split(".")[0]) < 26

const nothing = new Uint8Array(0)

function onEnd(this: Net.Socket): void {
  const transport = (this as Carrier)[key]
  if (!endMayBeReset || !transport.capabilities.reset || this.writableEnded || this.destroyed) hearEnd(transport)
  else if (this.writableLength === 0) {
    this.write(nothing, (error) => {
      if (error === undefined || error === null) hearEnd(transport)
    })
  } else {
    onNextTurns(() => {
      if (!this.destroyed) hearEnd(transport)
      return false
    })
  }
}

/** Node tells of an end while it is paused, when nothing has to be read before it. */
function hearEnd(transport: NodeTransport): void {
  if (transport.flowing) transport.receiver?.onEnd()
  else transport.endHeld = true
}

function tellHeld(transport: NodeTransport): void {
  if (!transport.flowing || !transport.endHeld) return
  transport.endHeld = false
  transport.receiver?.onEnd()
  if (transport.releaseHeld) tellReleased(transport)
}

function onDrain(this: Net.Socket): void {
  ;(this as Carrier)[key].receiver?.onWritable()
}

function onError(this: Net.Socket, error: NodeJS.ErrnoException): void {
  const transport = (this as Carrier)[key]
  const { receiver } = transport
  if (receiver === undefined) return
  // What had arrived before the pipe broke can still be taken, and may be the peer's last answer, or the end of it.
  let bytes: Uint8Array | null
  while ((bytes = this.read() as Uint8Array | null) !== null) receiver.onData(bytes)
  if (transport.endHeld) {
    transport.endHeld = false
    receiver.onEnd()
  }
  receiver.onBroken(error.code ?? error.message)
}

function onClose(this: Net.Socket): void {
  const transport = (this as Carrier)[key]
  NodeTransport.open--
  // Whoever resumes now would wait for ever for an end that has come already.
  if (transport.endHeld && transport.receiver !== undefined) transport.releaseHeld = true
  else tellReleased(transport)
}

function tellReleased(transport: NodeTransport): void {
  const { receiver } = transport
  transport.receiver = undefined
  transport.releaseHeld = false
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
