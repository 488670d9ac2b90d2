/**
 * What both ends did and heard, in order, for who has to understand a broken law. What is repeated is counted, and of
 * a long story the beginning and the end are kept.
 */

interface Entry {
  readonly who: string
  readonly what: string
  times: number
  bytes: number
}

/** Enough to see how it began, and how it came to what happened. */
const firstMax = 40
const lastMax = 120

export class Transcript {
  private readonly first: Array<Entry> = []
  private last: Array<Entry> = []
  private omitted = 0
  private latest: Entry | undefined

  note(who: string, what: string, bytes = 0): void {
    const { latest } = this
    if (latest !== undefined && latest.who === who && latest.what === what) {
      latest.times++
      latest.bytes += bytes
      return
    }
    const entry = (this.latest = { who, what, times: 1, bytes })
    if (this.first.length < firstMax) this.first.push(entry)
    else this.last.push(entry)
    if (this.last.length < 2 * lastMax) return
    this.omitted += lastMax
    this.last = this.last.slice(lastMax)
  }

  get lines(): ReadonlyArray<string> {
    const gap = this.omitted === 0 ? [] : [`… ${this.omitted} more …`]
    return [...this.first.map(line), ...gap, ...this.last.map(line)]
  }
}

const line = ({ bytes, times, what, who }: Entry): string =>
  [`${who}: ${what}`, bytes > 0 ? `${bytes} bytes` : "", times > 1 ? `(${times} times)` : ""].filter(Boolean).join(" ")
