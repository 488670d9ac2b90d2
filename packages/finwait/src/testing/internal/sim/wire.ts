/**
 * One direction of a connection: what is sent arrives in the order in which it was sent, each after its time.
 */
import type { Timeline } from "./timeline.ts"

/** What the way between two hosts is like. */
export interface Link {
  readonly latencyMillis: number
  /** `Infinity` when nobody limits it. */
  readonly bytesPerSecond: number
}

/**
 * How long a system repeats what is not acknowledged before it gives the connection up: Linux with its default
 * `tcp_retries2` of 15, whose documentation calls it a hypothetical timeout of 924.6 seconds.
 */
export const repeatMillis = 924_600

interface Underway {
  readonly sentAt: number
  readonly at: number
  readonly arrive: () => void
}

export class Wire {
  /** More on its way than that waits at the sender: a trickle must not become a heap of single bytes. */
  static readonly underwayMax = 64
  delayMillis = 0
  jitterMillis = 0
  bytesPerSecond: number
  /** The largest piece that travels at once. */
  pieceBytes: number
  /** The sender gave up repeating. */
  onGivenUp: () => void = () => {}
  private readonly timeline: Timeline
  private readonly link: Link
  private readonly underway: Array<Underway> = []
  private latest = 0
  private busyUntil = 0
  private downUntil = 0
  private armed = false

  constructor(timeline: Timeline, link: Link, pieceBytes: number) {
    this.timeline = timeline
    this.link = link
    this.bytesPerSecond = link.bytesPerSecond
    this.pieceBytes = pieceBytes
  }

  get isFull(): boolean {
    return this.underway.length >= Wire.underwayMax
  }

  /** Something is on its way, and does not get through. */
  get isHeldUp(): boolean {
    return this.underway.length > 0 && !this.timeline.isPast(this.downUntil)
  }

  /** Nothing gets through, and nothing is on its way that would be repeated until it does. */
  get isSilent(): boolean {
    return this.underway.length === 0 && !this.timeline.isPast(this.downUntil)
  }

  /** When everything that was given to it has left. */
  get clearAt(): number {
    return Math.max(this.timeline.now(), this.busyUntil)
  }

  carry(bytes: number, arrive: () => void): void {
    const now = this.timeline.now()
    this.busyUntil = this.clearAt + (bytes / this.bytesPerSecond) * 1000
    const jitter = this.jitterMillis === 0 ? 0 : this.timeline.draw() * this.jitterMillis
    const at = Math.max(this.latest, this.busyUntil + this.link.latencyMillis + this.delayMillis + jitter)
    this.latest = at
    this.underway.push({ sentAt: now, at, arrive })
    this.arm()
  }

  /** Nothing arrives before that time. */
  down(until: number): void {
    this.downUntil = Math.max(this.downUntil, until)
    const first = this.underway[0]
    if (first !== undefined) this.watch(first)
  }

  private arm(): void {
    const first = this.underway[0]
    if (this.armed || first === undefined) return
    this.armed = true
    this.timeline.at(Math.max(first.at, this.downUntil), this.fire)
    if (!this.timeline.isPast(this.downUntil)) this.watch(first)
  }

  private readonly fire = (): void => {
    this.armed = false
    const first = this.underway[0]
    if (first === undefined) return
    if (!this.timeline.isPast(Math.max(first.at, this.downUntil))) return this.arm()
    this.underway.shift()
    this.arm()
    first.arrive()
  }

  /** Gives up on what is not through when its time is over. */
  private watch(first: Underway): void {
    const end = first.sentAt + repeatMillis
    if (this.downUntil < end) return
    this.timeline.at(end, () => {
      if (this.underway[0] !== first || this.timeline.isPast(this.downUntil)) return
      // Nobody repeats it any more: a link that returns later brings nothing of it.
      this.underway.length = 0
      this.onGivenUp()
    })
  }
}
