/**
 * Waiting with a bound. Nothing here waits without one: a server that never ends is an expected result.
 */

export const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** The promise's value, or an error that says what did not happen in time. */
export const within = async <A>(millis: number, promise: Promise<A>, what: string): Promise<A> => {
  const outcome = await Promise.race([promise.then((value) => ({ value })), expired(millis)])
  if (outcome === undefined) throw new Error(`${what}: not within ${millis} ms`)
  return outcome.value
}

/** `true` when the promise settled in time. */
export const settles = async (millis: number, promise: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([promise.then(yes, yes), expired(millis)])) !== undefined

const yes = () => true

// The timer is not kept: a race that was won must not hold the process for the rest of the bound.
const expired = (millis: number) =>
  new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), millis).unref())

/** Asks again and again until the answer is yes, for so long. For what can only be asked: counters, the kernel. */
export const until = async (millis: number, ask: () => boolean | Promise<boolean>): Promise<boolean> => {
  const deadline = performance.now() + millis
  while (!(await ask())) {
    if (performance.now() > deadline) return false
    await sleep(20)
  }
  return true
}

/** A promise that somebody else resolves. */
export class Latch {
  open: () => void = () => {}
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve
  })
}
