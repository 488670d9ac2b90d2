import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"

export const S2c: Scenario = {
  id: "S2c",
  title: "half a request, then silence",
  good: "bounded by the drain deadline and the close after it, then RST",
  bound: "1.5 s",
  limits: { DRAIN_MS: 1000, CLOSE_MS: 500 },
  capSeconds: 8,
  runs: "beside others",
  run: (subject, options) =>
    play(S2c, subject, options, async (stage) => {
      const client = await stage.connect({ group: "half sent", answers: false })
      client.askHalf(Protocol.work(10))
      await stage.accepted()
      stage.stop()
    }),
  judge: judging.judgeWith(
    judging.clients({ count: 1, ending: "RST" }),
    // HTTP/1.1 has an answer to that.
    ({ clients: [client] }) =>
      client?.wire !== "http1" || client.instead.includes(requestTimeout)
        ? []
        : [`it was answered ${client.instead.join(", ") || "nothing"}, not ${requestTimeout}`],
    judging.process({ within: 5, code: "not 0" })
  )
}

const requestTimeout = "408"
