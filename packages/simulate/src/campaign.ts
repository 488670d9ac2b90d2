/**
 * A campaign: as many scenarios as it takes, side by side on the machine's cores.
 */
import { Worker } from "node:worker_threads"
import { blockSeeds } from "./block.ts"
import { merge, type Tally, tally } from "./tally.ts"

export interface Limits {
  /** The first seed; the following ones are counted up from it. */
  readonly seed: number
  readonly closes: number
  readonly seconds: number
  readonly workers: number
  /** It ends early when so many scenarios have failed: more of the same helps nobody. */
  readonly failures: number
}

export interface Campaign extends Tally {
  readonly seconds: number
}

export const campaign = async (limits: Limits, progress: (sofar: Campaign) => void): Promise<Campaign> => {
  const sum = tally()
  const begun = performance.now()
  const seconds = () => (performance.now() - begun) / 1000
  let next = limits.seed
  const over = () =>
    sum.closes >= limits.closes || seconds() >= limits.seconds || sum.failures.length >= limits.failures
  const work = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL("./worker.ts", import.meta.url))
      const send = () => {
        if (over()) {
          resolve()
          return void worker.terminate()
        }
        worker.postMessage(next)
        next += blockSeeds
      }
      worker.on("online", send)
      worker.on("error", reject)
      worker.on("message", (block: Tally) => {
        merge(sum, block)
        progress({ ...sum, seconds: seconds() })
        send()
      })
    })
  await Promise.all(Array.from({ length: limits.workers }, work))
  sum.failures.sort((a, b) => a.seed - b.seed)
  return { ...sum, seconds: seconds() }
}
