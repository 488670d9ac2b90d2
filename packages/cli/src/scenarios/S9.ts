import { fail, isCrash, nothing, warn } from "../check/judging.ts"
import type { Scenario } from "../check/Scenario.ts"

export const S9: Scenario = {
  id: "S9",
  title: "exit code of a clean end",
  meaning:
    "The exit code is all that the platform hears. One that is always 0 hides drains that were cut; one that is never 0 makes every rollout look like a crash, and restart policies act on it.",
  good: "0 when nobody was cut off.",
  fix: "Exit by yourself when the drain is over, with 0, and with another code when something was forced. A process without a handler dies of the signal (143 in a container).",
  measure: "exit code",
  unit: "",
  bound: () => "0",
  play: async (stage) => {
    const idle = await stage.connectMany(3, { group: "idle" })
    if (stage.has("quick")) {
      const quick = stage.request("quick")
      for (const client of idle) client.ask(quick)
      await Promise.all(idle.map((client) => client.answered()))
    }
    await stage.rested()
    stage.stop()
    stage.measured = null
  },
  judge: (played) => {
    const { exitCode, exitSignal, killed } = played
    if (killed) return fail("it had to be killed", "killed")
    if (isCrash(played)) return nothing
    if (exitSignal !== null) {
      return warn(`it died of ${exitSignal}: nothing in it handles the signal, or it ends itself so`, exitSignal)
    }
    if (exitCode === 0) return nothing
    const isOfSignal = exitCode === 130 || exitCode === 143 || exitCode === 131
    return (isOfSignal ? warn : fail)(
      `exit code ${exitCode} although nobody was cut off${isOfSignal ? ": systemd and Kubernetes tell it from 0" : ""}`,
      `exit ${exitCode}`
    )
  }
}
