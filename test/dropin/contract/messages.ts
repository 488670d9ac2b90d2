/** WebSocket: messages, their kinds and their boundaries. */
import { Effect, Fiber } from "effect"
import { alike, both, differ, type Row } from "./Row.ts"
import { fromBothEnds, turns } from "./world.ts"

/** What each message is. */
const kind = (frame: string | Uint8Array) =>
  typeof frame === "string"
    ? `text ${frame}`
    : frame instanceof Uint8Array
      ? `bytes ${[...frame].join(" ")}`
      : "neither"

const websocket = ["websocket"] as const

export const messages: ReadonlyArray<Row> = [
  {
    what: "text is text, bytes are bytes, and each is one message, empty ones too",
    over: websocket,
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        yield* near.writer.write("text")
        yield* near.writer.write(new Uint8Array([1, 2]))
        yield* near.writer.writeAll(["", new Uint8Array(0), "žluťoučký", new Uint8Array([3])])
        const heard: Array<string> = []
        while (heard.length < 6) heard.push(...(yield* far.reader.pull).map(kind))
        return heard
      })
    ),
    expected: both(alike(["text text", "bytes 1 2", "text ", "bytes ", "text žluťoučký", "bytes 3"]))
  },
  {
    what: "a large message arrives whole",
    over: websocket,
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        yield* Effect.forkChild(
          Effect.andThen(near.writer.write("x".repeat(3_000_000)), near.writer.write(new Uint8Array(3_000_000)))
        )
        const heard: Array<string> = []
        while (heard.length < 2) {
          heard.push(...(yield* far.reader.pull).map((frame) => `${typeof frame} ${frame.length}`))
        }
        return heard
      })
    ),
    expected: both(alike(["string 3000000", "object 3000000"]))
  },
  {
    what: "a writer, while the peer does not read",
    over: websocket,
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        // More than what the system and both sides hold.
        const messages = 64
        const writing = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: messages }), () => near.writer.write(new Uint8Array(1024 * 1024))),
          { startImmediately: true }
        )
        yield* turns
        const seen = writing.pollUnsafe() === undefined ? "waits" : "has written it all"
        let heard = 0
        while (heard < messages) heard += (yield* far.reader.pull).length
        yield* Fiber.join(writing)
        return seen
      })
    ),
    expected: differ("its memory has a bound", alike("has written it all"), alike("waits"))
  },
  {
    what: "text that begins with a byte order mark",
    over: websocket,
    see: fromBothEnds((near, far) =>
      Effect.gen(function* () {
        yield* near.writer.write("\ufeffhello")
        return (yield* far.reader.pull).map((frame) => (frame as string).charCodeAt(0) === 0xfeff)
      })
    ),
    expected: () => ({
      effect: { client: [true], server: [false] },
      finwait: alike([true]),
      because: "Effect's client is Node's own WebSocket, which takes it away"
    })
  }
]
