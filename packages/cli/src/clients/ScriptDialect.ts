/** Requests as a script has them, and answers as it expects them. Nothing is kept but counts: 64 MB cost nothing. */
import type { Dialect, Transcript } from "./Dialect.ts"

/** What is sent, and what makes its answer whole: these bytes, then so many lines, then so many bytes. */
export interface ScriptAsk {
  readonly send: Uint8Array
  readonly expect: {
    readonly text?: string | undefined
    readonly lines?: number | undefined
    readonly bytes?: number | undefined
  }
}

type Part = { readonly text: Buffer; at: number } | { bytes: number } | { lines: number }

const newline = 10

class ScriptTranscript implements Transcript<ScriptAsk> {
  expectedBytes = 0
  receivedBytes = 0
  readonly instead: Array<string> = []
  readonly saidLast = false
  private readonly parts: Array<Part> = []

  ask({ expect, send }: ScriptAsk): Uint8Array {
    const { bytes, lines, text } = expect
    if (text !== undefined && text !== "") this.parts.push({ text: Buffer.from(text), at: 0 })
    if (lines !== undefined && lines > 0) this.parts.push({ lines })
    if (bytes !== undefined && bytes > 0) this.parts.push({ bytes })
    this.expectedBytes += (text === undefined ? 0 : Buffer.byteLength(text)) + (bytes ?? 0)
    return send
  }

  get whole(): boolean {
    return this.parts.length === 0 && this.instead.length === 0
  }

  hear(chunk: Buffer): void {
    this.receivedBytes += chunk.length
    let rest = chunk
    while (rest.length > 0 && this.instead.length === 0) {
      const [part] = this.parts
      if (part === undefined) return void this.instead.push("more than was expected")
      rest = rest.subarray(this.hearPart(part, rest))
    }
  }

  private hearPart(part: Part, chunk: Buffer): number {
    if ("text" in part) {
      const length = Math.min(part.text.length - part.at, chunk.length)
      const isSame = part.text.subarray(part.at, part.at + length).equals(chunk.subarray(0, length))
      if (!isSame) this.instead.push("another answer")
      part.at += length
      if (part.at === part.text.length) this.parts.shift()
      return length
    }
    if ("bytes" in part) {
      const length = Math.min(part.bytes, chunk.length)
      part.bytes -= length
      if (part.bytes === 0) this.parts.shift()
      return length
    }
    const end = chunk.indexOf(newline)
    if (end < 0) return chunk.length
    part.lines--
    if (part.lines === 0) this.parts.shift()
    return end + 1
  }
}

export const scriptDialect: Dialect<ScriptAsk> = { transcript: () => new ScriptTranscript() }
