import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"
import { answeredWhileUploading } from "./uploads.ts"

export const S4kept: Scenario = {
  id: "S4kept",
  title: "the same, not said to be final",
  good: "all of the answer for everyone, and a FIN, though nothing said that the connection ends",
  bound: "none lost",
  limits: {},
  capSeconds: 8,
  runs: "beside others",
  doesNotApply: ({ channel, dialect }) =>
    dialect.name === "http" && channel === "TCP"
      ? undefined
      : "only an answer of HTTP/1.1 may leave open whether its connection goes on",
  run: (subject, options) =>
    play(S4kept, subject, options, async (stage) => {
      await answeredWhileUploading(stage, Protocol.unread, 1, 100, [50, 1500])
      stage.measuredSeconds = null
    }),
  judge: judging.judgeWith(
    judging.clients({ count: 100, whole: true, ending: "FIN" }),
    judging.process({ within: 5, code: 0 })
  )
}
