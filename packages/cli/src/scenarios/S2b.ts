import { clients, endsPromptly } from "../check/judging.ts"
import { promptly, type Scenario } from "../check/Scenario.ts"

export const S2b: Scenario = {
  id: "S2b",
  title: "connected, never sent a byte",
  meaning:
    "Browsers open connections that they may never use, load balancers warm up pools, and health checks of TCP say nothing. Servers that only know requests forget such connections, and hang on them for a minute, or for ever.",
  good: "FIN at once, and the end of the process; before a handshake as well as behind it.",
  fix: "Keep a list of all connections from the moment they are accepted, and end those that have no request at the signal.",
  measure: "time to exit",
  unit: "s",
  bound: promptly,
  play: async (stage) => {
    await stage.connectMute({ group: "silent" })
    if (stage.profile.channel !== "TCP") await stage.connect({ group: "unused" })
    await stage.accepted()
    await stage.rested()
    stage.stop()
  },
  judge: (played, setting) => [
    ...clients(played, { group: "silent", ending: "FIN" }),
    ...clients(played, { group: "unused", ending: "FIN", goodbyes: setting.profile.wire.goodbyes }),
    ...endsPromptly(played, setting)
  ]
}
