import type { Scenario } from "../check/Scenario.ts"
import { answeredWhileUploading, judgeUploads } from "./uploads.ts"

export const S4: Scenario = {
  id: "S4",
  title: "answer during an upload",
  meaning:
    "A server refuses an upload (413, 401, 404) without reading it, and closes. If it closes with unread input the kernel sends RST, which throws away the answer that is still on its way: the user sees a broken connection, and never why.",
  good: "Every client reads the whole answer, though nobody read its upload. Reading all of the upload and then answering is as good.",
  fix: "Linger: send FIN behind the answer, and go on reading and throwing away for a while (nginx: lingering_close; RFC 9112, section 9.6).",
  measure: "answers lost",
  unit: "",
  bound: () => "none",
  play: (stage) => answeredWhileUploading(stage, 2, 40, [50, 200], "at once"),
  judge: judgeUploads
}
