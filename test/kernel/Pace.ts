/**
 * As many drains side by side as the machine keeps up with. What is under test has deadlines in real time: a link whose
 * packets wait for a processor, or clients that do, would be blamed on a server that did nothing wrong.
 */
import { sleep } from "../../packages/cli/src/Waiting.ts"

/** How late the suite's own processes are, in milliseconds, since they were last asked. */
export type Lateness = () => Promise<number>

const least = 8
/** Enough that the waiting of one is the work of another. */
const most = 96

const lookMillis = 250

/** Below the first there is room for more, above the second there were too many. */
const promptMillis = 40
const lateMillis = 120

/** How many may begin between two looks: each begins with a burst, and only the next look can see it. */
const step = 4

/** Runs all jobs, in their order, as fast as the processes can follow. */
export const paced = async <A>(jobs: ReadonlyArray<() => Promise<A>>, lateness: Lateness): Promise<Array<A>> => {
  const done: Array<Promise<A>> = []
  let running = 0
  let allowed = least
  while (done.length < jobs.length) {
    for (let begun = 0; begun < step && running < allowed && done.length < jobs.length; begun++) {
      running++
      done.push(jobs[done.length]!().finally(() => running--))
    }
    await sleep(lookMillis)
    const late = await lateness()
    if (late > lateMillis) allowed = Math.max(least, Math.floor(allowed / 2))
    else if (late < promptMillis) allowed = Math.min(most, allowed + step)
  }
  return Promise.all(done)
}
