/**
 * Which codes and reasons a close frame may carry (RFC 6455, 5.5 and 7.4). `ws` throws at others, and an act of a
 * transport does not.
 */
import type { Goodbye } from "finwait/Transport"

/** What a close frame without a code is to who reads it (RFC 6455, 7.1.5); said, it is one without a code. */
export const noCode = 1005

/** A frame of control has 125 bytes at most, two of them the code. */
export const reasonBytesMax = 123

/** Assigned by the RFC and its registry, or left to libraries and applications; 1004 to 1006 are never sent. */
export const isSayable = (code: number): boolean =>
  Number.isInteger(code) &&
  ((code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999))

const encoder = new TextEncoder()

/** As much of it as fits, in whole characters. */
const fitting = (reason: string): string =>
  reason.slice(0, encoder.encodeInto(reason, new Uint8Array(reasonBytesMax)).read)

const allDone: Goodbye = { code: 1000, reason: "" }

/** The goodbye that is said for this one: 1000 where there is none, or its code cannot be sent. */
export const sayable = (goodbye: Goodbye = allDone): Goodbye => {
  const { code, reason } = goodbye
  if (code === noCode) return { code, reason: "" }
  const isShort = reason.length <= reasonBytesMax / 3
  return { code: isSayable(code) ? code : allDone.code, reason: isShort ? reason : fitting(reason) }
}

/** Throws what a program may not say. */
export const checkGoodbye = (code: number, reason: string): void => {
  if (!isSayable(code)) {
    throw new RangeError(
      `NodeWebSocket.close: ${code} is not a code to close with; 4000 to 4999 are an application's own`
    )
  }
  const bytes = Buffer.byteLength(reason)
  if (bytes <= reasonBytesMax) return
  throw new RangeError(`NodeWebSocket.close: a reason has at most ${reasonBytesMax} bytes, this one has ${bytes}`)
}
