import { clients, endsInTime } from "../check/judging.ts"
import { inTime, type Scenario } from "../check/Scenario.ts"

export const S2c: Scenario = {
  id: "S2c",
  title: "half a request, then silence",
  meaning:
    "A client on a bad network has sent half of a request. The server cannot know whether the rest is coming; if it waits without a bound, one such client holds every rollout until the process is killed, and everybody else is killed with it.",
  good: "It is waited for up to the deadline of the drain, and then cut off.",
  fix: "Bound the drain as a whole, and reset what is left at its end. Limits on single requests, such as Node's headersTimeout, are mostly too long for that.",
  measure: "time to exit",
  unit: "s",
  bound: inTime,
  play: async (stage) => {
    const client = await stage.connect({ group: "half sent", answers: false })
    client.askHalf(stage.request("quick"))
    await stage.accepted()
    stage.stop()
  },
  judge: (played, setting) => [...clients(played, { ending: ["RST", "FIN"] }), ...endsInTime(played, setting)]
}
