import { fileLimit } from "../clients/kernel.ts"
import { clients, endsPromptly, nothing, warn } from "../check/judging.ts"
import { type Scenario, seconds } from "../check/Scenario.ts"

/** Files that a process needs besides its connections, generously. */
const spareFiles = 200

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
    await stage.crowd(size, { group: "idle" })
    await stage.accepted()
    await stage.rested()
    stage.stop()
  },
  judge: (played, setting) => {
    const refused = played.clients.filter(({ millis }) => millis !== null && millis < 0).length
    return [
      ...(refused > 0
        ? warn(
            `${refused} of ${played.clients.length} were turned away or ended before the signal: a limit of the server`,
            `${refused} turned away`
          )
        : nothing),
      ...clients(
        { ...played, clients: played.clients.filter(({ millis }) => millis === null || millis >= 0) },
        { ending: "FIN", goodbyes: setting.profile.wire.goodbyes }
      ),
      ...endsPromptly(played, setting, allowed(played.facts["connections"] ?? 0))
    ]
  }
}
