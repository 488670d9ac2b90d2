/**
 * A `net.Socket` as a transport. Public API only; no policy, no timer.
 *
 * Five listeners per socket, shared by all sockets: they find the transport through one symbol property, so that a
 * connection costs no closures.
 */
import type { Address } from "finwait/Address"
import type { Receiver, Transport } from "finwait/Transport"
import type * as Net from "node:net"
import { onNextTurns } from "./turns.ts"

const key = Symbol("finwait/transport")

interface Carrier extends Net.Socket {
  [key]: NodeTransport
}

/** What libuv reads at once: a chunk this long may have more behind it. */
const readBytes = 64 * 1024

/** After so many full reads in a row a catch-up gives up: the peer sends faster than we can tell old from new. */
const catchUpTurnsMax = 256

export class NodeTransport implements Transport {
  readonly socket: Net.Socket
  readonly capabilities: { readonly reset: boolean }
  readonly localAddress: Address
  readonly remoteAddress: Address
  receiver: Receiver | undefined
  /** Bytes that have arrived. */
  arrived = 0
  private ending = false
  private endedThisTurn = false
  private resetAfterTurn = false

  /** How many are open in this process, accepted and dialled. */
  static open = 0

  constructor(socket: Net.Socket, localAddress: Address, remoteAddress: Address) {
    this.socket = socket
    this.capabilities = { reset: remoteAddress._tag === "Tcp" }
    this.localAddress = localAddress
    this.remoteAddress = remoteAddress
    NodeTransport.open++
    ;(socket as Carrier)[key] = this
    socket.on("data", onData)
    // Delivery begins with the first resume. A listener alone would start it.
    socket.pause()
    socket.on("end", onEnd)
    socket.on("drain", onDrain)
    socket.on("error", onError)
    socket.on("close", onClose)
  }

  attach(receiver: Receiver): void {
    this.receiver = receiver
  }

  resume(): void {
    this.socket.resume()
  }

  pause(): void {
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
    return this.socket.write(bytes)
  }

  closeWrite(): void {
    if (this.ending || this.socket.destroyed) return
    this.ending = true
    // A reset in the same turn as end() fails with EINVAL and leaks the descriptor; it waits for the next.
    this.endedThisTurn = true
    onNextTurns(() => {
      this.endedThisTurn = false
      if (this.resetAfterTurn) this.reset()
      return false
    })
    this.socket.end(onFinish.bind(undefined, this))
  }

  reset(): void {
    if (this.endedThisTurn) {
      this.resetAfterTurn = true
      return
    }
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
  transport.receiver?.onData(bytes)
}

function onEnd(this: Net.Socket): void {
  ;(this as Carrier)[key].receiver?.onEnd()
}

function onDrain(this: Net.Socket): void {
  ;(this as Carrier)[key].receiver?.onWritable()
}

function onError(this: Net.Socket, error: NodeJS.ErrnoException): void {
  const { receiver } = (this as Carrier)[key]
  if (receiver === undefined) return
  // What had arrived before the pipe broke can still be taken, and may be the peer's last answer.
  let bytes: Uint8Array | null
  while ((bytes = this.read() as Uint8Array | null) !== null) receiver.onData(bytes)
  receiver.onBroken(error.code ?? error.message)
}

function onClose(this: Net.Socket): void {
  const transport = (this as Carrier)[key]
  const { receiver } = transport
  NodeTransport.open--
  transport.receiver = undefined
  receiver?.onReleased()
}
