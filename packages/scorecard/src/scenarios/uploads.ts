/** What S4 and S4late share: clients that upload what nobody reads, and read their answer late. */
import type { Client } from "../clients/Client.ts"
import * as Protocol from "../Protocol.ts"
import type { Stage } from "../Stage.ts"
import { settles, sleep } from "../Waiting.ts"

export const answerBytes = 204_800
const upload = Buffer.alloc(1024 * 1024, "u")

/** Uploads while it is being rejected, and begins to read after a random time between two. */
export const rejected = async (stage: Stage, readAfter: readonly [number, number]): Promise<Client> => {
  const client = await stage.connect({ group: "uploading", reads: "later" })
  client.ask(Protocol.reject(answerBytes))
  client.send(upload)
  await sleep(readAfter[0] + Math.random() * (readAfter[1] - readAfter[0]))
  client.read()
  await settles(5000, client.ended.opened)
  return client
}

/** So many of them, some at a time. */
export const rejectedInWaves = async (
  stage: Stage,
  waves: number,
  each: number,
  readAfter: readonly [number, number]
) => {
  const from = performance.now()
  for (let wave = 0; wave < waves; wave++) {
    await Promise.all(Array.from({ length: each }, () => rejected(stage, readAfter)))
  }
  stage.facts["secondsToAnswer"] = (performance.now() - from) / 1000
}
