/**
 * Waits until what the kernel holds for a socket has been delivered.
 *
 * That is done by the next poll for readable sockets, 64 KiB at a time: a turn that brings less has emptied it. Two turns,
 * because the first poll may already have passed this socket by. A drain asks for all its connections at once, which is
 * why those who ask in one turn wait as one.
 */
import type * as Net from "node:net"
import { onNextTurns, type Waiter } from "./turns.ts"

/** What libuv reads at once: a chunk this long may have more behind it. */
const readBytes = 64 * 1024

/** After so many turns of full reads it gives up: the peer sends faster than we can tell old from new. */
const turnsMax = 256

/** Whose bytes are awaited. */
export interface Arriving {
  /** How many have been delivered so far. */
  readonly arrived: number
  readonly socket: Net.Socket
}

class Waiting implements Waiter {
  private readonly who: Array<Arriving> = []
  private readonly arrivedBefore: Array<number> = []
  private readonly callbacks: Array<() => void> = []
  private turns: number

  constructor(turns: number) {
    this.turns = turns
  }

  add(who: Arriving, callback: () => void): void {
    this.who.push(who)
    this.arrivedBefore.push(who.arrived)
    this.callbacks.push(callback)
  }

  turn(): boolean {
    if (joining === this) joining = undefined
    if (++this.turns % 2 !== 0) return true
    let later: Waiting | undefined
    for (const [index, one] of this.who.entries()) {
      const callback = this.callbacks[index]!
      const isQuiet = one.arrived - this.arrivedBefore[index]! < readBytes
      if (isQuiet || this.turns >= turnsMax || one.socket.destroyed) callback()
      else (later ??= new Waiting(this.turns)).add(one, callback)
    }
    if (later !== undefined) onNextTurns(later)
    return false
  }
}

/** Those who have asked in this turn. */
let joining: Waiting | undefined

export const awaitQuiet = (who: Arriving, callback: () => void): void => {
  if (joining === undefined) {
    joining = new Waiting(0)
    onNextTurns(joining)
  }
  joining.add(who, callback)
}
