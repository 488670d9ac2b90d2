import { describe, it } from "@effect/vitest"
import * as NodeTls from "@finwait/node/NodeTls"
import * as Effect from "effect/Effect"
import * as TransportLaws from "finwait/testing/TransportLaws"
import { ca, identity } from "./support/certificates.ts"
import { openSockets, transports } from "./support/network.ts"

const [tcp, unix] = transports

for (const [[name, listen], version, truncation] of [
  [tcp!, "TLSv1.2", "end"],
  [tcp!, "TLSv1.3", "end"],
  [tcp!, "TLSv1.2", "framed"],
  [tcp!, "TLSv1.3", "framed"],
  [unix!, "TLSv1.3", "end"]
] as const) {
  const subject: TransportLaws.Subject = {
    name: `${version} on ${name}`,
    ground: Effect.map(listen, (address) => ({
      provider: NodeTls.provider({
        truncation,
        server: { identity: identity("server"), minVersion: version, maxVersion: version },
        client: { ca, servername: "localhost" }
      }),
      address,
      socketsOpen: Effect.sync(() => openSockets() ?? 0)
    }))
  }
  describe(`the laws of transports, on ${subject.name}, truncation "${truncation}"`, () => {
    for (const law of TransportLaws.laws(subject)) it.live(law.name, () => law.check)
  })
}
