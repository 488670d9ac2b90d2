/** What a server is spoken to over: a channel, and how requests and answers are spoken over it. */
import type { Channel, Ear } from "./channels/Channel.ts"
import type { Seen } from "./ClientRecord.ts"
import type { Dialect } from "./Dialect.ts"
import type { To } from "./To.ts"

export interface Wire<E, O = undefined> {
  readonly name: string
  readonly open: (to: To, ear: Ear, options?: O) => Channel
  readonly dialect: Dialect<E>
  /** The last words of a good server, one of them: what a client is to hear before the FIN, if it is not the FIN itself. */
  readonly goodbyes: ReadonlyArray<Seen>
}
