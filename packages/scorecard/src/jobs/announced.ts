/** What whoever has started a subject waits for. */
import * as Console from "effect/Console"
import type * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"

export const announced = ({ address }: { readonly address: NetAddress.SocketAddress }): Effect.Effect<void> => {
  const port = NetAddress.isInetAddress(address) ? address.port : 0
  return Console.log(JSON.stringify({ listening: `tcp://127.0.0.1:${port}` }))
}
