import { clients, endsPromptly } from "../check/judging.ts"
import { type Scenario, seconds } from "../check/Scenario.ts"

const each = 1000

export const S10: Scenario = {
  id: "S10",
  title: "ten connections with a second's end",
  meaning:
    "Each connection has something to do at its end: flush a session, write a last record. One after the other that takes minutes with some hundred connections.",
  good: "Side by side: a second, not ten.",
  fix: "Close connections at the same time, and wait for all of them together.",
  measure: "time to exit",
  unit: "s",
  bound: ({ bounds }) => seconds(each + bounds.promptMillis),
  doesNotApply: ({ channel, requests }) =>
    requests.finalizer !== undefined && channel !== "HTTP/2"
      ? undefined
      : `only for servers with such a request ("finalizer" in --script)`,
  play: async (stage) => {
    const request = stage.request("finalizer")
    const all = await stage.connectMany(10, { group: "with finalizer" })
    for (const client of all) client.ask(request)
    await Promise.all(all.map((client) => client.answered()))
    stage.stop()
  },
  judge: (played, setting) => [
    ...clients(played, { whole: true, ending: "FIN", goodbyes: setting.profile.wire.goodbyes }),
    ...endsPromptly(played, setting, each)
  ]
}
