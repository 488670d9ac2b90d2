/**
 * Bytes that know their place. Every byte follows from its stream and its position there, so that one that is lost,
 * doubled, exchanged or somebody else's is noticed where it arrives, and nothing has to be kept to compare with.
 */

/** A prime, so that no size of buffer or chunk divides it: what is moved by a whole chunk does not look the same. */
const period = 65_521

/** How far apart streams begin in the one table; any number that is not a divisor will do. */
const stride = 7919

/** Once as long again, so that a slice never has to turn around. */
const table = ((): Uint8Array => {
  const bytes = new Uint8Array(2 * period)
  // A linear congruential generator; its upper bits are random enough to tell neighbours apart.
  let state = 1
  for (let i = 0; i < period; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = bytes[i + period] = state >>> 24
  }
  return bytes
})()

/** The bytes of a stream from a position on. Always new ones: who is given bytes may do with them what he likes. */
export const bytesOf = (stream: number, position: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  let at = (position + stream * stride) % period
  for (let filled = 0; filled < length;) {
    const part = Math.min(period, length - filled)
    bytes.set(table.subarray(at, at + part), filled)
    filled += part
    at = (at + part) % period
  }
  return bytes
}

/** Compares what arrives with the stream that should. */
export class Comparison {
  /** How many bytes have arrived. */
  position = 0
  readonly stream: number

  constructor(stream: number) {
    this.stream = stream
  }

  /** What is wrong with these bytes, if anything is. */
  take(bytes: Uint8Array): string | undefined {
    let at = (this.position + this.stream * stride) % period
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== table[at]) {
        const position = this.position + i
        this.position += bytes.length
        return `byte ${position} is ${bytes[i]}, not ${table[at]}`
      }
      if (++at === period) at = 0
    }
    this.position += bytes.length
    return undefined
  }
}
