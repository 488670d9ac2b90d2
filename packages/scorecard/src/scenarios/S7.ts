import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import { sleep } from "@finwait/cli/Waiting"
import * as judging from "../judging.ts"

export const S7: Scenario = {
  id: "S7",
  title: "20 requests in the accept backlog",
  good: "all 20 answered",
  bound: "all 20",
  limits: {},
  capSeconds: 10,
  runs: "beside others",
  doesNotApply: ({ channel }) =>
    channel === "TCP" || channel === "HTTP/2"
      ? undefined
      : `a client that waits in the backlog cannot send a request before its handshake`,
  run: (subject, options) =>
    play(S7, subject, options, async (stage) => {
      const blocker = await stage.connect({ group: "blocker" })
      blocker.ask(Protocol.block(1500))
      // A blocked process cannot say that it is blocked.
      await sleep(300)
      const waiting = await stage.connectMany(20, { group: "backlog" })
      for (const client of waiting) client.ask(Protocol.work(0))
      await sleep(300)
      const early = waiting.filter((client) => client.transcript.receivedBytes > 0).length
      if (early > 0) stage.notes.push(`${early} of 20 were answered before the signal, so the backlog was shorter`)
      stage.measuredSeconds = null
      stage.stop()
    }),
  judge: judging.judgeWith(
    judging.clients({ group: "backlog", count: 20, whole: true, ending: "FIN" }),
    judging.clients({ group: "blocker", count: 1, whole: true, ending: "FIN" }),
    judging.process({ within: 7, code: 0 })
  )
}
