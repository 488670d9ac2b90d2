/** What happens to packets on the way, in each direction. */
export interface Weather {
  readonly delayMillis: number
  /** On top of the delay. */
  readonly jitterMillis: number
  readonly lossPercent: number
  /** Packets that others overtake. */
  readonly reorderPercent: number
}

/**
 * A link across a country on a bad day. One in a hundred, each way: enough that every drain loses something, and little
 * enough that the same segment is not lost five times in a row in any run.
 */
export const weather: Weather = { delayMillis: 3, jitterMillis: 2, lossPercent: 1, reorderPercent: 0.5 }

export interface Counts {
  readonly passed: number
  readonly lost: number
}

/** One end of the relay's link: two ports, the device's and the relay's own. */
export interface End {
  readonly devicePort: number
  readonly relayPort: number
}

/** Where the relay and the devices meet, in a namespace that nobody else uses. */
export const ends: { readonly server: End; readonly client: End } = {
  server: { devicePort: 5001, relayPort: 6001 },
  client: { devicePort: 5002, relayPort: 6002 }
}
