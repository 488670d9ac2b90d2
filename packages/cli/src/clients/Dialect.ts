/** How requests, of whatever kind, and their answers are spoken over a channel. */
import type { Kind } from "./channels/Channel.ts"

export interface Dialect<E> {
  /** For one client. */
  readonly transcript: () => Transcript<E>
}

/** What a client should hear, and how much of it was heard. */
export interface Transcript<E> {
  readonly expectedBytes: number
  readonly receivedBytes: number
  /** Every byte that was to be heard, and no other. */
  readonly whole: boolean
  /** What was heard in place of an answer, where the dialect has words for that. */
  readonly instead: ReadonlyArray<string>
  /** An answer has said that it is the last on its connection, where the dialect has words for that. */
  readonly saidLast: boolean
  /** The request, whose answer is expected from now on. */
  ask(exchange: E): string | Uint8Array
  hear(chunk: Buffer, kind: Kind): void
  /** The server has ended its side: an answer may be as long as its connection. */
  end?(): void
}
