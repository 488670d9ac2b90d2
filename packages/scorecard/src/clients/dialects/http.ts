/**
 * Requests and answers of HTTP/1.1, written and read by hand, as far as the job server speaks it: its answers say how long
 * they are. One that comes in chunks is another's, of which only the status counts, and nothing is understood behind it.
 * Streams of HTTP/2 are told in the same words, see `Http2Channel`.
 */
import { refused } from "@finwait/cli/clients/channels/Http2Channel"
import { type Exchange, path, uploadBytes } from "../../Protocol.ts"
import type { Dialect, Transcript } from "./Dialect.ts"
import { lines } from "./lines.ts"

const ok = "200"

const uploads = new Set<Exchange["verb"]>(["REJECT", "UNREAD"])

const requestOf = (exchange: Pick<Exchange, "verb" | "amount">): string => {
  const isUpload = uploads.has(exchange.verb)
  const head = [`${isUpload ? "POST" : "GET"} ${path(exchange)} HTTP/1.1`, "Host: 127.0.0.1"]
  if (isUpload) head.push(`Content-Length: ${uploadBytes}`)
  return `${head.join("\r\n")}\r\n\r\n`
}

class HttpTranscript implements Transcript {
  expectedBytes = 0
  receivedBytes = 0
  readonly instead: Array<string> = []
  saidLast = false
  /** What each answer has to say, in their order: the text and the body of the exchange. */
  private readonly awaited: Array<Transcript> = []
  private head = ""
  /** Of the body of the answer that is being heard. */
  private left = 0
  private isLostInChunks = false
  /** What that body should be; `undefined` for the one of another answer than 200. */
  private current: Transcript | undefined

  ask(exchange: Exchange): string {
    const answer = lines.transcript()
    answer.ask(exchange)
    this.expectedBytes += answer.expectedBytes
    this.awaited.push(answer)
    return requestOf(exchange)
  }

  hear(chunk: Buffer): void {
    this.receivedBytes += chunk.length
    if (this.isLostInChunks) return
    let rest = chunk
    while (rest.length > 0) rest = this.left > 0 ? this.hearBody(rest) : this.hearHead(rest)
  }

  get whole(): boolean {
    return this.awaited.length === 0 && this.instead.length === 0 && this.head === "" && this.left === 0
  }

  private hearHead(chunk: Buffer): Buffer {
    const before = this.head.length
    // Latin-1 keeps one character for each byte, so that the body begins where the text says.
    this.head += chunk.toString("latin1")
    const end = this.head.indexOf("\r\n\r\n")
    if (end < 0) return chunk.subarray(chunk.length)
    this.begin(this.head.slice(0, end))
    this.head = ""
    if (this.isLostInChunks) return chunk.subarray(chunk.length)
    return chunk.subarray(end + 4 - before)
  }

  private begin(head: string): void {
    const status = head.split(" ", 2)[1]?.split("\r\n", 1)[0] ?? ""
    const answer = this.awaited.shift()
    this.current = status === ok ? answer : undefined
    if (status === refused) this.expectedBytes -= answer?.expectedBytes ?? 0
    else if (this.current === undefined) this.instead.push(status)
    if (/^connection: *close$/im.test(head)) this.saidLast = true
    this.isLostInChunks = /^transfer-encoding: *chunked$/im.test(head)
    if (this.isLostInChunks && status === ok) this.instead.push("chunks")
    this.left = Number(/^content-length: *(\d+)$/im.exec(head)?.[1] ?? 0)
    if (this.left === 0 && !this.isLostInChunks) this.finish()
  }

  private hearBody(chunk: Buffer): Buffer {
    const part = chunk.subarray(0, this.left)
    this.left -= part.length
    this.current?.hear(part, undefined)
    if (this.left === 0) this.finish()
    return chunk.subarray(part.length)
  }

  private finish(): void {
    if (this.current?.whole === false) this.instead.push("another body")
    this.current = undefined
  }
}

export const http: Dialect = {
  name: "http",
  transcript: () => new HttpTranscript(),
  stat: requestOf({ verb: "STAT", amount: 0 }),
  openOf: lines.openOf
}
