/** What S4 and its kind share: clients that get the last answer of their connection while they upload. */
import { clients, fail, nothing, warn } from "../check/judging.ts"
import type { Played, Stage } from "../check/Stage.ts"
import type { Client } from "../clients/Client.ts"
import type { Request } from "../profiles/Profile.ts"
import { uploadBytes } from "../profiles/profiles.ts"
import { settles, sleep } from "../Waiting.ts"

type Between = readonly [fewest: number, most: number]

const group = "uploading"
const endMillis = 6_000
const upload = Buffer.alloc(uploadBytes, "u")

/** A slow network takes the rest of an upload bit by bit. */
const atOnceBytes = uploadBytes / 2
const pieceBytes = 16 * 1024
const pauseMillis = 50

const uploadSlowly = async (client: Client<Request>): Promise<void> => {
  client.send(upload.subarray(0, atOnceBytes))
  for (let sent = atOnceBytes; sent < uploadBytes && !client.over; sent += pieceBytes) {
    await sleep(pauseMillis)
    client.send(upload.subarray(sent, sent + pieceBytes))
  }
}

/** So many clients, some at a time, that turn to the answer after a random time between two; and the signal. */
export const answeredWhileUploading = async (
  stage: Stage,
  waves: number,
  each: number,
  readAfter: Between,
  how: "at once" | "slowly"
): Promise<void> => {
  const request = stage.request("upload")
  for (let wave = 0; wave < waves; wave++) {
    await Promise.all(
      Array.from({ length: each }, async () => {
        const client = await stage.connect({ group, reads: "later" })
        client.ask(request)
        if (how === "slowly" && stage.profile.channel !== "HTTP/2") void uploadSlowly(client)
        else client.send(upload)
        await sleep(readAfter[0] + Math.random() * (readAfter[1] - readAfter[0]))
        client.read()
        await settles(endMillis, client.answered())
      })
    )
  }
  stage.measured = stage.clients.filter((client) => !client.transcript.whole).length
  await stage.rested()
  stage.stop()
}

export const judgeUploads = (played: Played) => {
  const found = clients(played, { group, whole: true })
  const reset = played.clients.filter(({ ending, whole }) => whole && ending === "RST").length
  return [
    ...found,
    ...(reset > 0 && found.length === 0
      ? warn(
          `${reset} of ${played.clients.length} ${group}: reset behind a whole answer, which a slower client would have lost`,
          `${reset} RST`
        )
      : nothing),
    ...(played.clients.length === 0 ? fail("nobody could connect", "nobody") : nothing)
  ]
}
