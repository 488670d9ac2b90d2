import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"

export const S3: Scenario = {
  id: "S3",
  title: "stalled peer, 64 MB queued",
  good: "exit at the deadline, with RST, never later",
  bound: "1.5 s",
  limits: { DRAIN_MS: 1000, CLOSE_MS: 500 },
  capSeconds: 8,
  runs: "beside others",
  run: (subject, options) =>
    play(S3, subject, options, async (stage) => {
      // It reads once, so that the answer is known to be under way, and looks again when the process is gone.
      const client = await stage.connect({ group: "stalled", reads: "once" })
      client.ask(Protocol.get(64 * 1024 * 1024))
      await client.firstBytes()
      stage.stop()
    }),
  judge: judging.judgeWith(judging.clients({ count: 1, ending: "RST" }), judging.process({ within: 5, code: "not 0" }))
}
