/**
 * Turns of the event loop, counted without timers: each `setImmediate` runs after the loop has polled the sockets once.
 * All who wait share one, so that telling ten thousand connections to end costs one immediate per turn.
 */

type Waiter = () => boolean

let waiters: Array<Waiter> = []
let armed = false
let turns = 0

/** Calls back after each turn of the event loop, until the callback says `false`. */
export const onNextTurns = (waiter: Waiter): void => {
  waiters.push(waiter)
  arm()
}

/** A number that is another one in every turn in which somebody asks. */
export const currentTurn = (): number => {
  arm()
  return turns
}

const arm = (): void => {
  if (armed) return
  armed = true
  setImmediate(turn)
}

const turn = (): void => {
  const current = waiters
  waiters = []
  armed = false
  turns++
  for (const waiter of current) {
    if (waiter()) onNextTurns(waiter)
  }
}
