/** A client on `node:net` alone, which shares no code with what it tests. It answers a FIN with its own. */
import * as net from "node:net"
import { Watch } from "./Watch.ts"

/** Only tells an end from a hang. */
const boundMillis = 12_000

export class RawClient {
  readonly socket: net.Socket
  /** `FIN`, or the code of what broke the connection. */
  ending: string | undefined
  private readonly chunks: Array<Buffer> = []
  private receivedBytes = 0
  private readonly watch = new Watch()

  constructor(address: string, options: { readonly answersFin?: boolean } = {}) {
    const { hostname, pathname, port, protocol } = new URL(address)
    const where = protocol === "unix:" ? { path: pathname } : { host: hostname, port: Number(port) }
    this.socket = net.connect({ ...where, allowHalfOpen: true })
    this.socket.on("data", (chunk) => {
      this.chunks.push(chunk)
      this.receivedBytes += chunk.length
      this.watch.changed()
    })
    this.socket.on("end", () => {
      this.end("FIN")
      if (options.answersFin !== false) this.socket.end()
    })
    this.socket.on("error", (error: NodeJS.ErrnoException) => this.end(error.code ?? error.message))
    this.socket.on("connect", () => this.watch.changed())
    this.socket.on("close", () => this.watch.changed())
  }

  static async connect(address: string, options?: { readonly answersFin?: boolean }): Promise<RawClient> {
    const client = new RawClient(address, options)
    await client.until(() => !client.socket.connecting, `connected to ${address}`)
    return client
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get text(): string {
    return this.bytes.toString()
  }

  /** Sends, and waits until the system has it. */
  send(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) =>
      this.socket.write(bytes, (error) => (error === undefined || error === null ? resolve() : reject(error)))
    )
  }

  /** Waits until so many bytes, or a text, have arrived. */
  hears(what: number | string): Promise<void> {
    return typeof what === "number"
      ? this.until(() => this.receivedBytes >= what, `${what} bytes`)
      : this.until(() => this.text.includes(what), `"${what}"`)
  }

  /** Waits for the end and says which it was. */
  async ended(): Promise<string> {
    await this.until(() => this.ending !== undefined, "the connection ends")
    return this.ending!
  }

  until(condition: () => boolean, what: string): Promise<void> {
    return this.watch.until(
      condition,
      boundMillis,
      () => `${what}; ${this.receivedBytes} bytes heard, ${this.ending ?? "open"}: ${this.text.slice(-200)}`
    )
  }

  private end(how: string): void {
    this.ending ??= how
    this.watch.changed()
  }
}
