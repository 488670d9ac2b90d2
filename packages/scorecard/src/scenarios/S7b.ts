import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import { sleep } from "@finwait/cli/Waiting"
import * as judging from "../judging.ts"

export const S7b: Scenario = {
  id: "S7b",
  title: "connecting while the server drains",
  good: "refused at once, and the work in flight is finished",
  bound: "refused",
  limits: {},
  capSeconds: 8,
  runs: "beside others",
  run: (subject, options) =>
    play(S7b, subject, options, async (stage) => {
      const working = await stage.connect({ group: "in flight" })
      working.ask(Protocol.work(1500))
      // It holds the drain open even where work in flight is cut off.
      const finalizing = await stage.connect({ group: "in flight" })
      finalizing.ask(Protocol.finalizer(1500))
      await finalizing.answered()
      stage.stop()
      await stage.afterSignal(500)
      for (let attempt = 0; attempt < 5; attempt++) {
        const late = await stage.reach({ group: "latecomer" })
        if (!late.over) late.ask(Protocol.work(0))
        await sleep(50)
      }
      stage.measuredSeconds = null
    }),
  judge: judging.judgeWith(
    judging.clients({ group: "latecomer", count: 5, ending: "refused" }),
    judging.clients({ group: "in flight", count: 2, whole: true, ending: "FIN" }),
    judging.process({ within: 6, code: 0 })
  )
}
