/**
 * What a WebSocket stands on: a stream that `ws` reads and writes, and the last acts of the pipe that it is, which `ws`
 * knows nothing of.
 */
import type { Address } from "finwait/Address"
import type { Transport } from "finwait/Transport"
import type * as Net from "node:net"
import type { Duplex } from "node:stream"
import { type Arriving, awaitQuiet } from "./catchUp.ts"
import { endMayBeReset, NodeTransport } from "./transport.ts"
import { TransportStream } from "./webSocketStream.ts"

export interface Under {
  readonly stream: Duplex
  /** Its reset reaches the peer as one. */
  readonly resets: boolean
  /** The peer's reset may look like an end: see `transport.ts`. */
  readonly endMayBeReset: boolean
  readonly localAddress: Address
  readonly remoteAddress: Address
  /** Bytes that have arrived: of the upgrade and behind it, and of no handshake below. */
  readonly arrived: number
  /** Calls back when what the system held has come to the stream's reader, or as `Transport.catchUp` says. */
  catchUp(callback: () => void): void
  reset(): void
  release(): void
}

/** Node's own socket, with nothing in between. */
class OfSocket implements Under, Arriving {
  readonly stream: Net.Socket
  private readonly raw: NodeTransport

  constructor(raw: NodeTransport) {
    this.raw = raw
    this.stream = raw.detach()
    // Between the giving away and the listeners of who takes it, a reset must not be nobody's.
    this.stream.on("error", ignore)
  }

  get socket(): Net.Socket {
    return this.stream
  }

  get resets(): boolean {
    return this.raw.capabilities.reset
  }

  get endMayBeReset(): boolean {
    return endMayBeReset && this.resets
  }

  get localAddress(): Address {
    return this.raw.localAddress
  }

  get remoteAddress(): Address {
    return this.raw.remoteAddress
  }

  get arrived(): number {
    return this.stream.bytesRead
  }

  catchUp(callback: () => void): void {
    awaitQuiet(this, callback)
  }

  reset(): void {
    this.raw.reset()
  }

  release(): void {
    this.raw.release()
  }
}

/** Any other transport. */
class OfTransport implements Under {
  readonly stream: TransportStream
  readonly endMayBeReset = false
  private readonly raw: Transport

  constructor(raw: Transport) {
    this.raw = raw
    this.stream = new TransportStream(raw)
    this.stream.on("error", ignore)
  }

  get resets(): boolean {
    return this.raw.capabilities.reset
  }

  get localAddress(): Address {
    return this.raw.localAddress
  }

  get remoteAddress(): Address {
    return this.raw.remoteAddress
  }

  get arrived(): number {
    return this.stream.arrived
  }

  catchUp(callback: () => void): void {
    this.raw.catchUp(callback)
  }

  reset(): void {
    this.raw.reset()
  }

  release(): void {
    this.stream.destroy()
  }
}

const ignore = () => {}

export const under = (raw: Transport): Under =>
  raw instanceof NodeTransport ? new OfSocket(raw) : new OfTransport(raw)
