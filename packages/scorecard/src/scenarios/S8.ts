import { crowd, crowdSize } from "../clients/IdleCrowd.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"

export const S8: Scenario = {
  id: "S8",
  title: "thousands of idle connections",
  good: "all get FIN, none RST, exit in less than 1.5 times the fastest peer's time",
  bound: "0.51 s",
  limits: {},
  capSeconds: 20,
  runs: "alone",
  run: (subject, options) =>
    play(S8, subject, options, async (stage) => {
      const wished = options?.connections ?? 10_000
      const size = crowdSize(wished)
      stage.facts["connections"] = size
      if (size < wished) stage.notes.push(`${size} connections: the limit of open files allows no more`)
      const idle = await crowd(stage.server.port, stage.wire.name, size)
      stage.elsewhere.push(idle.records)
      const observer = stage.observe()
      await observer.counts(size + 1, 15_000)
      await observer.leave()
      await stage.rested()
      stage.stop()
    }),
  judge: judging.judgeWith(
    (result) => judging.clients({ count: result.facts["connections"] ?? 0, ending: "FIN" })(result),
    judging.process({ within: 15, code: 0 })
  )
}
