import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import { settles } from "@finwait/cli/Waiting"
import * as judging from "../judging.ts"

const patienceMillis = 3000

export const S2d: Scenario = {
  id: "S2d",
  title: "idle WebSocket that has been used",
  good: "close frame 1001 at once, exit when the peer answers it",
  bound: "0.2 s",
  limits: {},
  capSeconds: 8,
  runs: "beside others",
  doesNotApply: ({ channel }) =>
    channel === "WebSocket" ? undefined : `there is no close frame in ${channel}: the idle connection is S2a`,
  run: (subject, options) =>
    play(S2d, subject, options, async (stage) => {
      const client = await stage.connect({ group: "upgraded", answers: false })
      client.ask(Protocol.work(0))
      await client.answered()
      stage.stop()
      if (await settles(patienceMillis, client.told.opened)) stage.facts["secondsToClose"] = stage.sinceSignal
      await stage.afterSignal(500)
      stage.facts["aliveAtAnswer"] = stage.server.alive ? 1 : 0
      const from = performance.now()
      client.answer()
      await settles(patienceMillis, stage.server.exited)
      stage.measuredSeconds = (performance.now() - from) / 1000
    }),
  judge: judging.judgeWith(
    judging.fact("secondsToClose", (seconds) => seconds < 2, "seconds until it was told"),
    judging.fact("aliveAtAnswer", (alive) => alive === 1, "the process had not waited for the answer"),
    ({ clients: [client] }) =>
      client?.seen[0] === "close 1001" ? [] : [`it was told ${client?.seen[0] ?? "nothing"}, not close 1001`],
    judging.clients({ count: 1, whole: true, ending: "FIN" }),
    judging.process({ within: 4, code: 0 })
  )
}
