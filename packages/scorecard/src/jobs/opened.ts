/** The open connections of a subject, for `STAT`. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Socket from "effect/socket/Socket"
import type { EventEmitter } from "node:events"
import type * as Net from "node:net"

const open = new Set<unknown>()

/** Counts the connections that one of Node's servers is told of. */
export const countedBy = <Server extends EventEmitter>(server: Server): Server =>
  server.on("connection", (socket: Net.Socket) => {
    open.add(socket)
    socket.once("close", () => open.delete(socket))
  })

export const openCount = (): number => open.size

/**
 * Counts the connection that a handler serves. At the socket, not at the handler: one that has ended may leave its socket
 * behind. The server provides the socket, but the type of `run` would have us provide it as well.
 */
export const counted: Effect.Effect<void> = Effect.gen(function* () {
  const webSocket = yield* Effect.serviceOption(Socket.WebSocket)
  const socket = Option.isSome(webSocket)
    ? webSocket.value
    : Option.getOrThrow(yield* Effect.serviceOption(NodeSocket.NetSocket))
  const gone = () => open.delete(socket)
  open.add(socket)
  if ("once" in socket) socket.once("close", gone)
  else socket.addEventListener("close", gone)
})
