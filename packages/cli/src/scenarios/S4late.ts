import type { Scenario } from "../check/Scenario.ts"
import { answeredWhileUploading, judgeUploads } from "./uploads.ts"

export const S4late: Scenario = {
  id: "S4late",
  title: "the same, read 0.7 to 1.5 s later",
  meaning:
    "The same on a slow network: the client turns to the answer only when its upload is nearly over. A server that lingers for half a second keeps fast clients and loses slow ones.",
  good: "The same.",
  fix: "Linger for as long as the client makes progress (nginx: up to 30 s, and 5 s without a byte), not for a fixed half a second.",
  measure: "answers lost",
  unit: "",
  bound: () => "none",
  play: (stage) => answeredWhileUploading(stage, 1, 50, [700, 1500], "slowly"),
  judge: judgeUploads
}
