import type { Client } from "../clients/Client.ts"
import { clients, endsInTime, fail, nothing, warn } from "../check/judging.ts"
import { type Scenario } from "../check/Scenario.ts"
import type { Stage } from "../check/Stage.ts"
import type { Request } from "../profiles/Profile.ts"
import { sleep } from "../Waiting.ts"

const clientCount = 5
const pauseMillis = 40
/** How long after the signal they go on asking, at most. */
const patienceMillis = 4000

export const S2e: Scenario = {
  id: "S2e",
  title: "busy clients, always one more request",
  meaning:
    "A proxy with a pool sends request after request on the same connections. A server that goes on answering is never done; one that closes without a word loses the request that is on its way, which the proxy gives back as a 502.",
  good: "Every request that was sent is answered, and the last answer says that it is the last (Connection: close, GOAWAY).",
  fix: "From the signal on, answer with Connection: close (HTTP/2: GOAWAY), and end the connection behind that answer, not before.",
  measure: "requests lost",
  unit: "",
  bound: () => "none",
  doesNotApply: ({ announces }) =>
    announces ? undefined : "only in HTTP an answer can say that it is the connection's last",
  play: async (stage) => {
    const quick = stage.request("quick")
    const busy = await stage.connectMany(clientCount, { group: "busy" })
    const asking = busy.map((client, index) => askOnAndOn(stage, client, quick, (index * pauseMillis) / clientCount))
    await sleep(400)
    stage.stop()
    const after = await Promise.all(asking)
    stage.facts["answeredAfter"] = Math.max(...after)
    stage.facts["untold"] = busy.filter((client) => !client.wasAnnounced).length
    stage.measured = busy.filter((client) => !client.transcript.whole).length
  },
  judge: (played, setting) => {
    const { answeredAfter = 0, untold = 0 } = played.facts
    return [
      ...clients(played, { group: "busy", whole: true }),
      ...clients(played, { group: "busy", ending: "FIN" }).map(({ level, short, text }) => ({
        text,
        short,
        // Whole and then reset: nothing was lost, and a pool logs an error.
        level: short === "RST" ? ("warn" as const) : level
      })),
      ...(untold > 0
        ? warn(
            `${untold} of ${clientCount} were not told which answer is the last: the next request on that connection is at risk`,
            `${untold} untold`
          )
        : nothing),
      ...(played.killed && answeredAfter > 1
        ? fail(
            `${answeredAfter} more requests of one client were answered after the signal: it is never done`,
            "never done"
          )
        : nothing),
      ...endsInTime(played, setting)
    ]
  }
}

/** Until the server says that it is enough, or ends the connection. Returns how many were answered after the signal. */
const askOnAndOn = async (stage: Stage, client: Client<Request>, quick: Request, offset: number): Promise<number> => {
  await sleep(offset)
  let after = 0
  while (!client.over && !client.transcript.saidLast && stage.sinceSignal < patienceMillis) {
    const isAfter = stage.server.signalledAt !== undefined
    client.ask(quick)
    await client.answered()
    if (isAfter && client.transcript.whole) after++
    await sleep(pauseMillis)
  }
  return after
}
