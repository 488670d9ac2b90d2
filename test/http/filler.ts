/** Bodies that show what is missing: both ends know each byte, and no part looks like another. */
import { Buffer } from "node:buffer"

const digits = 12

let filler = Buffer.alloc(0)

/** As long as it is asked for; made once, because all are beginnings of the same. */
const fillerOf = (bytes: number): Buffer => {
  if (filler.length < bytes) {
    const longer = Buffer.allocUnsafe(Math.max(bytes, 256 * 1024))
    let state = 1
    for (let i = 0; i < longer.length; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      longer[i] = state >>> 24
    }
    filler = longer
  }
  return filler.subarray(0, bytes)
}

/** The body that answers a request: its number, and so many bytes in all. */
export const bodyOf = (id: number, bytes: number): Buffer =>
  Buffer.concat([Buffer.from(String(id).padStart(digits, "0")), fillerOf(Math.max(0, bytes - digits))])

/** Whether it is the body that was asked for, to the last byte. */
export const isBodyOf = (body: Buffer, id: number, bytes: number): boolean =>
  body.length === Math.max(bytes, digits) &&
  body.toString("latin1", 0, digits) === String(id).padStart(digits, "0") &&
  body.subarray(digits).equals(fillerOf(body.length - digits))
