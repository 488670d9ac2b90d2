/** What a subject can be spoken to over: a channel, and how requests and answers are spoken over it. */
import type { Channel, Ear } from "./channels/Channel.ts"
import { TcpChannel } from "./channels/TcpChannel.ts"
import { TlsChannel, type TlsVersion } from "./channels/TlsChannel.ts"
import { WebSocketChannel } from "./channels/WebSocketChannel.ts"
import type { Seen } from "./ClientRecord.ts"
import { calls } from "./dialects/calls.ts"
import type { Dialect } from "./dialects/Dialect.ts"
import { lines } from "./dialects/lines.ts"

export const wireNames = ["socket-tcp", "socket-tls", "socket-websocket", "rpc-tcp", "rpc-websocket"] as const
export type WireName = (typeof wireNames)[number]

export interface Wire {
  readonly name: WireName
  readonly channel: "TCP" | "TLS" | "WebSocket"
  readonly open: (port: number, ear: Ear, options?: WireOptions) => Channel
  readonly dialect: Dialect
  /** The last words of a good server, one of them: what a client is to hear before the FIN, if it is not the FIN itself. */
  readonly goodbyes: ReadonlyArray<Seen>
}

export interface WireOptions {
  /** Of wires that have one. Default 1.3. */
  readonly tls?: TlsVersion | undefined
}

type Way = Pick<Wire, "channel" | "open" | "goodbyes">

const tcp: Way = { channel: "TCP", open: (port, ear) => new TcpChannel(port, ear), goodbyes: ["FIN"] }

const tls: Way = {
  channel: "TLS",
  open: (port, ear, options) => new TlsChannel(port, ear, options?.tls),
  goodbyes: ["close_notify"]
}

// Going away, or done.
const webSocket: Way = {
  channel: "WebSocket",
  open: (port, ear) => new WebSocketChannel(port, ear),
  goodbyes: ["close 1001", "close 1000"]
}

export const wires: Readonly<Record<WireName, Wire>> = {
  "socket-tcp": { name: "socket-tcp", ...tcp, dialect: lines },
  "socket-tls": { name: "socket-tls", ...tls, dialect: lines },
  "socket-websocket": { name: "socket-websocket", ...webSocket, dialect: lines },
  "rpc-tcp": { name: "rpc-tcp", ...tcp, dialect: calls },
  "rpc-websocket": { name: "rpc-websocket", ...webSocket, dialect: calls }
}
