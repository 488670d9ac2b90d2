import { clients, endsPromptly } from "../check/judging.ts"
import { promptly, type Scenario } from "../check/Scenario.ts"

export const S2a: Scenario = {
  id: "S2a",
  title: "idle after one request",
  meaning:
    "Load balancers and connection pools keep connections that they are not using. A server that waits for them to leave by themselves takes as long as their idle timeout, which is often longer than the platform's patience.",
  good: "FIN at once, and the end of the process.",
  fix: "Close idle connections at the signal. One that has been idle for less than a second may be given the rest of that second, for a request that is on its way; the others have had theirs. Stopping to accept is not enough: close() of a plain net.Server waits for every connection, and that of Node's HTTP for those that never asked, or were upgraded.",
  measure: "time to exit",
  unit: "s",
  bound: promptly,
  play: async (stage) => {
    const client = await stage.connect({ group: "idle" })
    client.ask(stage.request("quick"))
    await client.answered()
    await stage.rested()
    stage.stop()
  },
  judge: (played, setting) => [
    ...clients(played, { whole: true, ending: "FIN", goodbyes: setting.profile.wire.goodbyes }),
    ...endsPromptly(played, setting)
  ]
}
