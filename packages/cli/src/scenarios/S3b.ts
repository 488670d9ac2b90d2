import { clients, endsPromptly } from "../check/judging.ts"
import { type Scenario, seconds } from "../check/Scenario.ts"
import { largeRequest } from "./large.ts"

/** What a good connection at home has. */
const bytesPerSecond = 20e6

export const S3b: Scenario = {
  id: "S3b",
  title: "slow reader of a large answer",
  meaning:
    "Somebody downloads a file over an ordinary line when the rollout comes. The server has handed over all of it long ago and thinks that it is done; most of it is still in its buffers, and is thrown away when the process exits.",
  good: "Every byte arrives, then FIN, and then the process ends.",
  fix: "An answer that was ended is not an answer that was sent: wait until the socket has given everything to the kernel, and close it by FIN. Node's HTTP takes ended answers for idle connections, in closeIdleConnections() and, since Node 19, in server.close(): net.Server.prototype.close.call(server) stops to accept and leaves them alone.",
  measure: "time to exit",
  unit: "s",
  bound: ({ bounds, survey }) => seconds((survey.largeBytes / bytesPerSecond) * 1000 + bounds.lateMillis),
  play: async (stage) => {
    const large = largeRequest(stage)
    const client = await stage.connect({ group: "slow reader", bytesPerSecond })
    client.ask(large)
    await client.firstBytes()
    stage.stop()
  },
  judge: (played, setting) => [
    ...clients(played, { whole: true, ending: "FIN", goodbyes: setting.profile.wire.goodbyes }),
    ...endsPromptly(played, setting, (setting.survey.largeBytes / bytesPerSecond) * 1000 + setting.bounds.lateMillis)
  ]
}
