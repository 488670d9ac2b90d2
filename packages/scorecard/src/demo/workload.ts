/** What the demo does to a server: thirty clients in the middle of something, and one signal. */
import * as Protocol from "../Protocol.ts"
import type { Result } from "../Scenario.ts"
import { play, type Stage } from "../Stage.ts"
import { sleep } from "../Waiting.ts"
import { backlog, blocking, type Group, idle, inFlight, slow, stalled, uploading } from "./groups.ts"

const megabyte = 1024 * 1024

const scenario = {
  id: "demo",
  // Room for the slow readers; only the client that never reads is still there at the end of it.
  limits: { DRAIN_MS: 3000, CLOSE_MS: 500 },
  capSeconds: 8
}

export const capSeconds = scenario.capSeconds

/** Plays the demo on a subject; `signalled` is called right after the signal. */
export const playDemo = (subject: string, signalled: (stage: Stage) => void): Promise<Result> =>
  play(scenario, subject, undefined, async (stage) => {
    await connectIdle(stage)
    await startReaders(stage)
    const working = await connect(stage, inFlight)
    const blocker = await connect(stage, blocking)
    for (const client of working) client.ask(Protocol.work(1500))
    await startUploads(stage)
    blocker[0]?.ask(Protocol.block(600))
    // A blocked process cannot say that it is blocked: whoever connects from here on waits in the kernel's queue.
    await sleep(150)
    for (const client of await connect(stage, backlog)) client.ask(Protocol.work(0))
    await sleep(150)
    stage.stop()
    signalled(stage)
  })

const connect = (
  stage: Stage,
  { count, name }: Group,
  options: { reads?: "later" | "once"; bytesPerSecond?: number } = {}
) => stage.connectMany(count, { group: name, ...options })

const connectIdle = async (stage: Stage) => {
  const clients = await connect(stage, idle)
  for (const client of clients) client.ask(Protocol.work(0))
  await Promise.all(clients.map((client) => client.answered()))
}

const startReaders = async (stage: Stage) => {
  const [never] = await connect(stage, stalled, { reads: "once" })
  never?.ask(Protocol.get(64 * megabyte))
  const slowly = await connect(stage, slow, { bytesPerSecond: 4 * megabyte })
  for (const client of slowly) client.ask(Protocol.get(8 * megabyte))
  await Promise.all(stage.clients.map((client) => client.firstBytes()))
}

// They go on uploading what the server does not read, and turn to its answer only after the signal.
const startUploads = async (stage: Stage) => {
  const clients = await connect(stage, uploading, { reads: "later" })
  for (const client of clients) {
    client.ask(Protocol.reject(200 * 1024))
    client.send(Buffer.alloc(megabyte, "u"))
    setTimeout(() => client.read(), 700 + Math.random() * 800)
  }
  await stage.accepted()
}
