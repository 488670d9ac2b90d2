import { assert, describe, it } from "@effect/vitest"
import { randomBytes } from "node:crypto"
import { Frames } from "../src/internal/webSocketFrames.ts"
import { closing, frame, opcodes } from "./support/webSocket.ts"

describe("messages are counted by the heads of their frames", () => {
  const part = (opcode: number, payload: Uint8Array, isMasked: boolean) => {
    const bytes = frame(opcode, payload, isMasked)
    bytes[0] = opcode
    return bytes
  }

  /** Of each length of a head, in fragments, with frames of control between them: nine messages. */
  const messages = (isMasked: boolean) => {
    const whole = [0, 1, 125, 126, 65_535, 65_536, 200_000].map((size) =>
      frame(opcodes.bytes, randomBytes(size), isMasked)
    )
    return Buffer.concat([
      Buffer.concat(whole),
      part(opcodes.text, randomBytes(300), isMasked),
      frame(opcodes.ping, randomBytes(5), isMasked),
      part(0, randomBytes(0), isMasked),
      frame(opcodes.pong, "", isMasked),
      frame(0, randomBytes(70_000), isMasked),
      frame(opcodes.text, "last", isMasked),
      frame(opcodes.close, closing(1000), isMasked)
    ])
  }
  const bytes = Buffer.concat([messages(true), messages(false)])

  it.each([1, 2, 3, 7, 64, 65_536, bytes.length])("whatever the chunks: %i bytes at a time", (size) => {
    const frames = new Frames()
    for (let at = 0; at < bytes.length; at += size) frames.take(bytes.subarray(at, at + size))
    assert.strictEqual(frames.whole, 18)
  })

  it("and one that has not arrived whole is not", () => {
    const frames = new Frames()
    const message = frame(opcodes.text, "message")
    frames.take(message.subarray(0, -1))
    assert.strictEqual(frames.whole, 0)
    frames.take(message.subarray(-1))
    assert.strictEqual(frames.whole, 1)
  })
})
