/**
 * From milliseconds to where they are on a timeline, in percent of its width: so a timeline is as wide as the window, and
 * its letters stay as large as they are.
 *
 * What came before the signal is often long and always less telling. Where it would take most of the width it is drawn on
 * a scale of its own.
 */
import type { Play } from "../Report.ts"
import { clockOf } from "../story.ts"

export interface Tick {
  readonly at: number
  readonly label: string
}

export interface Scale {
  readonly percent: (millis: number) => number
  readonly ticks: ReadonlyArray<Tick>
  /** What came before the signal is on another scale than what came after it. */
  readonly isBent: boolean
  /** The last that happened. */
  readonly to: number
}

// At the right there is room for the name of an end.
const [left, right] = [2, 84]
/** There is room for the name of the signal beside its line. */
const beforeLeast = 0.22
const beforeMost = 0.3
/** Less than that is noise, and would look like much. */
const afterLeastMillis = 100

export const make = (play: Play): Scale => {
  const { from, to } = clockOf(play)
  const after = Math.max(to, afterLeastMillis)
  const share = -from / (after - from)
  const isBent = share > beforeMost
  const before = Math.min(Math.max(share, beforeLeast), beforeMost)
  const beforeMillis = isBent ? -from : (after * before) / (1 - before)
  const zero = left + (right - left) * before
  return {
    percent: (millis) =>
      millis < 0
        ? zero + ((zero - left) * Math.max(millis, -beforeMillis)) / beforeMillis
        : zero + ((right - zero) * Math.min(millis, after)) / after,
    ticks: [...ticksBefore(isBent ? -from : 0), ...ticksAfter(after)],
    isBent,
    to: after
  }
}

const ticksBefore = (millis: number): ReadonlyArray<Tick> =>
  millis === 0 ? [] : [{ at: -millis, label: label(-millis, millis / 10) }]

const ticksAfter = (after: number): ReadonlyArray<Tick> => {
  const step = nice(after / 4)
  return Array.from({ length: Math.floor(after / step) + 1 }, (_, index) => ({
    at: index * step,
    label: index === 0 ? "0" : label(index * step, step)
  }))
}

/** The next larger of 1, 2 and 5 times a power of ten. */
const nice = (millis: number): number => {
  const power = 10 ** Math.floor(Math.log10(millis))
  return power * ([1, 2, 5].find((factor) => factor * power >= millis) ?? 10)
}

const label = (millis: number, step: number): string =>
  `${(millis / 1000).toFixed(step >= 1000 ? 0 : step >= 100 ? 1 : 2).replace("-", "−")} s`
