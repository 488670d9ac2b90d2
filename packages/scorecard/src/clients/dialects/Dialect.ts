/** How requests and answers are spoken over a channel. */
import type { Exchange } from "../../Protocol.ts"
import type { Kind } from "../channels/Channel.ts"

export interface Dialect {
  readonly name: "lines" | "calls" | "http"
  /** For one client. */
  readonly transcript: () => Transcript
  /** Asks how many connections there are. */
  readonly stat: string
  /** What a line of the answer says of that, if it is the answer. */
  readonly openOf: (line: string) => number | undefined
}

/** What a client should hear, and how much of it was heard. */
export interface Transcript {
  readonly expectedBytes: number
  readonly receivedBytes: number
  /** Every byte that was to be heard, and no other. */
  readonly whole: boolean
  /** What was heard in place of an answer, where the dialect has words for that. */
  readonly instead: ReadonlyArray<string>
  /** An answer has said that it is the last on its connection, where the dialect has words for that. */
  readonly saidLast: boolean
  /** The request, whose answer is expected from now on. */
  ask(exchange: Exchange): string
  hear(chunk: Buffer, kind: Kind): void
}
