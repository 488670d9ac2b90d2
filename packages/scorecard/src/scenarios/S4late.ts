import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"
import { answeredWhileUploading } from "./uploads.ts"

export const S4late: Scenario = {
  id: "S4late",
  title: "the same, read 0.7 to 1.5 s later",
  good: "the same",
  bound: "none lost",
  limits: {},
  capSeconds: 8,
  runs: "beside others",
  run: (subject, options) =>
    play(S4late, subject, options, async (stage) => {
      await answeredWhileUploading(stage, Protocol.reject, 1, 100, [700, 1500])
      stage.measuredSeconds = null
    }),
  judge: judging.judgeWith(
    judging.clients({ count: 100, whole: true, ending: "FIN" }),
    judging.process({ within: 5, code: 0 })
  )
}
