/**
 * What is sent in a scenario, recognisable by its place: a pattern whose period is a prime, and last words made of
 * bytes that the pattern never has.
 */
const period = 251
const pattern = new Uint8Array(512 * 1024).map((_, index) => index % period)

/** So many bytes of the pattern, from that place on. */
export const payload = (from: number, length: number): Uint8Array =>
  pattern.subarray(from % period, (from % period) + length)

export const lastWords = Uint8Array.of(253, 254, 255)

/** A line of a job: so many bytes, its end among them. */
export const line = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length).fill(0x61)
  bytes[length - 1] = 0x0a
  return bytes
}

/** Reads a pattern and last words, piece by piece, and notices the first byte that is out of place. */
export class PatternReader {
  payloadBytes = 0
  lastBytes = 0
  /** Where it went wrong; -1 when it has not. */
  wrongAt = -1

  take(chunk: Uint8Array): void {
    let index = 0
    if (this.lastBytes === 0) {
      const from = this.payloadBytes % period
      while (index < chunk.length && chunk[index] === pattern[from + index]) index++
      this.payloadBytes += index
    }
    for (; index < chunk.length; index++) {
      if (chunk[index] !== lastWords[this.lastBytes] && this.wrongAt < 0) {
        this.wrongAt = this.payloadBytes + this.lastBytes
      }
      this.lastBytes++
    }
  }
}

/** Reads numbered answers, `0\n1\n2\n`, and last words. */
export class AnswerReader {
  answers = 0
  lastBytes = 0
  wrongAt = -1
  private text = ""

  take(chunk: Uint8Array): void {
    for (const byte of chunk) {
      if (byte >= 250) {
        if (byte !== lastWords[this.lastBytes++] && this.wrongAt < 0) this.wrongAt = this.answers
      } else if (byte !== 0x0a) {
        this.text += String.fromCharCode(byte)
      } else {
        if (this.text !== String(this.answers) && this.wrongAt < 0) this.wrongAt = this.answers
        this.answers++
        this.text = ""
      }
    }
  }
}
