/** One drain from beginning to end, and many of them, some side by side. */
import { sleep } from "../../packages/cli/src/Waiting.ts"
import type { Child } from "./Child.ts"
import type { ClientRecord, Open } from "./clients.ts"
import { type Link, serverAddress } from "./Link.ts"
import { addressOf, type Plan, uses } from "./plans.ts"
import type { Drained, Servers } from "./servers.ts"

export interface Played {
  readonly plan: Plan
  readonly port: number
  readonly records: ReadonlyArray<ClientRecord>
  /** Absent when it did not end. */
  readonly drained: Drained | undefined
  /** What went wrong before anything could be judged, or why it did not end. */
  readonly trouble: string | undefined
}

/** A SYN that is lost is sent again after a second, and after three, and after seven. */
const openMillis = 60_000

/** When the server has heard the last of them, the clients have heard the last of the server, or will right away. */
const collectMillis = 5_000

const askMillis = 20_000

export interface Stage {
  readonly link: Link
  readonly clients: Child
  readonly servers: Servers
  /** Beside the drain, and in place of what the plan does to the link. */
  readonly meanwhile?: () => Promise<void>
}

export const play = async (plan: Plan, stage: Stage): Promise<Played> => {
  const { clients, link } = stage
  const { group, peers } = plan
  let port = 0
  try {
    const server = await stage.servers(plan)
    port = server.port
    await clients.ask("open", { group, host: serverAddress, port, peers } satisfies Open, openMillis)
    await server.full()
    if (uses(plan, "downBefore")) await link.down(addressOf("downBefore", group))
    const drained = server.drain().then(
      (drained) => ({ drained, trouble: undefined }),
      (error: Error) => ({ drained: undefined, trouble: `no end: ${error.message}` })
    )
    await Promise.all([clients.ask("tell", group, askMillis), (stage.meanwhile ?? takeDown(plan, link))()])
    const ended = await drained
    const collect = { group, millis: ended.drained === undefined ? 0 : collectMillis }
    const records = await clients.ask<ReadonlyArray<ClientRecord>>("collect", collect, askMillis)
    return { plan, port, records, ...ended }
  } catch (error) {
    return { plan, port, records: [], drained: undefined, trouble: String(error) }
  }
}

const takeDown = (plan: Plan, link: Link) => async () => {
  const { downAfterMillis, downMillis, group } = plan
  await sleep(downAfterMillis)
  if (uses(plan, "downDuring")) await link.down(addressOf("downDuring", group))
  if (!uses(plan, "flapping")) return
  const address = addressOf("flapping", group)
  await link.down(address)
  await sleep(downMillis)
  await link.up(address)
}
