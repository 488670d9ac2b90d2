/** What became of one client. */

/**
 * What a client can see of an end. `close_notify` is the last word of TLS, `GOAWAY` the one of HTTP/2 and `close <code>`
 * the one of a WebSocket: a FIN follows each of them. A close frame without a code is a `close 1005`.
 */
export type Seen = "FIN" | "RST" | "refused" | "close_notify" | "GOAWAY" | `close ${number}`

export interface ClientRecord {
  readonly group: string
  /** What it spoke, and so what it should have heard before the FIN. */
  readonly wire: string
  readonly expectedBytes: number
  readonly receivedBytes: number
  /** Every byte of every answer, and no other. A client that asked nothing is whole. */
  readonly whole: boolean
  /** What it heard in place of answers, where the protocol has words for that. */
  readonly instead: ReadonlyArray<string>
  /**
   * The last word of TCP: a FIN followed by an RST is an RST. `open` is a client whose connection nobody had ended by the
   * time the server was killed, or gone.
   */
  readonly ending: "FIN" | "RST" | "refused" | "open"
  /** All of it, in order. */
  readonly seen: ReadonlyArray<Seen>
  /** When it first saw an end, after the signal; negative before it, `null` without either. */
  readonly millis: number | null
  /** An error that is none of the above. */
  readonly trouble: string | null
}

/** Something that happened to a client, or that it did. */
export interface Happening {
  /** By `performance.now()`. */
  readonly at: number
  readonly what: string
  /** How many, of what is sent and heard. What is heard together is told together. */
  bytes?: number
}

/** The last word of TCP among what was seen. */
export const endingOf = (seen: ReadonlyArray<Seen>): ClientRecord["ending"] => seen.findLast(isEnding) ?? "open"

const isEnding = (what: Seen): what is "FIN" | "RST" | "refused" =>
  what === "FIN" || what === "RST" || what === "refused"
