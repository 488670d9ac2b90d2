import { clients, endsInTime } from "../check/judging.ts"
import { inTime, type Scenario } from "../check/Scenario.ts"

export const S5: Scenario = {
  id: "S5",
  title: "client that never closes its side",
  meaning:
    "A buggy pool, or a proxy that has forgotten the connection, never answers a FIN. A server that waits for it has handed its shutdown to somebody else.",
  good: "It is told, waited for a moment, and given up on; the process ends.",
  fix: "Bound the wait for the peer's FIN, and then close all the same.",
  measure: "time to exit",
  unit: "s",
  bound: inTime,
  play: async (stage) => {
    const client = await stage.connect({ group: "never closing", answers: false })
    if (stage.has("quick")) {
      client.ask(stage.request("quick"))
      await client.answered()
    }
    await stage.rested()
    stage.stop()
  },
  judge: (played, setting) => [
    ...clients(played, { whole: true, ending: ["FIN", "RST"] }),
    ...endsInTime(played, setting)
  ]
}
