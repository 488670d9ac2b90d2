import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"

export const S3b: Scenario = {
  id: "S3b",
  title: "slow reader, 64 MB at 20 MB/s",
  good: "every byte arrives, then FIN",
  bound: "3.5 s",
  // Who reads is not silent: the limit of silence is shorter than all of it takes.
  limits: { LINGER_IDLE_MS: 2000 },
  capSeconds: 20,
  runs: "beside others",
  run: (subject, options) =>
    play(S3b, subject, options, async (stage) => {
      const client = await stage.connect({ group: "slow reader", bytesPerSecond: 20e6 })
      client.ask(Protocol.get(64 * 1024 * 1024))
      await client.firstBytes()
      stage.stop()
    }),
  judge: judging.judgeWith(
    judging.clients({ count: 1, whole: true, ending: "FIN" }),
    judging.process({ within: 15, code: 0 })
  )
}
