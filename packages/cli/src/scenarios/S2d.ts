import { clients, fail, hangs, nothing, warn } from "../check/judging.ts"
import { promptly, type Scenario, seconds } from "../check/Scenario.ts"
import { settles } from "../Waiting.ts"

export const S2d: Scenario = {
  id: "S2d",
  title: "idle WebSocket",
  meaning:
    "Thousands of browsers sit on open WebSockets. Told nothing, they find out by a broken connection, often much later, and reconnect all at once; and the process waits for them until it is killed.",
  good: "A close frame with code 1001 at once, the connection's end when the peer answers it, and the end of the process.",
  fix: "Send close 1001 (going away) to every open WebSocket at the signal, and bound the wait for answers. HTTP servers do not know the connections that were upgraded: keep a list of your own.",
  measure: "time to exit behind the answer",
  unit: "s",
  bound: promptly,
  doesNotApply: ({ channel }) =>
    channel === "WebSocket" ? undefined : "there is no close frame: the idle connection is S2a",
  play: async (stage) => {
    const { graceMillis, lateMillis } = stage.bounds
    const client = await stage.connect({ group: "upgraded", answers: false })
    if (stage.has("quick")) {
      client.ask(stage.request("quick"))
      await client.answered()
    }
    stage.stop()
    if (await settles(graceMillis, client.told.opened)) stage.facts["toldMillis"] = Math.round(stage.sinceSignal)
    await stage.afterSignal(Math.min(300, lateMillis))
    stage.facts["aliveAtAnswer"] = stage.server.alive ? 1 : 0
    const from = performance.now()
    client.answer()
    await settles(Math.max(0, graceMillis - stage.sinceSignal), stage.server.exited)
    stage.measured = stage.server.alive ? null : (performance.now() - from) / 1000
  },
  judge: (played, setting) => {
    const { bounds } = setting
    const { toldMillis } = played.facts
    const [first] = played.clients.flatMap(({ seen }) => seen)
    return [
      ...(first === "close 1001"
        ? nothing
        : first?.startsWith("close") === true
          ? warn(`it was told ${first}, not close 1001: browsers show that as a failure or as done`, first)
          : fail(`it was told ${first ?? "nothing"}, not close 1001`, first ?? "untold")),
      ...(toldMillis !== undefined && toldMillis > bounds.promptMillis
        ? (toldMillis > bounds.lateMillis ? fail : warn)(
            `it was told ${seconds(toldMillis)} after the signal`,
            "told late"
          )
        : nothing),
      ...(played.facts["aliveAtAnswer"] === 0 && first?.startsWith("close") === true
        ? warn("the process had ended before the peer could answer the close frame", "did not wait")
        : nothing),
      ...clients(played, { whole: true, ending: "FIN" }),
      ...(played.killed ? hangs(setting) : nothing),
      ...(played.measured !== null && (played.measured ?? 0) * 1000 > bounds.lateMillis
        ? fail(
            `the process ended ${played.measured!.toFixed(1)} s after the close frame was answered`,
            `${played.measured!.toFixed(1)} s`
          )
        : nothing)
    ]
  }
}
