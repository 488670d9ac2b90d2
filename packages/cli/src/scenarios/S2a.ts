import { clients, endsPromptly } from "../check/judging.ts"
import { promptly, type Scenario } from "../check/Scenario.ts"

export const S2a: Scenario = {
  id: "S2a",
  title: "idle after one request",
  meaning:
    "Load balancers and connection pools keep connections that they are not using. A server that waits for them to leave by themselves takes as long as their idle timeout, which is often longer than the platform's patience.",
  good: "FIN at once, and the end of the process.",
  fix: "Close idle connections at the signal, after a second or so for a request that may be on its way. Stopping to accept is not enough: server.close() of Node, for one, does not end connections that are upgraded or half open.",
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
