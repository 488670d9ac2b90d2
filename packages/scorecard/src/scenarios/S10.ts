import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"

export const S10: Scenario = {
  id: "S10",
  title: "ten finalizers of 1 s",
  good: "closed side by side: 1 s, not 10 s",
  bound: "1.0 s",
  limits: {},
  capSeconds: 12,
  runs: "beside others",
  doesNotApply: ({ dialect }) =>
    dialect.name === "http" ? "what is finalized is a request of HTTP, not its connection" : undefined,
  run: (subject, options) =>
    play(S10, subject, options, async (stage) => {
      const all = await stage.connectMany(10, { group: "with finalizer" })
      for (const client of all) client.ask(Protocol.finalizer(1000))
      await Promise.all(all.map((client) => client.answered()))
      stage.stop()
    }),
  judge: judging.judgeWith(
    judging.clients({ count: 10, whole: true, ending: "FIN" }),
    judging.process({ within: 5, code: 0 })
  )
}
