import { clients, endsInTime, nothing, warn } from "../check/judging.ts"
import { inTime, type Scenario } from "../check/Scenario.ts"
import { largeRequest } from "./large.ts"

export const S3: Scenario = {
  id: "S3",
  title: "client that stopped reading",
  meaning:
    "A phone went into a tunnel in the middle of a download. Its kernel takes nothing more, and nothing ever tells the server so. A server that waits until everything is sent never ends, and takes everybody with it when it is killed.",
  good: "The process ends at its own deadline, and this connection is reset: a FIN would make half an answer look whole.",
  fix: "Bound the drain and the close of each connection; at the end reset what is left (socket.resetAndDestroy() in Node, SO_LINGER with 0 elsewhere).",
  measure: "time to exit",
  unit: "s",
  bound: inTime,
  play: async (stage) => {
    const large = largeRequest(stage)
    // It reads once, so that the answer is known to be under way, and looks again when the process is gone.
    const client = await stage.connect({ group: "stalled", reads: "once" })
    client.ask(large)
    await client.firstBytes()
    stage.stop()
  },
  judge: (played, setting) => [
    ...clients(played, { ending: ["RST", "FIN"] }),
    ...(played.clients.some(({ ending, whole }) => ending === "FIN" && !whole)
      ? warn("the client that was cut off was told FIN, not RST: half an answer looks whole", "FIN")
      : nothing),
    ...endsInTime(played, setting)
  ]
}
