/**
 * Bytes arrive: all of them, in order, as they were, and nobody else's.
 */
import * as Effect from "effect/Effect"
import { type End, type Ends, forBothEnds, listening, pipeOf } from "./end.ts"
import type { LawOf, Trial } from "./trial.ts"

/** Around the sizes at which buffers and records end: small ones, a page, 16 KiB as in TLS, 64 KiB as in libuv. */
const sizes = [1, 2, 3, 255, 256, 257, 4095, 4096, 4097, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 300_000]

const arrivesWhole = (trial: Trial, from: End, to: End, bytes: number) =>
  trial.until(
    () => to.heardBytes >= bytes && (to.ended || from.pipe.acts.closeWrite === 0),
    `${to.pipe.name}: ${bytes} bytes arrive`,
    () => `${to.heardBytes} bytes arrived`
  )

const exactly = (trial: Trial, end: End, bytes: number) =>
  trial.holds(end.heardBytes === bytes, `${end.pipe.name}: ${bytes} bytes arrive`, `${end.heardBytes} arrived`)

const ofAnySize = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  there.resume()
  let bytes = 0
  for (const size of sizes) {
    here.send(size, size)
    bytes += size
    yield* arrivesWhole(trial, here, there, bytes)
  }
  here.finish()
  yield* arrivesWhole(trial, here, there, bytes)
  yield* exactly(trial, there, bytes)
})

/** More writes than any queue has places, and none of them worth a packet. */
const smallWrites = 5000

const inSmallWrites = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  there.resume()
  let bytes = 0
  for (let i = 0; i < smallWrites; i++) {
    const size = 1 + (i % 17)
    bytes += size
    here.send(size, 17)
  }
  here.finish()
  yield* arrivesWhole(trial, here, there, bytes)
  yield* exactly(trial, there, bytes)
})

const bothWays = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  const { muchBytes } = trial.ground
  for (const end of [here, there]) end.resume().send(muchBytes).finish()
  yield* trial.until(
    () => here.ended && there.ended,
    `${muchBytes} bytes arrive at each end, and the end of them`,
    () => `${here.heardBytes} and ${there.heardBytes} bytes arrived`
  )
  yield* exactly(trial, here, muchBytes)
  yield* exactly(trial, there, muchBytes)
})

const sideBySide = Effect.fnUntraced(function* (trial: Trial) {
  const from = yield* listening(trial)
  const ends: Array<End> = []
  for (let i = 0; i < 4; i++) ends.push(...(yield* pipeOf(trial, from)))
  const bytes = 200_000
  for (const end of ends) end.attach().resume().send(bytes, 1000).finish()
  yield* trial.until(() => ends.every((end) => end.ended), "all pipes carry their bytes to the end")
  for (const end of ends) yield* exactly(trial, end, bytes)
})

const beforeAnyoneListens = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  here.attach().send(1000, 100).finish()
  yield* trial.awhile()
  there.attach()
  yield* trial.awhile()
  yield* trial.holds(
    there.heardBytes === 0 && !there.ended,
    "delivery begins paused",
    "something was told before resume"
  )
  there.resume()
  yield* trial.until(() => there.ended, "what came before anyone listened is delivered, and the end of it")
  yield* exactly(trial, there, 1000)
})

/** Of one byte a character, of several, of two halves, and of more than a transport takes at once. */
const texts = [
  "a",
  "line\n",
  "é",
  "€uro",
  "\u{1F44B}",
  "\uD83D",
  "x".repeat(100_000),
  "é".repeat(100_000),
  "\u0000\u007F\u0080"
]

const encoder = new TextEncoder()

const asText = Effect.fnUntraced(function* (trial: Trial, { here, there }: Ends) {
  const heard: Array<Uint8Array> = []
  here.attach()
  there.pipe.attach({ ...deaf, onData: (bytes) => void heard.push(bytes) })
  there.pipe.resume()
  for (const text of texts) {
    yield* trial.until(() => here.hasRoom, "room comes back")
    here.hasRoom = here.pipe.writeText(text) ?? here.pipe.write(encoder.encode(text))
  }
  here.pipe.closeWrite()
  yield* trial.until(() => there.ended, "the end arrives behind the text")
  // One by one: two halves of a character that were written apart are two unknown ones.
  const expected = joined(texts.map((text) => encoder.encode(text)))
  const bytes = joined(heard)
  const wrong = bytes.findIndex((byte, index) => byte !== expected[index])
  yield* trial.holds(
    wrong < 0 && bytes.length === expected.length,
    "text arrives as its UTF-8",
    wrong < 0 ? `${bytes.length} bytes arrived, of ${expected.length}` : `byte ${wrong} is another`
  )
})

const joined = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const all = new Uint8Array(chunks.reduce((bytes, { length }) => bytes + length, 0))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

const deaf = {
  onData: () => {},
  onEnd: () => {},
  onWritable: () => {},
  onFlushed: () => {},
  onBroken: () => {},
  onReleased: () => {}
}

export const laws: ReadonlyArray<LawOf> = [
  { name: "bytes arrive whole and in order, in writes of any size", law: forBothEnds(ofAnySize) },
  { name: "thousands of small writes arrive whole and in order", law: forBothEnds(inSmallWrites) },
  { name: "more bytes than every buffer holds go both ways at once", law: forBothEnds(bothWays) },
  { name: "text arrives as its bytes", law: forBothEnds(asText, false) },
  { name: "pipes side by side keep their bytes apart", law: sideBySide },
  { name: "what comes before anyone listens waits", law: forBothEnds(beforeAnyoneListens, false) }
]
