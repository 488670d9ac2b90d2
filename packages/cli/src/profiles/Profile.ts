/** How a kind of server is spoken to, and what it is asked for. */
import type { Seen } from "../clients/ClientRecord.ts"
import type { Wire } from "../clients/Wire.ts"

/** What requests are good for. */
export const purposes = ["quick", "slow", "large", "upload", "finalizer", "drop"] as const
export type Purpose = (typeof purposes)[number]

/**
 * A request, of whatever kind. Scenarios hand it to the wire that it is for and know no more of it: `any`, because a
 * profile's wire and its requests belong together and come from one place.
 */
export type Request = any

export interface Profile {
  readonly name: "http" | "http2" | "websocket" | "line" | "raw"
  readonly wire: Wire<Request>
  /** The same server, to who says nothing at all, not even what a handshake begins with. */
  readonly mute: Wire<Request>
  readonly channel: "TCP" | "TLS" | "WebSocket" | "HTTP/2"
  /** What it is asked for, as far as that is known. */
  readonly requests: Partial<Readonly<Record<Purpose, Request>>>
  /** The same for reading, and how each was found. */
  readonly described: Partial<Readonly<Record<Purpose, string>>>
  /** One request after the other, and an idle connection may be left some time for one more. */
  readonly keepsAlive: boolean
  /** An answer can say that it is the last. */
  readonly announces: boolean
}

/** What a survey of the running server has found out. */
export interface Survey {
  readonly requests: Profile["requests"]
  readonly described: Profile["described"]
  /** How long the slow request takes. */
  readonly slowMillis: number
  /** How long the large answer is. */
  readonly largeBytes: number
}

export const goodbyes = {
  TCP: ["FIN"],
  TLS: ["close_notify"],
  WebSocket: ["close 1001", "close 1000"],
  "HTTP/2": ["GOAWAY"]
} satisfies Record<Profile["channel"], ReadonlyArray<Seen>>
