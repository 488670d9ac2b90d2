/**
 * Any transport as a stream of Node's, for a WebSocket that does not stand on a socket: on the simulated network, say.
 */
import type { Receiver, Transport } from "finwait/Transport"
import { Duplex } from "node:stream"

type Done = (error?: Error | null) => void

const nobody: Done = () => {}

export class TransportStream extends Duplex implements Receiver {
  /** Bytes that have arrived. */
  arrived = 0
  private readonly transport: Transport
  private written = nobody
  private ended = nobody

  constructor(transport: Transport) {
    super({ allowHalfOpen: true })
    this.transport = transport
    transport.attach(this)
  }

  override _read(): void {
    this.transport.resume()
  }

  override _write(bytes: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    if (this.transport.write(bytes)) done()
    else this.written = done
  }

  override _final(done: Done): void {
    this.ended = done
    this.transport.closeWrite()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.transport.release()
    done(error)
  }

  // What the transport tells ------------------------------------------------------------------------------------------

  onData(bytes: Uint8Array): void {
    this.arrived += bytes.length
    if (!this.push(bytes)) this.transport.pause()
  }

  onEnd(): void {
    this.push(null)
  }

  onWritable(): void {
    const { written } = this
    this.written = nobody
    written()
  }

  onFlushed(): void {
    this.ended()
  }

  onBroken(code: string): void {
    this.destroy(Object.assign(new Error(`broken (${code})`), { code }))
  }

  onReleased(): void {
    this.destroy()
  }
}
