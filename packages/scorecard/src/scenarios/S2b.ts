import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"

export const S2b: Scenario = {
  id: "S2b",
  title: "connected, never sent a byte",
  good: "FIN at once, exit in less than 0.2 s; past the handshake, where there is one, and before it",
  bound: "0.2 s",
  limits: {},
  capSeconds: 8,
  runs: "beside others",
  run: (subject, options) =>
    play(S2b, subject, options, async (stage) => {
      await stage.connectMute({ group: "silent" })
      if (stage.wire.channel !== "TCP") await stage.connect({ group: "unused" })
      await stage.accepted()
      await stage.rested()
      stage.stop()
    }),
  judge: judging.judgeWith(
    judging.clients({ group: "silent", count: 1, ending: "FIN" }),
    judging.clients({ group: "unused", ending: "FIN" }),
    judging.process({ within: 4, code: 0 })
  )
}
