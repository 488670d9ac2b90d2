/**
 * Turns of the event loop, counted without timers: each `setImmediate` runs after the loop has polled the sockets once.
 * All who wait share one, so that telling ten thousand connections to end costs one immediate per turn.
 */

/** An object rather than a function: ten thousand may wait at once. */
export interface Waiter {
  /** A turn has passed; `true` to be told of the next as well. */
  turn(): boolean
}

let waiters: Array<Waiter> = []
let armed = false
let turns = 0

/** Tells of each turn of the event loop, until the waiter says `false`. */
export const onNextTurns = (waiter: Waiter): void => {
  waiters.push(waiter)
  arm()
}

/** Calls back after the next turn. */
export const onNextTurn = (callback: () => void): void =>
  onNextTurns({
    turn: () => {
      callback()
      return false
    }
  })

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
    if (waiter.turn()) onNextTurns(waiter)
  }
}
