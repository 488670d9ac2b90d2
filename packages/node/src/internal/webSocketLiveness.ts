/**
 * Pings whoever has been silent for a while, and gives up on who stays silent then.
 *
 * All connections have the same two times, so whoever was looked at last is the last to be looked at again: they stand
 * in a ring, in that order, and one timer waits for the first of them. Nothing is armed or cleared per message: a look
 * compares how much has arrived with the look before, so everything that comes is a sign of life, not only a pong. So is
 * room for a ping that had to wait for it; that the system takes one is not, because it takes it for the dead as well.
 */
import * as Duration from "effect/Duration"

/** How to find out that a peer is gone that has not said so. */
export interface LivenessOptions {
  /**
   * How long a peer may be silent before it is asked, by a ping, whether it is there. 30 seconds are usual: shorter than
   * what balancers grant an idle connection, which is a minute in most.
   */
  readonly pingInterval: Duration.Input
  /** How long after a ping it may stay silent; then the connection is reset, and broken with the code `ETIMEDOUT`. */
  readonly pongTimeout: Duration.Input
}

/** Someone who is looked at. */
export interface Living {
  /** Bytes that have arrived. */
  readonly arrived: number
  /** Bytes that have left, counted from anywhere. */
  readonly left: number
  /** Something waits until the peer makes room. */
  readonly isHeldBack: boolean
  /** Nobody reads: a pong could not be heard. */
  readonly isDeaf: boolean
  ping(): void
  /** It has not answered. */
  giveUp(): void
}

/** A place in the ring. */
export class Place {
  readonly living: Living
  before: Place
  after: Place
  /** When to look again. */
  at = 0
  /** What had arrived at the last look. */
  arrived: number
  /** What had left when a ping had to wait for room. */
  left = Infinity

  constructor(living: Living) {
    this.living = living
    this.arrived = living.arrived
    this.before = this.after = this
  }
}

const nobody: Living = {
  arrived: 0,
  left: 0,
  isHeldBack: false,
  isDeaf: true,
  ping: () => {},
  giveUp: () => {}
}

/** Those who are waited for equally long, in the order in which they are to be looked at. */
class Ring {
  private readonly head = new Place(nobody)
  private readonly millis: number
  private readonly look: (place: Place) => void
  private timer: NodeJS.Timeout | undefined

  constructor(millis: number, look: (place: Place) => void) {
    this.millis = millis
    this.look = look
  }

  join(place: Place): void {
    const { head } = this
    place.at = performance.now() + this.millis
    place.before = head.before
    place.after = head
    head.before.after = place
    head.before = place
    this.arm()
  }

  private arm(): void {
    if (this.timer !== undefined) return
    const first = this.head.after
    if (first === this.head) return
    this.timer = setTimeout(() => this.ring(), Math.max(1, first.at - performance.now()))
    // Open sockets keep a process alive, this does not.
    this.timer.unref()
  }

  private ring(): void {
    this.timer = undefined
    const now = performance.now()
    for (let first; (first = this.head.after) !== this.head && first.at <= now;) {
      leave(first)
      this.look(first)
    }
    this.arm()
  }
}

const leave = (place: Place): void => {
  place.before.after = place.after
  place.after.before = place.before
  place.before = place.after = place
}

/** One per provider: whoever joins is looked at until he leaves. */
export class Liveness {
  private readonly silent: Ring
  private readonly asked: Ring

  constructor({ pingInterval, pongTimeout }: LivenessOptions) {
    this.silent = new Ring(millis(pingInterval), (place) => this.ask(place))
    this.asked = new Ring(millis(pongTimeout), (place) => this.judge(place))
  }

  join(living: Living): Place {
    const place = new Place(living)
    this.silent.join(place)
    return place
  }

  leave(place: Place): void {
    leave(place)
  }

  private ask(place: Place): void {
    const { living } = place
    if (this.shows(place)) return this.silent.join(place)
    living.ping()
    place.left = living.isHeldBack ? living.left : Infinity
    this.asked.join(place)
  }

  private judge(place: Place): void {
    if (this.shows(place) || place.living.left > place.left) this.silent.join(place)
    else place.living.giveUp()
  }

  /** Whether there was a sign of life since the last look, or could not have been heard. */
  private shows(place: Place): boolean {
    const { arrived, isDeaf } = place.living
    const before = place.arrived
    place.arrived = arrived
    return isDeaf || arrived !== before
  }
}

/** Node's timers know no more. */
const timerMillisMax = 2 ** 31 - 1

const millis = (input: Duration.Input): number =>
  Math.min(timerMillisMax, Math.max(1, Duration.toMillis(Duration.fromInputUnsafe(input))))
