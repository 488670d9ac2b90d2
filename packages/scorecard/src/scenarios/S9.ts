import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play } from "../Stage.ts"
import * as judging from "../judging.ts"
import { S3 } from "./S3.ts"

export const S9: Scenario = {
  id: "S9",
  title: "exit code",
  good: "0 for a clean drain, another code when anything was forced",
  bound: "0, not 0",
  limits: {},
  capSeconds: 8,
  runs: "beside others",
  run: async (subject, options) => {
    const clean = await play(S9, subject, options, async (stage) => {
      const idle = await stage.connectMany(3, { group: "idle" })
      for (const client of idle) client.ask(Protocol.work(0))
      await Promise.all(idle.map((client) => client.answered()))
      const working = await stage.connectMany(3, { group: "in flight" })
      for (const client of working) client.ask(Protocol.work(500))
      await stage.accepted()
      stage.measuredSeconds = null
      stage.stop()
    })
    const forced = await S3.run(subject, options)
    return {
      ...clean,
      facts: {
        ...clean.facts,
        forcedKilled: forced.killed ? 1 : 0,
        ...(forced.exitCode === null ? {} : { forcedExitCode: forced.exitCode })
      },
      stderr: clean.stderr + forced.stderr
    }
  },
  judge: judging.judgeWith(
    judging.clients({ count: 6, whole: true, ending: "FIN" }),
    judging.process({ within: 5, code: 0 }),
    judging.fact("forcedKilled", (killed) => killed === 0, "with a stalled peer it had to be killed"),
    judging.fact("forcedExitCode", (code) => code !== 0, "exit code after a forced drain")
  )
}
