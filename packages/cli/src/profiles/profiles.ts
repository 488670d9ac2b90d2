/** The profiles, from what the command line says. */
import { Http2Channel, type Under } from "../clients/channels/Http2Channel.ts"
import { TcpChannel } from "../clients/channels/TcpChannel.ts"
import { TlsChannel } from "../clients/channels/TlsChannel.ts"
import { WebSocketChannel } from "../clients/channels/WebSocketChannel.ts"
import type { Dialect } from "../clients/Dialect.ts"
import { type HttpAsk, httpDialect } from "../clients/HttpDialect.ts"
import { type ScriptAsk, scriptDialect } from "../clients/ScriptDialect.ts"
import { hostOf, type To } from "../clients/To.ts"
import { goodbyes, type Profile, type Purpose, purposes, type Request } from "./Profile.ts"
import { anyLine, askOf, type Script } from "./Script.ts"

export interface ProfileOptions {
  readonly to: To
  /** Default: not. */
  readonly tls?: boolean
  /** Whom to trust, in PEM. */
  readonly ca?: string | undefined
  readonly servername?: string | undefined
  /** Paths that were given, by what they are good for. */
  readonly paths?: Partial<Readonly<Record<Purpose, string>>>
  readonly script?: Script | undefined
  /** Of a WebSocket. Default: `/`. */
  readonly webSocketPath?: string | undefined
  readonly subprotocol?: string | undefined
}

/** What is uploaded behind a request whose answer does not wait for it. */
export const uploadBytes = 1024 * 1024

const underOf = (options: ProfileOptions, protocol: string | undefined): Under => {
  const { ca, servername, tls } = options
  return tls === true
    ? (to, ear) => new TlsChannel(to, ear, { ca, servername, protocol })
    : (to, ear) => new TcpChannel(to, ear)
}

const mute: Profile["mute"] = {
  name: "tcp",
  open: (to, ear) => new TcpChannel(to, ear),
  dialect: { transcript: () => scriptDialect.transcript() } as Dialect<Request>,
  goodbyes: goodbyes.TCP
}

export const httpAsk = (purpose: Purpose, path: string): HttpAsk =>
  purpose === "upload" ? { method: "POST", path, uploadBytes } : { method: "GET", path }

const httpRequests = (paths: ProfileOptions["paths"] = {}): Partial<Record<Purpose, HttpAsk>> =>
  Object.fromEntries(
    Object.entries(paths).map(([purpose, path]) => [purpose, httpAsk(purpose as Purpose, path)] as const)
  )

export const http = (options: ProfileOptions): Profile => {
  const under = underOf(options, "http/1.1")
  const channel = options.tls === true ? "TLS" : "TCP"
  return {
    name: "http",
    wire: { name: "http", open: under, dialect: httpDialect(hostOf(options.to)), goodbyes: goodbyes[channel] },
    mute,
    channel,
    requests: httpRequests(options.paths),
    described: {},
    keepsAlive: true,
    announces: true
  }
}

export const http2 = (options: ProfileOptions): Profile => {
  const under = underOf(options, "h2")
  return {
    name: "http2",
    wire: {
      name: "http2",
      open: (to, ear) => new Http2Channel(to, ear, under),
      dialect: httpDialect(hostOf(options.to)),
      goodbyes: goodbyes["HTTP/2"]
    },
    mute,
    channel: "HTTP/2",
    requests: httpRequests(options.paths),
    described: {},
    keepsAlive: false,
    announces: true
  }
}

const scripted = (script: Script): Pick<Profile, "requests" | "described"> => {
  const given = purposes.flatMap((purpose) => {
    const exchange = script[purpose]
    return exchange === undefined ? [] : [[purpose, askOf(exchange)] as const]
  })
  return {
    requests: Object.fromEntries(given),
    described: Object.fromEntries(given.map(([purpose, { send }]) => [purpose, inShort(send)]))
  }
}

const shownBytes = 24

const inShort = (send: Uint8Array): string => {
  const text = JSON.stringify(Buffer.from(send.subarray(0, shownBytes)).toString("latin1"))
  return send.length > shownBytes ? `${text} … (${send.length} bytes)` : text
}

export const webSocket = (options: ProfileOptions): Profile => {
  const under = underOf(options, "http/1.1")
  const { script, subprotocol, webSocketPath } = options
  return {
    name: "websocket",
    wire: {
      name: "websocket",
      open: (to, ear) => new WebSocketChannel(to, ear, { path: webSocketPath, protocol: subprotocol, under }),
      dialect: asText(scriptDialect),
      goodbyes: goodbyes.WebSocket
    },
    mute,
    channel: "WebSocket",
    ...(script === undefined ? { requests: {}, described: {} } : scripted(script)),
    keepsAlive: true,
    announces: false
  }
}

/** Messages of text, where they are text: a browser's would be. */
const asText = (dialect: Dialect<ScriptAsk>): Dialect<ScriptAsk> => ({
  transcript: () => {
    const transcript = dialect.transcript()
    const ask = transcript.ask.bind(transcript)
    transcript.ask = (exchange) => {
      const bytes = ask(exchange) as Uint8Array
      const text = Buffer.from(bytes).toString()
      return Buffer.from(text).equals(bytes) ? text : bytes
    }
    return transcript
  }
})

/** Lines, or bytes of any kind. */
export const scriptProfile = (name: "line" | "raw", options: ProfileOptions): Profile => {
  const channel = options.tls === true ? "TLS" : "TCP"
  return {
    name,
    wire: { name, open: underOf(options, undefined), dialect: scriptDialect, goodbyes: goodbyes[channel] },
    mute,
    channel,
    ...scripted(options.script ?? anyLine),
    keepsAlive: false,
    announces: false
  }
}
