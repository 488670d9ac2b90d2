import { clients, endsPromptly } from "../check/judging.ts"
import type { Scenario } from "../check/Scenario.ts"
import { NotRun } from "../check/Stage.ts"
import { sleep } from "../Waiting.ts"

const waiting = 20

export const S7: Scenario = {
  id: "S7",
  title: "20 requests in the accept backlog",
  meaning:
    "The server was busy for a moment when the signal came, and clients wait in the kernel's queue: to them they are connected, and their requests are sent. Closing the listener resets all of them.",
  good: "All are accepted and answered, and then told.",
  fix: "Before closing the listening socket accept what waits in its backlog. Where that is not possible, let the load balancer know first (readiness, preStop) and wait until nothing new comes.",
  measure: "answers lost",
  unit: "",
  bound: () => "none",
  doesNotApply: ({ channel }) =>
    channel === "TCP" || channel === "HTTP/2"
      ? undefined
      : "a client that waits in the backlog cannot send a request before its handshake",
  play: async (stage) => {
    const quick = stage.request("quick")
    // Nothing of it runs: whoever connects waits in the kernel.
    stage.server.freeze()
    try {
      await sleep(50)
      const clients = await stage.queue(waiting, { group: "backlog" })
      if (clients.length < waiting) stage.notes.push(`its backlog has room for ${clients.length} only`)
      for (const client of clients) client.ask(quick)
      await sleep(100)
      if (clients.some((client) => client.transcript.receivedBytes > 0)) throw new NotRun("it could not be held still")
      stage.stop()
    } finally {
      stage.server.resume()
    }
    await sleep(300)
    await Promise.all(stage.clients.map((client) => client.answered().catch(() => {})))
    stage.measured = stage.clients.filter((client) => !client.transcript.whole).length
  },
  judge: (played, setting) => [
    ...clients(played, { group: "backlog", whole: true, ending: "FIN" }),
    ...endsPromptly(played, setting, setting.bounds.lateMillis)
  ]
}
