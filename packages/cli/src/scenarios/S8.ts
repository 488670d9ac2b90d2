import type { Client } from "../clients/Client.ts"
import { fileLimit } from "../clients/kernel.ts"
import { clients, endsPromptly, nothing, warn } from "../check/judging.ts"
import { type Scenario, seconds } from "../check/Scenario.ts"
import type { Stage } from "../check/Stage.ts"
import type { Request } from "../profiles/Profile.ts"
import { settles } from "../Waiting.ts"

/** Files that a process needs besides its connections, generously. */
const spareFiles = 200

const group = "idle"

/** How many ask at the same time, and how long they wait for all of their answers. */
const askTogether = 100
const answeredMillis = 2_000

/** What a thousand closes may take on a slow machine. */
const millisPerThousand = 300

const allowed = (connections: number) => (connections / 1000) * millisPerThousand

export const S8: Scenario = {
  id: "S8",
  title: "thousands of idle connections",
  meaning:
    "A server of WebSockets, or behind a mesh, holds thousands of connections that do nothing. Closing them one after the other, or each with a timer of its own, takes longer than the platform waits.",
  good: "All get FIN, none RST, side by side, and the process ends.",
  fix: "Tell all of them before waiting for any; do not reset them to be quick, because what is on its way is lost then.",
  measure: "time to exit",
  unit: "s",
  bound: ({ bounds, connections }) => seconds(bounds.promptMillis + allowed(connections)),
  play: async (stage) => {
    const wished = stage.setting.connections
    const size = Math.max(1, Math.min(wished, (fileLimit() ?? 1024) - spareFiles))
    if (size < wished) stage.notes.push(`${size} connections: the limit of open files allows no more (ulimit -n)`)
    stage.facts["connections"] = size
    const idle = await stage.crowd(size, { group })
    await stage.accepted()
    await askOnce(stage, idle)
    await stage.rested()
    stage.stop()
  },
  judge: (played, setting) => {
    const all = played.clients.filter((client) => client.group === group)
    const refused = all.filter(({ millis }) => millis !== null && millis < 0).length
    return [
      ...(refused > 0
        ? warn(
            `${refused} of ${all.length} were turned away or ended before the signal: a limit of the server`,
            `${refused} turned away`
          )
        : nothing),
      ...clients(
        { ...played, clients: all.filter(({ millis }) => millis === null || millis >= 0) },
        { ending: "FIN", goodbyes: setting.profile.wire.goodbyes }
      ),
      ...endsPromptly(played, setting, allowed(played.facts["connections"] ?? 0))
    ]
  }
}

/**
 * Who is idle has mostly been served before: those that never said anything are S2b's. Connected first and asked then, so
 * that it is over sooner than the shortest idle timeouts, of five seconds. Where an answer ends its connection, as in
 * HTTP/1.0, only those that have not asked can be idle.
 */
const askOnce = async (stage: Stage, idle: ReadonlyArray<Client<Request>>): Promise<void> => {
  if (!stage.has("quick")) return
  const quick = stage.request("quick")
  const first = await stage.connect({ group: "asking" })
  first.ask(quick)
  await first.answered()
  if (first.transcript.saidLast || first.over) return
  for (let at = 0; at < idle.length; at += askTogether) {
    const some = idle.slice(at, at + askTogether).filter((client) => !client.over)
    for (const client of some) client.ask(quick)
    if (await settles(answeredMillis, Promise.all(some.map((client) => client.answered())))) continue
    stage.notes.push("not all of them were answered before the signal")
    return
  }
}
