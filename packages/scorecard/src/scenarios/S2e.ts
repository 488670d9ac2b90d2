import type { Client } from "../clients/Client.ts"
import * as Protocol from "../Protocol.ts"
import type { Scenario } from "../Scenario.ts"
import { play, type Stage } from "../Stage.ts"
import { sleep } from "@finwait/cli/Waiting"
import * as judging from "../judging.ts"

const clientCount = 5
const pauseMillis = 50
const jobMillis = 100
/** How long after the signal they go on asking, at most. */
const patienceSeconds = 3

export const S2e: Scenario = {
  id: "S2e",
  title: "busy clients, always one more request",
  good: "every request answered, the last with the news that it is the last, then FIN; who connects again is refused",
  bound: "0.5 s",
  limits: {},
  capSeconds: 10,
  runs: "beside others",
  doesNotApply: ({ dialect }) =>
    dialect.name === "http" ? undefined : "only in HTTP the connection goes on to the next request",
  run: (subject, options) =>
    play(S2e, subject, options, async (stage) => {
      const clients = await stage.connectMany(clientCount, { group: "busy" })
      const asking = clients.map((client, index) => askOnAndOn(stage, client, (index * pauseMillis) / clientCount))
      await sleep(600)
      stage.stop()
      const answered = await Promise.all(asking)
      stage.facts["answeredAfter"] = Math.max(...answered)
      stage.facts["unannounced"] = clients.filter((client) => !client.wasAnnounced).length
    }),
  judge: judging.judgeWith(
    judging.clients({ group: "busy", count: clientCount, whole: true, ending: "FIN" }),
    judging.clients({ group: "busy again", count: clientCount, ending: "refused" }),
    // One may be on its way when the server is told.
    judging.fact("answeredAfter", (count) => count <= 1, "requests answered that one client had after the signal"),
    judging.fact("unannounced", (count) => count === 0, "clients that were not told which answer is the last"),
    judging.process({ within: 5, code: 0 })
  )
}

/**
 * As a pool of connections does it: one request after the other, with pauses, until the server says that it is enough or
 * ends the connection; the next one needs another connection. Returns how many were asked and answered after the signal.
 */
const askOnAndOn = async (stage: Stage, client: Client, offset: number): Promise<number> => {
  await sleep(offset)
  let answeredAfter = 0
  while (!client.over && !client.transcript.saidLast && stage.sinceSignal < patienceSeconds) {
    const isAfter = stage.server.signalledAt !== undefined
    client.ask(Protocol.work(jobMillis))
    await client.answered()
    if (isAfter && client.transcript.whole) answeredAfter++
    await sleep(pauseMillis)
  }
  await stage.reach({ group: "busy again" })
  return answeredAfter
}
