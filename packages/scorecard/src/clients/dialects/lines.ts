/**
 * Lines of text and bodies of bytes. Text must match to the byte, bodies to the length. Nothing is kept but counts, so
 * that 64 MB cost nothing. Over a WebSocket, text has to come as text and bodies as bytes.
 */
import type { Exchange } from "../../Protocol.ts"
import type { Kind } from "@finwait/cli/clients/channels/Channel"
import type { Dialect, Transcript } from "./Dialect.ts"

type Part = { readonly text: string; at: number } | { bytes: number }

class LineTranscript implements Transcript {
  expectedBytes = 0
  receivedBytes = 0
  readonly instead = []
  readonly saidLast = false
  /** Something else was heard than what was to be heard, or more. */
  private wrong = false
  private readonly parts: Array<Part> = []

  ask(exchange: Exchange): string {
    this.expectedBytes += exchange.text.length + exchange.bodyBytes
    if (exchange.text.length > 0) this.parts.push({ text: exchange.text, at: 0 })
    if (exchange.bodyBytes > 0) this.parts.push({ bytes: exchange.bodyBytes })
    return `${exchange.verb} ${exchange.amount}\n`
  }

  hear(chunk: Buffer, kind: Kind): void {
    this.receivedBytes += chunk.length
    let from = 0
    while (from < chunk.length) {
      const part = this.parts[0]
      if (part === undefined) {
        this.wrong = true
        return
      }
      if (kind === ("text" in part ? "binary" : "text")) this.wrong = true
      from += "text" in part ? this.hearText(part, chunk, from) : this.hearBody(part, chunk.length - from)
    }
  }

  get whole(): boolean {
    return !this.wrong && this.parts.length === 0
  }

  private hearText(part: { readonly text: string; at: number }, chunk: Buffer, from: number): number {
    const length = Math.min(part.text.length - part.at, chunk.length - from)
    const heard = chunk.toString("latin1", from, from + length)
    if (heard !== part.text.slice(part.at, part.at + length)) this.wrong = true
    part.at += length
    if (part.at === part.text.length) this.parts.shift()
    return length
  }

  private hearBody(part: { bytes: number }, available: number): number {
    const length = Math.min(part.bytes, available)
    part.bytes -= length
    if (part.bytes === 0) this.parts.shift()
    return length
  }
}

export const lines: Dialect = {
  name: "lines",
  transcript: () => new LineTranscript(),
  stat: "STAT\n",
  openOf: (line) => {
    const open = /^OPEN (\d+)$/.exec(line)?.[1]
    return open === undefined ? undefined : Number(open)
  }
}
