import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"
import { answeredWhileUploading } from "./uploads.ts"

export const S4: Scenario = {
  id: "S4",
  title: "final answer during an upload",
  good: "all of the answer and a FIN for everyone, though the upload was never read",
  bound: "none lost",
  limits: {},
  capSeconds: 8,
  runs: "beside others",
  run: (subject, options) =>
    play(S4, subject, options, async (stage) => {
      await answeredWhileUploading(stage, Protocol.reject, 4, 50, [50, 200])
      stage.measuredSeconds = null
    }),
  judge: judging.judgeWith(
    judging.clients({ count: 200, whole: true, ending: "FIN" }),
    judging.process({ within: 5, code: 0 })
  )
}
