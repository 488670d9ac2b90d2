/** What became of one client. */

export type Seen = "FIN" | "RST" | "refused"

export interface ClientRecord {
  readonly group: string
  readonly expectedBytes: number
  readonly receivedBytes: number
  /** Every byte of every answer, and no other. A client that asked nothing is whole. */
  readonly whole: boolean
  /** The last word: a FIN followed by an RST is an RST. `open` is a client that nobody had told anything at the end. */
  readonly ending: Seen | "open"
  /** All of it, in order. */
  readonly seen: ReadonlyArray<Seen>
  /** When it first saw an end, after the signal; negative before it, `null` without either. */
  readonly millis: number | null
  /** An error that is none of the above. */
  readonly trouble: string | null
}
