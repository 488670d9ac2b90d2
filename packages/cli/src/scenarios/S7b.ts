import { clients, fail, nothing, warn } from "../check/judging.ts"
import { NotRun, type Played, type Stage } from "../check/Stage.ts"
import type { Client } from "../clients/Client.ts"
import type { Request } from "../profiles/Profile.ts"
import type { Scenario } from "../check/Scenario.ts"
import { sleep } from "../Waiting.ts"
import { isLarge } from "./large.ts"

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
    const slow = stage.request("slow")
    if (stage.setting.survey.slowMillis < 900)
      throw new NotRun("the slow request takes less than a second: the drain would be over too soon")
    const holding = await hold(stage)
    const working = await stage.connect({ group: "in flight" })
    working.ask(slow)
    await sleep(100)
    stage.stop()
    await stage.afterSignal(300)
    for (let attempt = 0; attempt < attempts; attempt++) {
      const late = await stage.reach({ group: "latecomer" })
      if (!late.over && stage.has("quick")) late.ask(stage.request("quick"))
      await sleep(50)
    }
    holding?.read()
  },
  measured: (played) => fatesOf(played).dropped,
  judge: (played) => {
    const { dropped, ends, late, served } = fatesOf(played)
    return [
      ...(dropped > 0
        ? fail(
            `${dropped} of ${late.length} latecomers were accepted and not answered (${ends.join(", ")})`,
            `${dropped} dropped`
          )
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

/**
 * A server that cuts off its work has no drain to come to, unless somebody holds it open: one whose connection has something
 * to do at its end, and one that does not read, who is given back.
 */
const hold = async (stage: Stage): Promise<Client<Request> | undefined> => {
  if (stage.has("finalizer")) {
    const ending = await stage.connect({ group: "holding" })
    ending.ask(stage.request("finalizer"))
    await ending.answered()
  }
  if (!isLarge(stage)) return undefined
  const stalled = await stage.connect({ group: "holding", reads: "once" })
  stalled.ask(stage.request("large"))
  await stalled.firstBytes()
  return stalled
}

/** Of those who came while it drained. */
const fatesOf = ({ clients }: Played) => {
  const late = clients.filter(({ group }) => group === "latecomer")
  const accepted = late.filter(({ ending }) => ending !== "refused")
  const served = accepted.filter(({ receivedBytes, whole }) => whole && receivedBytes > 0).length
  const unserved = accepted.filter(({ receivedBytes, whole }) => !whole || receivedBytes === 0)
  return { late, served, dropped: unserved.length, ends: [...new Set(unserved.map(({ ending }) => ending))] }
}
