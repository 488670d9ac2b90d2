import { clients, fail, nothing } from "../check/judging.ts"
import { type Scenario, seconds } from "../check/Scenario.ts"
import { NotRun } from "../check/Stage.ts"
import { readTable } from "../clients/kernel.ts"
import { settles } from "../Waiting.ts"

export const S11: Scenario = {
  id: "S11",
  title: "a close that the client does not read",
  meaning:
    "No signal here: the server ends one connection with megabytes that are not sent yet, and the client does not read. Such sockets pile up, each with its buffers and its descriptor, until the process has no more of them.",
  good: "The connection is given up on within a bound, and reset.",
  fix: "Give every close a deadline, and reset at its end: destroy on 'finish' is not one.",
  measure: "time until it is gone",
  unit: "s",
  bound: ({ bounds }) => seconds(bounds.closeMillis),
  doesNotApply: ({ requests }) =>
    requests.drop === undefined ? `only for servers with such a request ("drop" in --script)` : undefined,
  play: async (stage) => {
    const dropped = await stage.connect({ group: "dropped", reads: "once", answers: false })
    const from = performance.now()
    dropped.ask(stage.request("drop"))
    await dropped.firstBytes()
    const isGone = () => dropped.isReset(readTable()) === true
    if (dropped.isReset(readTable()) === undefined)
      throw new NotRun("this system does not tell what its kernel knows of a connection")
    while (!isGone() && performance.now() - from < stage.bounds.closeMillis) {
      await settles(50, stage.server.exited)
    }
    const gone = isGone()
    stage.facts["gone"] = gone ? 1 : 0
    stage.measured = gone ? (performance.now() - from) / 1000 : null
    stage.stop()
  },
  judge: (played, { bounds }) => [
    ...(played.facts["gone"] === 1
      ? nothing
      : fail(`its socket was still there after ${seconds(bounds.closeMillis)}`, "leaks")),
    ...(played.facts["gone"] === 1 ? clients(played, { ending: "RST" }) : nothing)
  ]
}
