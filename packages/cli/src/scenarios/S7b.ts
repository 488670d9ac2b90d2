import { clients, fail, nothing, warn } from "../check/judging.ts"
import { NotRun, type Played } from "../check/Stage.ts"
import type { Scenario } from "../check/Scenario.ts"
import { sleep } from "../Waiting.ts"

const attempts = 5

export const S7b: Scenario = {
  id: "S7b",
  title: "connecting while the server drains",
  meaning:
    "A client, or a load balancer that has not heard yet, connects to a server that is stopping. Refused at once, it goes elsewhere in a millisecond; accepted and never answered, it waits for its timeout.",
  good: "Refused at once, while the work in flight is finished.",
  fix: "Close the listening socket at the beginning of the drain, behind a lame-duck time where a load balancer needs one. Never accept what will not be served.",
  measure: "clients dropped",
  unit: "",
  bound: () => "none",
  play: async (stage) => {
    const { slowMillis } = stage.setting.survey
    if (slowMillis < 900) stage.request("slow")
    if (slowMillis < 900)
      throw new NotRun("the slow request takes less than a second: the drain would be over too soon")
    const working = await stage.connect({ group: "in flight" })
    working.ask(stage.request("slow"))
    await sleep(100)
    stage.stop()
    await stage.afterSignal(300)
    for (let attempt = 0; attempt < attempts; attempt++) {
      const late = await stage.reach({ group: "latecomer" })
      if (!late.over && stage.has("quick")) late.ask(stage.request("quick"))
      await sleep(50)
    }
  },
  measured: (played) => fatesOf(played).dropped,
  judge: (played) => {
    const { dropped, late, served } = fatesOf(played)
    return [
      ...(dropped > 0
        ? fail(`${dropped} of ${late.length} latecomers were neither refused nor answered`, `${dropped} dropped`)
        : nothing),
      ...(served > 0
        ? warn(
            `${served} of ${late.length} latecomers were still served: right for a lame duck, and only for one`,
            `${served} served`
          )
        : nothing),
      ...clients(played, { group: "in flight", whole: true })
    ]
  }
}

/** Of those who came while it drained. */
const fatesOf = ({ clients }: Played) => {
  const late = clients.filter(({ group }) => group === "latecomer")
  const refused = late.filter(({ ending }) => ending === "refused").length
  const served = late.filter(
    ({ ending, receivedBytes, whole }) => ending !== "refused" && whole && receivedBytes > 0
  ).length
  return { late, served, dropped: late.length - refused - served }
}
