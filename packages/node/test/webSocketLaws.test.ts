import { describe, it } from "@effect/vitest"
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as NodeTls from "@finwait/node/NodeTls"
import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
import * as Effect from "effect/Effect"
import * as SimNetwork from "finwait/testing/SimNetwork"
import * as TransportLaws from "finwait/testing/TransportLaws"
import { ca, identity } from "./support/certificates.ts"
import { openSockets, transports } from "./support/network.ts"

const [tcp, unix] = transports.map(([, listen]) => listen)

const tls = NodeTls.provider({ server: { identity: identity("server") }, client: { ca, servername: "localhost" } })

const subjects = [
  ["over TCP", tcp!, {}, NodeNetwork.provider()],
  ["over a Unix socket", unix!, {}, NodeNetwork.provider()],
  ["over TLS", tcp!, {}, tls],
  // Random bytes grow when they are packed.
  ["with compression", tcp!, { perMessageDeflate: true, maxPayload: 32 * 1024 * 1024 }, NodeNetwork.provider()]
] as const

const law = (subject: TransportLaws.Subject) =>
  describe(`the laws of transports, on ${subject.name}`, () => {
    for (const law of TransportLaws.laws(subject)) it.live(law.name, () => law.check)
  })

for (const [how, listen, options, base] of subjects) {
  law({
    name: `WebSocket ${how}`,
    ground: Effect.map(listen, (address) => ({
      provider: NodeWebSocket.provider(options, base),
      address,
      // Elsewhere than on Linux they cannot be counted.
      socketsOpen: Effect.sync(() => openSockets() ?? 0)
    }))
  })
}

law({
  name: "WebSocket over a transport that is no socket",
  ground: Effect.map(SimNetwork.make(), ({ provider, socketsOpen }) => ({
    provider: NodeWebSocket.provider({}, provider),
    address: "tcp://127.0.0.1:7000",
    socketsOpen
  })),
  muchBytes: 1024 * 1024
})
