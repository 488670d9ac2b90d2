/** Medians and quartiles, and what a run says of its own noise. */

export interface Spread {
  readonly low: number
  readonly median: number
  readonly high: number
}

/** The value below which a share of the others lies, between two of them when it falls there. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = values.toSorted((one, other) => one - other)
  const place = (sorted.length - 1) * share
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? Number.NaN
  return below + (above - below) * (place - Math.floor(place))
}

export const spread = (values: ReadonlyArray<number>): Spread => ({
  low: quantile(values, 0.25),
  median: quantile(values, 0.5),
  high: quantile(values, 0.75)
})

/** Ratios round by round: what disturbs a round disturbs both sides of its ratio. */
export const ratios = (values: ReadonlyArray<number>, base: ReadonlyArray<number>): ReadonlyArray<number> =>
  values.map((value, round) => value / base[round]!)

/** How far apart two equal programs were in the same run: half of the quartiles' distance, or the median's error. */
export const noise = (twins: Spread): number => Math.max(Math.abs(twins.median - 1), (twins.high - twins.low) / 2)
