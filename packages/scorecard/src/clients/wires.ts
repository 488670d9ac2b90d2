/** What a subject can be spoken to over: a channel, and how requests and answers are spoken over it. */
import { Http2Channel } from "@finwait/cli/clients/channels/Http2Channel"
import { TcpChannel } from "@finwait/cli/clients/channels/TcpChannel"
import { TlsChannel, type TlsVersion } from "@finwait/cli/clients/channels/TlsChannel"
import { WebSocketChannel } from "@finwait/cli/clients/channels/WebSocketChannel"
import type { Wire as AnyWire } from "@finwait/cli/clients/Wire"
import { certificate } from "../fixtures/localhost.ts"
import type { Exchange } from "../Protocol.ts"
import { calls } from "./dialects/calls.ts"
import type { Dialect } from "./dialects/Dialect.ts"
import { http } from "./dialects/http.ts"
import { lines } from "./dialects/lines.ts"

export const wireNames = ["socket-tcp", "socket-tls", "socket-websocket", "rpc-tcp", "rpc-websocket"] as const
export const httpWireNames = ["http1", "http2", "http-websocket"] as const
export type HttpWireName = (typeof httpWireNames)[number]
export type WireName = (typeof wireNames)[number] | HttpWireName

export interface Wire extends AnyWire<Exchange, WireOptions> {
  readonly name: WireName
  readonly channel: "TCP" | "TLS" | "WebSocket" | "HTTP/2"
  readonly dialect: Dialect
  /** A server may leave idle connections some time for one more request, `KEEP_ALIVE_GRACE_MS`, before it ends them. */
  readonly keepsAlive: boolean
}

export interface WireOptions {
  /** Of wires that have one. Default 1.3. */
  readonly tls?: TlsVersion | undefined
}

type Way = Pick<Wire, "channel" | "open" | "goodbyes" | "keepsAlive">

const ca = certificate()

const tcp: Way = {
  channel: "TCP",
  open: (to, ear) => new TcpChannel(to, ear),
  goodbyes: ["FIN"],
  keepsAlive: false
}

const tls: Way = {
  channel: "TLS",
  open: (to, ear, options) => new TlsChannel(to, ear, { ca, version: options?.tls }),
  goodbyes: ["close_notify"],
  keepsAlive: false
}

// Going away, or done.
const webSocket: Way = {
  channel: "WebSocket",
  open: (to, ear) => new WebSocketChannel(to, ear),
  goodbyes: ["close 1001", "close 1000"],
  keepsAlive: false
}

// A session is told GOAWAY and needs no grace: what it asks behind that was not heard, and it knows.
const http2: Way = {
  channel: "HTTP/2",
  open: (to, ear) => new Http2Channel(to, ear),
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
