/**
 * Pipes of messages: what one write carries stays one, text stays text, and the end has words.
 */
import * as Effect from "effect/Effect"
import type { Goodbye, PeerEnd } from "../../../Transport.ts"
import { type Ends, forBothEnds, listening, pipeOf } from "./end.ts"
import { bytesOf } from "./numbered.ts"
import type { Observed } from "./observed.ts"
import type { LawOf, Trial, Tried } from "./trial.ts"

/** Of nothing, and around the sizes at which the head of a frame grows: 125 bytes and 64 KiB in WebSocket. */
const sizes = [0, 1, 0, 0, 125, 126, 127, 65_535, 65_536, 300_000, 2, 0]

/** One who keeps what is told as it is. */
class Keeper {
  readonly chunks: Array<Uint8Array> = []
  readonly pipe: Observed
  end: PeerEnd | undefined
  ended = false
  /** Stops delivery at every chunk, from inside of its event. */
  pausesAfterEach = false

  constructor(pipe: Observed) {
    this.pipe = pipe
    pipe.attach(this)
  }

  onData(bytes: Uint8Array): void {
    this.chunks.push(bytes)
    if (this.pausesAfterEach) this.pipe.pause()
  }

  onEnd(end?: PeerEnd): void {
    this.end = end
    this.ended = true
  }

  onWritable(): void {}

  onFlushed(): void {}

  onBroken(): void {}

  onReleased(): void {}
}

interface Kept {
  readonly here: Keeper
  readonly there: Keeper
}

/** A law about pipes of messages, which others are not asked for. */
const ofMessages = (body: (trial: Trial, kept: Kept) => Tried) =>
  forBothEnds((trial: Trial, { here, there }: Ends) => {
    if (here.pipe.capabilities.messages !== true) return Effect.void
    return body(trial, { here: new Keeper(here.pipe), there: new Keeper(there.pipe) })
  }, false)

const asTheyWere = Effect.fnUntraced(function* (trial: Trial, { here, there }: Kept) {
  for (const pausesAfterEach of [false, true]) {
    const before = there.chunks.length
    there.pausesAfterEach = pausesAfterEach
    for (const [index, size] of sizes.entries()) here.pipe.write(bytesOf(index, 0, size))
    yield* trial.awhile()
    while (there.chunks.length < before + sizes.length) {
      const { length } = there.chunks
      there.pipe.resume()
      yield* trial.until(() => there.chunks.length > length, "each write arrives")
    }
    there.pipe.pause()
    const heard = there.chunks.slice(before).map((chunk) => chunk.length)
    yield* trial.holds(
      heard.join() === sizes.join(),
      `writes of ${sizes.join()} bytes arrive so`,
      `${heard.join()} did`
    )
    for (const [index, chunk] of there.chunks.slice(before).entries()) {
      const expected = bytesOf(index, 0, chunk.length)
      const wrong = chunk.findIndex((byte, at) => byte !== expected[at])
      yield* trial.holds(wrong < 0, "a write arrives as it was", `byte ${wrong} of write ${index} is another`)
    }
  }
})

/** `undefined`: these bytes. */
const messages = ["text", undefined, "", "€uro", undefined, "\u{1F44B}"]

const asText = Effect.fnUntraced(function* (trial: Trial, { here, there }: Kept) {
  there.pipe.resume()
  for (const text of messages) {
    if (text === undefined) here.pipe.write(new Uint8Array(3))
    else {
      const taken = here.pipe.writeText(text)
      yield* trial.holds(taken !== undefined, "a pipe of messages takes any text", `it did not take ${text}`)
    }
  }
  yield* trial.until(() => there.chunks.length === messages.length, "each message arrives")
  const decoder = new TextDecoder()
  const heard = there.chunks.map((chunk) => (there.pipe.isText(chunk) ? decoder.decode(chunk) : undefined))
  const expected = JSON.stringify(messages)
  yield* trial.holds(
    JSON.stringify(heard) === expected,
    `text arrives as text, and bytes as bytes: ${expected}`,
    `${JSON.stringify(heard)} arrived`
  )
})

const goodbyes: ReadonlyArray<readonly [said: Goodbye | undefined, heard: Goodbye]> = [
  [undefined, { code: 1000, reason: "" }],
  [
    { code: 1001, reason: "going away" },
    { code: 1001, reason: "going away" }
  ],
  [
    { code: 4000, reason: "à demain" },
    { code: 4000, reason: "à demain" }
  ]
]

const inItsWords = Effect.fnUntraced(function* (trial: Trial) {
  const from = yield* listening(trial)
  for (const side of [0, 1]) {
    for (const [said, heard] of goodbyes) {
      const pair = yield* pipeOf(trial, from)
      const [here, there] = [pair[side]!.pipe, new Keeper(pair[1 - side]!.pipe)]
      if (here.capabilities.messages !== true) return
      pair[side]!.attach()
      there.pipe.resume()
      here.write(new Uint8Array(3))
      here.closeWrite(said)
      yield* trial.until(() => there.ended, "the end is told after closeWrite")
      const words = JSON.stringify(there.end?.goodbye)
      const expected = JSON.stringify(heard)
      yield* trial.holds(words === expected, `the goodbye that is heard is ${expected}`, `it is ${words}`)
      yield* trial.holds(there.end?.truncated !== true, "an end that is said is not truncated", "it is")
    }
  }
})

export const laws: ReadonlyArray<LawOf> = [
  { name: "messages arrive one by one, as they were written, where a pipe has them", law: ofMessages(asTheyWere) },
  { name: "messages of text arrive as text, where a pipe has them", law: ofMessages(asText) },
  { name: "a goodbye arrives in its words, where a pipe of messages says it", law: inItsWords }
]
