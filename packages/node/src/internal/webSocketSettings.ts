/**
 * The options of WebSockets, as `ws` takes them.
 */
import type { ClientOptions, ServerOptions } from "ws"
import { type HandshakeLimits, handshakeLimits, type HandshakeOptions } from "./handshakes.ts"
import { Liveness, type LivenessOptions } from "./webSocketLiveness.ts"
import { ServedWebSocket } from "./webSocketSocket.ts"

/** What may be chosen, for those who are accepted and those who are dialled. */
export interface WebSocketOptions extends HandshakeOptions {
  /**
   * The path of the request: what a client asks for, and the only one that a server upgrades, whatever the query; others
   * are answered with 400. Default: a client asks for `/`, a server takes any.
   */
  readonly path?: string | undefined
  /**
   * The longest message that is taken, in bytes, once it is unpacked; a longer one breaks the connection, and the peer is
   * told 1009. From 1 to 2,147,483,647. Default 16 MiB, as `Connection.readAll` has it: a peer decides how much there is,
   * and a message is in memory whole before anybody can look at it. `ws` has 100 MiB.
   */
  readonly maxPayload?: number | undefined
  /**
   * Compression of messages, with the options of `ws`. Default: off, as servers of `ws` have it: it costs memory for
   * every connection and time for every message. A message that arrives may be a thousand times what was sent of it.
   */
  readonly perMessageDeflate?: ServerOptions["perMessageDeflate"]
  /**
   * Subprotocols, the best first: a client offers them, a server takes the first that is offered, or none. Default: none
   * is offered, and a server takes the first that a client offers.
   */
  readonly protocols?: ReadonlyArray<string> | undefined
  /** Chooses the subprotocol in another way, or none by `false`; of `ws`. Default: by `protocols`. */
  readonly handleProtocols?: ServerOptions["handleProtocols"]
  /**
   * Turns an upgrade down, with 401 or a code of its own; of `ws`. With two parameters it may take its time, which is
   * part of the handshake's. Default: everybody is let in.
   */
  readonly verifyClient?: ServerOptions["verifyClient"]
  /** Headers of a client's request. Default: none but the upgrade's. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /**
   * Asks silent peers whether they are there, and gives up on those who are not: `onBroken`, with `ETIMEDOUT`. Default:
   * off. A peer is looked at only while somebody reads, because nothing else would hear it.
   */
  readonly liveness?: LivenessOptions | undefined
  /** More options of `ws` for servers, over the ones above. Where to listen, and the class of sockets, are not its. */
  readonly serverOptions?: ServerOptions | undefined
  /** More options of `ws` for clients, over the ones above. Redirects are not followed. */
  readonly clientOptions?: ClientOptions | undefined
}

export interface WebSocketSettings {
  readonly limits: HandshakeLimits
  readonly server: ServerOptions
  readonly client: ClientOptions
  readonly protocols: ReadonlyArray<string>
  /** What a client asks for. */
  readonly path: string
  readonly liveness: Liveness | undefined
}

/** As `Connection.readAll` has it: a peer decides how much there is, and a message is in memory whole. */
export const defaultMaxPayload = 16 * 1024 * 1024

/** `ws` knows no more, and takes what is larger for no limit. */
const maxPayloadMax = 2 ** 31 - 1

/** Its own timer for the answer to a close frame never rings; Node's timers know no more. */
const ours = { closeTimeout: 2 ** 31 - 1 }

const checked = (maxPayload: number): number => {
  if (Number.isInteger(maxPayload) && maxPayload >= 1 && maxPayload <= maxPayloadMax) return maxPayload
  throw new RangeError(
    `NodeWebSocket.Options.maxPayload: ${maxPayload} is not a whole number from 1 to ${maxPayloadMax}`
  )
}

export const webSocketSettings = (options: WebSocketOptions): WebSocketSettings => {
  const { liveness, path, protocols = [], verifyClient } = options
  const both = {
    maxPayload: checked(options.maxPayload ?? defaultMaxPayload),
    perMessageDeflate: options.perMessageDeflate ?? false
  }
  const server: ServerOptions = {
    ...both,
    ...(path === undefined ? {} : { path }),
    ...(verifyClient === undefined ? {} : { verifyClient }),
    ...choosing(protocols, options.handleProtocols),
    ...given(options.serverOptions)
  }
  // What says where to listen is not for `ws` to hear.
  const { backlog: _, host: _1, port: _2, server: _3, ...rest } = server
  return {
    limits: handshakeLimits(options),
    server: { ...rest, ...ours, noServer: true, clientTracking: false, WebSocket: ServedWebSocket },
    client: {
      ...both,
      headers: { ...options.headers },
      ...given(options.clientOptions),
      ...ours,
      followRedirects: false
    },
    protocols,
    path: path ?? "/",
    liveness: liveness === undefined ? undefined : new Liveness(liveness)
  }
}

/** To `ws` an option that is there and `undefined` is no default, but none: no `maxPayload` would be no limit. */
const given = <A extends object>(options: A | undefined): Partial<A> =>
  Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined)) as Partial<A>

/** The first of ours that the client offers; `ws` would take the first that it offers, whatever it is. */
const choosing = (
  protocols: ReadonlyArray<string>,
  handleProtocols: ServerOptions["handleProtocols"]
): Pick<ServerOptions, "handleProtocols"> => {
  if (handleProtocols !== undefined) return { handleProtocols }
  if (protocols.length === 0) return {}
  return { handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false }
}
