import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"

export const S6: Scenario = {
  id: "S6",
  title: "second signal while stopping",
  good: "connections reset, exit at once, exit code tells",
  bound: "at once",
  limits: { DRAIN_MS: 30_000 },
  capSeconds: 6,
  runs: "beside others",
  run: (subject, options) =>
    play(S6, subject, options, async (stage) => {
      // Neither closes its side: an answered FIN would hide an RST behind it.
      const stalled = await stage.connect({ group: "stalled", reads: "once", answers: false })
      stalled.ask(Protocol.get(64 * 1024 * 1024))
      const working = await stage.connect({ group: "in flight", answers: false })
      working.ask(Protocol.work(60_000))
      await stalled.firstBytes()
      await stage.accepted()
      stage.stop()
      // A repeat within 500 ms is a wrapper's duplicate of the same signal; this one is meant.
      await stage.afterSignal(1000)
      stage.facts["aliveAtSecondSignal"] = stage.server.alive ? 1 : 0
      stage.facts["keptAtSecondSignal"] = stage.clients.filter((client) => client.kept).length
      stage.stop()
    }),
  judge: judging.judgeWith(
    judging.fact("aliveAtSecondSignal", (alive) => alive === 1, "the process had not waited for the second signal"),
    judging.fact("keptAtSecondSignal", (kept) => kept === 2, "clients kept until the second signal, of 2"),
    judging.clients({ count: 2, ending: "RST" }),
    judging.process({ within: 3, code: "not 0" })
  )
}
