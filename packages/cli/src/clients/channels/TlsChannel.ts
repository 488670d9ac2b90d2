/**
 * TLS over a TCP channel, which stays the one that reads or does not: whatever it hears goes up at once.
 *
 * Node ends a TLS stream in the same way for a close_notify and for a bare FIN. To tell them apart, the FIN goes up one
 * turn of the event loop later: a stream that has ended by then was told so by a close_notify.
 */
import { Duplex } from "node:stream"
import * as tls from "node:tls"
import type { Seen } from "../ClientRecord.ts"
import type { To } from "../To.ts"
import { type Channel, type Ear, half } from "./Channel.ts"
import { TcpChannel } from "./TcpChannel.ts"

export type TlsVersion = "TLSv1.2" | "TLSv1.3"

export interface TlsOptions {
  /** Default: 1.3. */
  readonly version?: TlsVersion | undefined
  /** Whom to trust, in PEM. Without it any certificate will do: what is looked at here is not who the server is. */
  readonly ca?: string | Buffer | undefined
  /** Default: localhost. */
  readonly servername?: string | undefined
  /** What is spoken on it, as ALPN has it. */
  readonly protocol?: string | undefined
}

export class TlsChannel implements Channel {
  private readonly ear: Ear
  private readonly raw: TcpChannel
  private readonly pipe: Duplex
  private readonly secure: tls.TLSSocket
  private shaken = false
  private wantsToRead = false
  /** A FIN, an RST or a refusal. What TLS says from there on is about that, and no news. */
  private over = false

  constructor(to: To, ear: Ear, options: TlsOptions = {}) {
    const { ca, protocol, servername = "localhost", version = "TLSv1.3" } = options
    this.ear = ear
    this.raw = new TcpChannel(to, {
      connected: () => ear.connected(),
      ready: () => {},
      heard: (chunk) => this.pipe.push(Buffer.from(chunk)),
      saw: (what) => this.onRawEnd(what),
      failed: (trouble) => ear.failed(trouble),
      closed: () => ear.closed()
    })
    this.pipe = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _, taken) => this.raw.send(chunk, () => taken()),
      final: (done) => {
        this.raw.leave()
        done()
      }
    })
    this.secure = tls.connect({
      socket: this.pipe,
      servername,
      ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
      ...(protocol === undefined ? {} : { ALPNProtocols: [protocol] }),
      minVersion: version,
      maxVersion: version
    })
    this.secure.on("secureConnect", () => this.onShaken())
    this.secure.on("data", (chunk: Buffer) => ear.heard(chunk, undefined))
    this.secure.on("end", () => {
      if (!this.over) ear.saw("close_notify")
    })
    this.secure.on("error", (error: NodeJS.ErrnoException) => {
      if (!this.over) ear.failed(`${error.code ?? error.name}: ${error.message}`)
    })
    this.raw.read()
  }

  get localPort(): number {
    return this.raw.localPort
  }

  send(message: string | Uint8Array, taken?: () => void): void {
    this.secure.write(message, taken)
  }

  sendHalf(message: string | Uint8Array): void {
    this.send(half(message))
  }

  read(): void {
    this.wantsToRead = true
    this.raw.read()
  }

  hold(): void {
    this.wantsToRead = false
    if (this.shaken) this.raw.hold()
  }

  answer(): void {
    this.secure.end()
  }

  leave(): void {
    this.secure.end()
  }

  destroy(): void {
    this.over = true
    this.raw.destroy()
    this.secure.destroy()
  }

  private onShaken(): void {
    this.shaken = true
    if (!this.wantsToRead) this.raw.hold()
    this.ear.ready()
  }

  private onRawEnd(what: Seen): void {
    if (what !== "FIN") {
      this.over = true
      this.ear.saw(what)
      return
    }
    setImmediate(() => {
      this.over = true
      this.ear.saw("FIN")
      this.pipe.push(null)
    })
  }
}
