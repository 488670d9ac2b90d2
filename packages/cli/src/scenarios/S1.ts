import { clients, endsPromptly } from "../check/judging.ts"
import { NotRun } from "../check/Stage.ts"
import { type Scenario, seconds } from "../check/Scenario.ts"
import { sleep } from "../Waiting.ts"

/** Less would be over before the signal on a busy machine. */
const shortestMillis = 400

export const S1: Scenario = {
  id: "S1",
  title: "work in flight",
  meaning:
    "A request is being worked on when the rollout tells this process to stop. If it is cut off, somebody's payment or upload fails in every deployment, and retries may do it twice.",
  good: "The whole answer, then FIN, then the end of the process, not later than the work takes.",
  fix: "At the signal stop accepting and let what is being worked on finish before the process exits; give it a deadline below the platform's grace period.",
  measure: "time to exit behind the work",
  unit: "s",
  bound: ({ bounds }) => seconds(bounds.promptMillis),
  play: async (stage) => {
    const slow = stage.request("slow")
    const { slowMillis } = stage.setting.survey
    if (slowMillis < shortestMillis) {
      throw new NotRun(`the slow request takes only ${Math.round(slowMillis)} ms; one of a second or more is needed`)
    }
    const client = await stage.connect({ group: "in flight" })
    client.ask(slow)
    await sleep(Math.min(slowMillis / 2, 1000))
    const left = slowMillis - Math.min(slowMillis / 2, 1000)
    if (client.transcript.whole) throw new NotRun("the answer had come before the signal: it is not always slow")
    stage.facts["workLeftMillis"] = Math.round(left)
    stage.stop()
  },
  measured: ({ exitSeconds, facts, killed }) =>
    exitSeconds === null || killed ? null : Math.max(0, exitSeconds - (facts["workLeftMillis"] ?? 0) / 1000),
  judge: (played, setting) => {
    const left = played.facts["workLeftMillis"] ?? 0
    return [
      ...clients(played, { whole: true, ending: "FIN", goodbyes: setting.profile.wire.goodbyes }),
      ...endsPromptly(played, setting, left)
    ]
  }
}
