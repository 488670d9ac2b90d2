/** A server of Effect's sockets on the transport that is asked for, of either module of that name. */
import type * as EffectNodeSocketServer from "@effect/platform-node/NodeSocketServer"
import type * as Layer from "effect/Layer"
import type * as SocketServer from "effect/socket/SocketServer"
import * as NetAddress from "effect/net/NetAddress"
import { certificate } from "./certificate.ts"
import { backlog, command, ready } from "./command.ts"

type NodeSocketServer = Pick<typeof EffectNodeSocketServer, "layer" | "layerTls" | "layerWebSocket">

export const listening = (
  module: NodeSocketServer
): Layer.Layer<SocketServer.SocketServer, SocketServer.SocketServerError> => {
  const address = { host: "127.0.0.1", port: 0, backlog }
  switch (command.transport) {
    case "unix":
      return module.layer({ path: command.path, backlog })
    case "tls":
      return module.layerTls({ ...address, noDelay: true, ...certificate() })
    case "ws":
      return module.layerWebSocket(address)
    default:
      return module.layer({ ...address, noDelay: true })
  }
}

/** Tells on which port it is. */
export const announce = ({ address }: { readonly address: NetAddress.SocketAddress }): void =>
  ready(NetAddress.isInetAddress(address) ? address.port : 0)
