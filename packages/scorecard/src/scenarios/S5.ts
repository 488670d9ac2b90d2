import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"

export const S5: Scenario = {
  id: "S5",
  title: "peer that never closes its side",
  good: "exit at the linger limit",
  bound: "0.7 s",
  limits: { LINGER_IDLE_MS: 700 },
  capSeconds: 8,
  runs: "beside others",
  run: (subject, options) =>
    play(S5, subject, options, async (stage) => {
      const client = await stage.connect({ group: "never closing", answers: false })
      client.ask(Protocol.work(0))
      await client.answered()
      await stage.rested()
      stage.stop()
    }),
  // It got everything and was told; whether giving up on such a peer is a reset, and forced, is the server's choice.
  judge: judging.judgeWith(
    judging.clients({ count: 1, whole: true, told: true }),
    judging.process({ within: 4, code: 0 })
  )
}
