/**
 * What S4 and its kind share: clients that get the last answer of their connection while they upload what the server does
 * not read, and turn to that answer late.
 */
import type { Client } from "../clients/Client.ts"
import { note } from "../clients/dialects/calls.ts"
import * as Protocol from "../Protocol.ts"
import type { Stage } from "../Stage.ts"
import { settles, sleep } from "@finwait/cli/Waiting"

type Between = readonly [fewest: number, most: number]

const group = "uploading"
const answerBytes = 204_800
const endMillis = 5_000
const upload = Buffer.alloc(Protocol.uploadBytes, "u")

type Asked = (bytes: number) => Protocol.Exchange

/** So many clients, some at a time, that begin to read after a random time between two; and the signal. */
export const answeredWhileUploading = async (
  stage: Stage,
  asked: Asked,
  waves: number,
  each: number,
  readAfter: Between
) => {
  if (stage.wire.dialect.name === "calls") return calledWhileUploading(stage, waves * each, readAfter)
  const from = performance.now()
  for (let wave = 0; wave < waves; wave++) {
    await Promise.all(Array.from({ length: each }, () => answered(stage, asked, readAfter)))
  }
  stage.facts["secondsToAnswer"] = (performance.now() - from) / 1000
  stage.stop()
}

const answered = async (stage: Stage, asked: Asked, readAfter: Between): Promise<void> => {
  const client = await stage.connect({ group, reads: "later" })
  client.ask(asked(answerBytes))
  client.send(upload)
  await sleep(between(readAfter))
  // With a connection for many requests the answer ends none.
  if (stage.wire.channel !== "HTTP/2" && asked === Protocol.reject) return readToEnd(client)
  client.read()
  await settles(endMillis, client.answered())
}

/**
 * No call makes an RPC server end a connection, and it reads whatever comes as long as there is one. But it ends the
 * connection when it drains, once the last call has been answered: so this is a call that is under way at the signal, of
 * clients that go on sending notifications all the while.
 */
const calledWhileUploading = async (stage: Stage, count: number, readAfter: Between): Promise<void> => {
  const clients = await stage.connectMany(count, { group, reads: "later" })
  for (const client of clients) client.ask(Protocol.later(answerBytes))
  await stage.accepted()
  const uploads = setInterval(() => {
    for (const client of clients) if (!client.over) client.send(notification)
  }, 50)
  stage.stop()
  await Promise.all(
    clients.map(async (client) => {
      await stage.afterSignal(Protocol.laterMillis + between(readAfter))
      await readToEnd(client)
    })
  )
  clearInterval(uploads)
}

// Of all of them together 16 MB a second, so that the server has time for something else as well.
const notification = note(4096)

const between = ([fewest, most]: Between) => fewest + Math.random() * (most - fewest)

const readToEnd = async (client: Client): Promise<void> => {
  client.read()
  await settles(endMillis, client.ended.opened)
}
