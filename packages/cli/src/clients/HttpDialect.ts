/**
 * Requests and answers of HTTP/1.1 (RFC 9112), written and read by hand: what a library would ask again, follow or keep
 * alive by itself is what is observed here. Streams of HTTP/2 are told in the same words, see `Http2Channel`.
 */
import { refused } from "./channels/Http2Channel.ts"
import type { Dialect, Transcript } from "./Dialect.ts"

export interface HttpAsk {
  readonly method: string
  readonly path: string
  /** What a body is said to have; it is sent by whoever asks. */
  readonly uploadBytes?: number
  /** As it was answered before. Default: any but those that say that the server cannot (5xx). */
  readonly status?: number
  /** How long the body was then; only held against an answer that does not say how long it is. */
  readonly bytes?: number
}

/** An answer that has come, or has begun to. */
export interface HttpAnswer {
  readonly status: string
  bytes: number
  /** How its end is known: by a length, by chunks, or by the end of the connection. */
  readonly framing: "length" | "chunks" | "close" | "none"
}

const lineEnd = Buffer.from("\r\n")

/** No server has heads as long as this. */
const headBytesMax = 256 * 1024

export class HttpTranscript implements Transcript<HttpAsk> {
  expectedBytes = 0
  receivedBytes = 0
  readonly instead: Array<string> = []
  saidLast = false
  readonly answers: Array<HttpAnswer> = []
  private readonly host: string
  private readonly awaited: Array<HttpAsk> = []
  private rest: Buffer = Buffer.alloc(0)
  private current: { readonly answer: HttpAnswer; readonly ask: HttpAsk | undefined } | undefined
  /** Of a body, or a chunk and the line end behind it. */
  private left = 0
  private inTrailers = false
  private isLost = false

  constructor(host: string) {
    this.host = host
  }

  ask(ask: HttpAsk): string {
    this.awaited.push(ask)
    this.expectedBytes += ask.bytes ?? 0
    const head = [
      `${ask.method} ${ask.path} HTTP/1.1`,
      `Host: ${this.host}`,
      "User-Agent: finwait-check",
      "Accept: */*"
    ]
    if (ask.uploadBytes !== undefined) {
      head.push("Content-Type: application/octet-stream", `Content-Length: ${ask.uploadBytes}`)
    }
    return `${head.join("\r\n")}\r\n\r\n`
  }

  get whole(): boolean {
    return this.awaited.length === 0 && this.instead.length === 0 && this.current === undefined && !this.isLost
  }

  hear(chunk: Buffer): void {
    this.receivedBytes += chunk.length
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    while (this.rest.length > 0 && this.step());
    // What is kept is not the channel's to use again.
    if (this.rest.length > 0) this.rest = Buffer.from(this.rest)
  }

  end(): void {
    const { current } = this
    if (current?.answer.framing !== "close") return
    if (current.ask?.bytes !== undefined && current.answer.bytes < current.ask.bytes) return
    this.finish()
  }

  /** Takes something of what has come; `false`: there is not enough. */
  private step(): boolean {
    const { current } = this
    if (this.isLost) return this.take(this.rest.length)
    if (current === undefined) return this.hearHead()
    if (this.left > 0 || current.answer.framing === "close") return this.hearBody(current.answer)
    return this.hearChunkLine()
  }

  private take(bytes: number): true {
    this.rest = this.rest.subarray(bytes)
    return true
  }

  private hearHead(): boolean {
    const end = this.rest.indexOf("\r\n\r\n")
    if (end < 0) {
      if (this.rest.length > headBytesMax) this.lose("no HTTP")
      return this.isLost
    }
    const head = this.rest.toString("latin1", 0, end)
    this.take(end + 4)
    const status = /^HTTP\/\d(?:\.\d)? (\S+)/.exec(head)?.[1]
    if (status === undefined) this.lose("no HTTP")
    // 100 Continue, and hints: the answer is still to come.
    else if (!/^1\d\d$/.test(status)) this.begin(status, head)
    return true
  }

  private begin(status: string, head: string): void {
    const ask = this.awaited.shift()
    const isExpected =
      ask === undefined ? false : ask.status === undefined ? !status.startsWith("5") : status === String(ask.status)
    if (status === refused) this.expectedBytes -= ask?.bytes ?? 0
    else if (!isExpected) this.instead.push(status)
    // HTTP/1.0 keeps a connection only where it says so.
    const isKept = !head.startsWith("HTTP/1.0") || /^connection:.*\bkeep-alive\b/im.test(head)
    if (!isKept || /^connection:.*\bclose\b/im.test(head)) this.saidLast = true
    const length = /^content-length: *(\d+) *$/im.exec(head)?.[1]
    const isEmpty = ask?.method === "HEAD" || status === "204" || status === "304" || status === refused
    const framing =
      isEmpty || length === "0"
        ? "none"
        : /^transfer-encoding:.*\bchunked\b/im.test(head)
          ? "chunks"
          : length !== undefined
            ? "length"
            : /^\d/.test(status)
              ? "close"
              : "none"
    const answer: HttpAnswer = { status, bytes: 0, framing }
    this.answers.push(answer)
    this.current = { answer, ask }
    this.left = framing === "length" ? Number(length) : 0
    if (framing === "close") this.saidLast = true
    if (framing === "none") this.finish()
  }

  private hearBody(answer: HttpAnswer): boolean {
    const bytes = answer.framing === "close" ? this.rest.length : Math.min(this.left, this.rest.length)
    if (answer.framing === "close") {
      answer.bytes += bytes
      return this.take(bytes)
    }
    // The line end behind a chunk is none of the body.
    const tail = answer.framing === "chunks" ? lineEnd.length : 0
    const before = Math.max(0, this.left - tail)
    this.left -= bytes
    answer.bytes += before - Math.max(0, this.left - tail)
    this.take(bytes)
    if (this.left === 0 && answer.framing === "length") this.finish()
    return true
  }

  private hearChunkLine(): boolean {
    const end = this.rest.indexOf(lineEnd)
    if (end < 0) return false
    const line = this.rest.toString("latin1", 0, end)
    this.take(end + lineEnd.length)
    if (this.inTrailers) {
      if (line !== "") return true
      this.inTrailers = false
      this.finish()
      return true
    }
    const size = Number.parseInt(line, 16)
    if (!Number.isFinite(size)) this.lose(`no chunk: ${line.slice(0, 20)}`)
    else if (size === 0) this.inTrailers = true
    else this.left = size + lineEnd.length
    return true
  }

  private finish(): void {
    this.current = undefined
    this.left = 0
  }

  /** Nothing is understood any more. */
  private lose(what: string): void {
    this.isLost = true
    this.instead.push(what)
  }
}

export const httpDialect = (host: string): Dialect<HttpAsk> => ({ transcript: () => new HttpTranscript(host) })
