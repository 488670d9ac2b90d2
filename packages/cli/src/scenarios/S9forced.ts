import { fail, nothing, warn } from "../check/judging.ts"
import type { Scenario } from "../check/Scenario.ts"
import { S3 } from "./S3.ts"

export const S9forced: Scenario = {
  ...S3,
  id: "S9f",
  title: "exit code of a forced end",
  meaning:
    "Somebody's answer was cut off because there was no more time. If the process exits with 0 all the same, no alert fires, and nobody ever knows which rollouts lose requests.",
  good: "Another exit code than 0.",
  fix: "Count what was reset at the deadline, and let the exit code say so.",
  measure: "exit code",
  unit: "",
  bound: () => "not 0",
  play: async (stage) => {
    await S3.play(stage)
    stage.measured = null
  },
  judge: ({ clients, exitCode, killed }) => {
    if (killed) return fail("it had to be killed", "killed")
    const cut = clients.filter(({ ending, whole }) => !whole && ending !== "open").length
    return exitCode === 0 && cut > 0 ? warn(`exit code 0, although ${cut} answer was cut off`, "exit 0") : nothing
  }
}
