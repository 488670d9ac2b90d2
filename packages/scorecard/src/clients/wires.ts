/** What a subject can be spoken to over: a channel, and how requests and answers are spoken over it. */
import type { Channel, Ear } from "./channels/Channel.ts"
import { Http2Channel } from "./channels/Http2Channel.ts"
import { TcpChannel } from "./channels/TcpChannel.ts"
import { TlsChannel, type TlsVersion } from "./channels/TlsChannel.ts"
import { WebSocketChannel } from "./channels/WebSocketChannel.ts"
import type { Seen } from "./ClientRecord.ts"
import { calls } from "./dialects/calls.ts"
import type { Dialect } from "./dialects/Dialect.ts"
import { http } from "./dialects/http.ts"
import { lines } from "./dialects/lines.ts"

export const wireNames = ["socket-tcp", "socket-tls", "socket-websocket", "rpc-tcp", "rpc-websocket"] as const
export const httpWireNames = ["http1", "http2", "http-websocket"] as const
export type HttpWireName = (typeof httpWireNames)[number]
export type WireName = (typeof wireNames)[number] | HttpWireName

export interface Wire {
  readonly name: WireName
  readonly channel: "TCP" | "TLS" | "WebSocket" | "HTTP/2"
  readonly open: (port: number, ear: Ear, options?: WireOptions) => Channel
  readonly dialect: Dialect
  /** A server may leave idle connections some time for one more request, `KEEP_ALIVE_GRACE_MS`, before it ends them. */
  readonly keepsAlive: boolean
  /** The last words of a good server, one of them: what a client is to hear before the FIN, if it is not the FIN itself. */
  readonly goodbyes: ReadonlyArray<Seen>
}

export interface WireOptions {
  /** Of wires that have one. Default 1.3. */
  readonly tls?: TlsVersion | undefined
}

type Way = Pick<Wire, "channel" | "open" | "goodbyes" | "keepsAlive">

const tcp: Way = {
  channel: "TCP",
  open: (port, ear) => new TcpChannel(port, ear),
  goodbyes: ["FIN"],
  keepsAlive: false
}

const tls: Way = {
  channel: "TLS",
  open: (port, ear, options) => new TlsChannel(port, ear, options?.tls),
  goodbyes: ["close_notify"],
  keepsAlive: false
}

// Going away, or done.
const webSocket: Way = {
  channel: "WebSocket",
  open: (port, ear) => new WebSocketChannel(port, ear),
  goodbyes: ["close 1001", "close 1000"],
  keepsAlive: false
}

// A session is told GOAWAY and needs no grace: what it asks behind that was not heard, and it knows.
const http2: Way = {
  channel: "HTTP/2",
  open: (port, ear) => new Http2Channel(port, ear),
  goodbyes: ["GOAWAY"],
  keepsAlive: false
}

export const wires: Readonly<Record<WireName, Wire>> = {
  "socket-tcp": { name: "socket-tcp", ...tcp, dialect: lines },
  "socket-tls": { name: "socket-tls", ...tls, dialect: lines },
  "socket-websocket": { name: "socket-websocket", ...webSocket, dialect: lines },
  "rpc-tcp": { name: "rpc-tcp", ...tcp, dialect: calls },
  "rpc-websocket": { name: "rpc-websocket", ...webSocket, dialect: calls },
  http1: { name: "http1", ...tcp, dialect: http, keepsAlive: true },
  http2: { name: "http2", ...http2, dialect: http },
  // Who has connected and not upgraded yet is a client of HTTP/1.1.
  "http-websocket": { name: "http-websocket", ...webSocket, dialect: lines, keepsAlive: true }
}
