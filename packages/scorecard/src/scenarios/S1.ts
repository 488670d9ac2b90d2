import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import { sleep } from "@finwait/cli/Waiting"
import * as judging from "../judging.ts"

export const S1: Scenario = {
  id: "S1",
  title: "in-flight work",
  good: "full answer, then FIN, then exit: never more than the job plus 0.3 s",
  bound: "1.3 s",
  limits: {},
  capSeconds: 8,
  runs: "beside others",
  run: (subject, options) =>
    play(S1, subject, options, async (stage) => {
      const client = await stage.connect({ group: "in flight" })
      client.ask(Protocol.work(2000))
      await sleep(1000)
      stage.stop()
    }),
  judge: judging.judgeWith(
    judging.clients({ count: 1, whole: true, ending: "FIN" }),
    judging.process({ within: 5, code: 0 })
  )
}
