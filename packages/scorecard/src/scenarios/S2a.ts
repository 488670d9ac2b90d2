import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"

export const S2a: Scenario = {
  id: "S2a",
  title: "idle after one request",
  good: "FIN at once, exit in less than 0.2 s",
  bound: "0.2 s",
  limits: {},
  capSeconds: 8,
  runs: "beside others",
  run: (subject, options) =>
    play(S2a, subject, options, async (stage) => {
      const client = await stage.connect({ group: "idle" })
      client.ask(Protocol.work(0))
      await client.answered()
      await stage.rested()
      stage.stop()
    }),
  judge: judging.judgeWith(
    judging.clients({ count: 1, whole: true, ending: "FIN" }),
    judging.process({ within: 4, code: 0 })
  )
}
