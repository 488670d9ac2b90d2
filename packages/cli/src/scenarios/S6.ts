import { clients, fail, nothing, warn } from "../check/judging.ts"
import { NotRun } from "../check/Stage.ts"
import { type Scenario, seconds } from "../check/Scenario.ts"
import { settles } from "../Waiting.ts"
import { largeRequest } from "./large.ts"

/** A repeat at once is a wrapper's duplicate of the same signal; this one is meant. */
const againMillis = 1000

export const S6: Scenario = {
  id: "S6",
  title: "second signal while stopping",
  meaning:
    "An operator has pressed Ctrl-C, nothing seems to happen, and presses it again. A server that ignores the second one can only be killed, which skips everything that it would still have to do at its end.",
  good: "The second signal ends the drain: connections are reset, the process exits at once, and its exit code tells.",
  fix: "Handle the signal again while draining: reset what is open, and exit with a code other than 0.",
  measure: "time to exit behind the second",
  unit: "s",
  bound: ({ bounds }) => seconds(bounds.promptMillis),
  play: async (stage) => {
    const holder = await stage.connect({ group: "stalled", reads: "once", answers: false })
    holder.ask(largeRequest(stage))
    await holder.firstBytes()
    await stage.accepted()
    stage.stop()
    await stage.afterSignal(againMillis)
    if (!stage.server.alive) {
      throw new NotRun(
        `it had ended ${seconds(againMillis)} after the first signal, although a client had not read its answer`
      )
    }
    stage.server.signal()
    const from = performance.now()
    await settles(stage.bounds.lateMillis, stage.server.exited)
    stage.measured = stage.server.alive ? null : (performance.now() - from) / 1000
    stage.facts["aliveAfterSecond"] = stage.server.alive ? 1 : 0
  },
  judge: (played, { bounds }) => {
    if (played.facts["aliveAfterSecond"] === 1) {
      return fail(`the second signal was ignored: still running ${seconds(bounds.lateMillis)} later`, "ignored")
    }
    const late = (played.measured ?? 0) * 1000 > bounds.promptMillis
    return [
      ...clients(played, { ending: ["RST", "FIN"] }),
      ...(late ? warn(`the process ended ${played.measured!.toFixed(1)} s after the second signal`, "late") : nothing),
      ...(played.exitCode === 0 ? warn("the exit code is 0, although answers were cut off", "exit 0") : nothing)
    ]
  }
}
