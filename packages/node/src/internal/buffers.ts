/**
 * Keeps V8 from marking its whole heap for the sake of buffers that nobody holds any more.
 *
 * A chunk that Node reads is memory outside of V8's heap, kept by a small object in its young generation. A scavenge of
 * that generation frees it, in a fraction of a millisecond, and comes when the generation is full: which the few small
 * objects of a read would take thousands of chunks to do. Long before, buffers have grown by 64 MiB
 * (`kExternalAllocationSoftLimit`), and V8 marks everything that the program has: with a program's usual 15 MiB, tens of
 * times a second, for half of a core. So at half of that growth the young generation is filled, with arrays that are
 * dead at once. It costs no more than writing as many bytes again as the generation has room for, and less where the
 * application fills it by itself. Decision 13 has the figures.
 */
import * as V8 from "node:v8"

const mebibyte = 1024 * 1024

/** How often to look: often enough to see the growth in time; a look takes less than a microsecond. */
const lookBytes = 4 * mebibyte

/** Half of what V8 allows: buffers that are freed by another thread are still counted for a while. */
const growthBytesMax = 32 * mebibyte

/** A young generation that somebody has made larger costs more to fill than it saves. */
const roomBytesMax = 32 * mebibyte

/** An array of 32 KiB: well below what V8 would not put into the young generation. */
const pieceElements = 4096
const pieceBytes = pieceElements * 8

let unseenBytes = 0
let leastBytes = Infinity

/** Where the arrays are put, one after the other, so that the compiler cannot leave them out. */
const pieces: Array<unknown> = [undefined]

/** Bytes were read or written: buffers may have been made for them. */
export const moved = (bytes: number): void => {
  unseenBytes += bytes
  if (unseenBytes >= lookBytes) look()
}

const look = (): void => {
  unseenBytes = 0
  const bytes = V8.getHeapStatistics().external_memory
  if (bytes < leastBytes) leastBytes = bytes
  else if (bytes - leastBytes > growthBytesMax) scavenge()
}

const scavenge = (): void => {
  leastBytes = Infinity
  const young = V8.getHeapSpaceStatistics().find((space) => space.space_name === "new_space")
  const room = young?.space_available_size ?? Infinity
  if (room > roomBytesMax) return
  for (let bytes = room + pieceBytes; bytes > 0; bytes -= pieceBytes) pieces[0] = Array(pieceElements)
  pieces[0] = undefined
}
