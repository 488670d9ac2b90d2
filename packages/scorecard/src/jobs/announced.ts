/** What whoever has started a subject waits for. */
import * as Console from "effect/Console"
import type * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as SocketServer from "effect/socket/SocketServer"

export const announced = ({ address }: SocketServer.SocketServer["Service"]): Effect.Effect<void> => {
  const port = NetAddress.isInetAddress(address) ? address.port : 0
  return Console.log(JSON.stringify({ listening: `tcp://127.0.0.1:${port}` }))
}
