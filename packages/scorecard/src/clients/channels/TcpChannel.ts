/**
 * Plain TCP. Node reads into a buffer of ours (`onread`), since only then does a pause reach the kernel at once: a paused
 * stream reads on until its own buffer is full.
 */
import * as net from "node:net"
import type { Channel, Ear } from "./Channel.ts"

// Ten thousand connections have one each.
const bufferBytes = 16 * 1024

export class TcpChannel implements Channel {
  private readonly socket: net.Socket
  localPort = 0

  constructor(port: number, ear: Ear) {
    this.socket = net.connect({
      host: "127.0.0.1",
      port,
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
      if (error.code === "ECONNREFUSED") ear.saw("refused")
      else if (error.code === "ECONNRESET" || error.code === "EPIPE") ear.saw("RST")
      else ear.failed(`${error.code ?? error.name}: ${error.message}`)
    })
    this.socket.on("close", () => ear.closed())
  }

  /** `taken` is called when the kernel has it, or never will. */
  send(message: string | Uint8Array, taken?: () => void): void {
    this.socket.write(message, taken)
  }

  sendHalf(message: string): void {
    this.send(message.slice(0, message.length / 2))
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
