/**
 * The calls of Effect's RPC as newline-delimited JSON, written and read by hand: a request has a number, and its answer is
 * an `Exit` of that number. An answer counts when all of it has come, is a success, and has the value that was asked for.
 */
import { bodyText, type Exchange } from "../../Protocol.ts"
import type { Dialect, Transcript } from "./Dialect.ts"

/** What a server says, as far as it matters here. */
interface Said {
  readonly _tag: string
  readonly requestId?: string
  readonly exit?: {
    readonly _tag: "Success" | "Failure"
    readonly value?: unknown
    readonly cause?: ReadonlyArray<{ readonly _tag: string }>
  }
}

const parse = (line: string): Said => {
  try {
    return JSON.parse(line) as Said
  } catch {
    return { _tag: "no JSON" }
  }
}

const requestOf = (id: string, tag: string, amount: number) =>
  `${JSON.stringify({ _tag: "Request", id, tag, payload: { amount }, headers: [] })}\n`

/** A notification: a request without an answer, of about so many bytes. */
export const note = (bytes: number): string => {
  const payload = { text: "u".repeat(bytes) }
  return `${JSON.stringify({ _tag: "Request", id: "", tag: "NOTE", payload, headers: [], isNotification: true })}\n`
}

const answerOf = (requestId: string, value: unknown) =>
  `${JSON.stringify({ _tag: "Exit", requestId, exit: { _tag: "Success", value } })}\n`

// Bodies come as a string, everything else is echoed.
const valueOf = ({ amount, bodyBytes }: Exchange) => (bodyBytes > 0 ? bodyText(bodyBytes) : amount)

class CallTranscript implements Transcript {
  expectedBytes = 0
  receivedBytes = 0
  readonly instead: Array<string> = []
  readonly saidLast = false
  private readonly expected = new Map<string, Exchange>()
  private asked = 0
  /** A line that has begun. */
  private chunks: Array<Buffer> = []

  ask(exchange: Exchange): string {
    const id = String(this.asked++)
    this.expected.set(id, exchange)
    this.expectedBytes += answerOf(id, exchange.bodyBytes > 0 ? "" : exchange.amount).length + exchange.bodyBytes
    return requestOf(id, exchange.verb, exchange.amount)
  }

  hear(chunk: Buffer): void {
    this.receivedBytes += chunk.length
    let from = 0
    let end: number
    while ((end = chunk.indexOf("\n", from)) >= 0) {
      this.chunks.push(chunk.subarray(from, end))
      this.hearLine(Buffer.concat(this.chunks).toString())
      this.chunks = []
      from = end + 1
    }
    if (from < chunk.length) this.chunks.push(Buffer.from(chunk.subarray(from)))
  }

  get whole(): boolean {
    return this.expected.size === 0 && this.instead.length === 0 && this.chunks.length === 0
  }

  private hearLine(line: string): void {
    const { _tag, exit, requestId = "" } = parse(line)
    const exchange = this.expected.get(requestId)
    if (_tag !== "Exit" || exchange === undefined) this.instead.push(_tag)
    else if (exit?._tag !== "Success") this.instead.push(...(exit?.cause ?? []).map((reason) => reason._tag))
    else if (exit.value !== valueOf(exchange)) this.instead.push("another value")
    else this.expected.delete(requestId)
  }
}

export const calls: Dialect = {
  name: "calls",
  transcript: () => new CallTranscript(),
  stat: requestOf("stat", "STAT", 0),
  openOf: (line) => {
    const { exit, requestId } = parse(line)
    return requestId === "stat" && typeof exit?.value === "number" ? exit.value : undefined
  }
}
