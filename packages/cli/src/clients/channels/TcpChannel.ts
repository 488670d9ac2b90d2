/**
 * Plain TCP, or a Unix socket. Node reads into a buffer of ours (`onread`), since only then does a pause reach the kernel at once: a paused
 * stream reads on until its own buffer is full.
 */
import * as net from "node:net"
import { targetOf, type To } from "../To.ts"
import { type Channel, type Ear, half } from "./Channel.ts"

// Ten thousand connections have one each.
const bufferBytes = 16 * 1024

export class TcpChannel implements Channel {
  private readonly socket: net.Socket
  localPort = 0

  constructor(to: To, ear: Ear) {
    this.socket = net.connect({
      ...targetOf(to),
      allowHalfOpen: true,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafeSlow(bufferBytes),
        callback: (length, buffer) => {
          ear.heard(Buffer.from(buffer.buffer, buffer.byteOffset, length), undefined)
          return true
        }
      }
    })
    // Paused before it is connected: Node would otherwise begin to read on its own.
    this.socket.pause()
    this.socket.on("connect", () => {
      this.localPort = this.socket.localPort ?? 0
      ear.connected()
      ear.ready()
    })
    this.socket.on("end", () => ear.saw("FIN"))
    this.socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") ear.saw("refused")
      else if (error.code === "ECONNRESET" || error.code === "EPIPE") ear.saw("RST")
      else ear.failed(`${error.code ?? error.name}: ${error.message}`)
    })
    this.socket.on("close", () => ear.closed())
  }

  /** `taken` is called when the kernel has it, or never will. */
  send(message: string | Uint8Array, taken?: () => void): void {
    this.socket.write(message, taken)
  }

  sendHalf(message: string | Uint8Array): void {
    this.send(half(message))
  }

  read(): void {
    this.socket.resume()
  }

  hold(): void {
    this.socket.pause()
  }

  answer(): void {
    this.socket.end()
  }

  leave(): void {
    this.socket.end()
  }

  destroy(): void {
    this.socket.destroy()
  }
}
