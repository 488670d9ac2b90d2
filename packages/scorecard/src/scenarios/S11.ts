import type { Client } from "../clients/Client.ts"
import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import type { Wire } from "../clients/wires.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"

const patienceMillis = 4000

export const S11: Scenario = {
  id: "S11",
  title: "scope closes, the peer does not read",
  good: "no signal: the socket is gone at the close deadline and nothing leaks",
  bound: "1.0 s",
  limits: { CLOSE_DEADLINE_MS: 1000 },
  capSeconds: 6,
  runs: "beside others",
  doesNotApply: ({ dialect }) =>
    dialect.name === "http" ? "no answer of HTTP ends its connection before all of it was queued" : undefined,
  run: (subject, options) =>
    play(S11, subject, options, async (stage) => {
      const observer = stage.observe()
      await observer.count()
      const before = stage.server.sockets()
      const dropped = await stage.connect({ group: "dropped", reads: "later" })
      const from = performance.now()
      haveDropped(dropped, stage.wire)
      // First it is there, or else its absence would mean nothing.
      await observer.counts(2, 1000)
      const gone = await observer.counts(1, patienceMillis)
      stage.measuredSeconds = gone ? (performance.now() - from) / 1000 : null
      stage.facts["openAfterDeadline"] = await observer.count()
      const after = stage.server.sockets()
      if (before !== undefined && after !== undefined) stage.facts["socketsLeaked"] = after - before
      await observer.leave()
      if (gone) dropped.read()
      stage.stop()
    }),
  judge: judging.judgeWith(
    judging.fact(
      "openAfterDeadline",
      (open) => open === 1,
      "connections open after the close deadline, the asking one among them"
    ),
    judging.fact("socketsLeaked", (leaked) => leaked === 0, "socket descriptors left behind"),
    judging.clients({ count: 1, ending: "RST" }),
    // Whether a connection that was reset long before the signal makes the drain a forced one is the server's choice.
    judging.process({ within: 4, code: 0 })
  )
}

/**
 * The server ends the connection with 8 MB queued that nobody reads. Of an RPC server no call can ask for that: it does it
 * to who sends a message that is longer than it takes.
 */
const haveDropped = (client: Client, { dialect }: Wire): void => {
  const bytes = 8 * 1024 * 1024
  if (dialect.name === "lines") return client.ask(Protocol.drop(bytes))
  client.ask(Protocol.get(bytes))
  client.send("u".repeat(2 * Protocol.callBytesMax))
}
