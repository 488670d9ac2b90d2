import { assert, describe, it } from "@effect/vitest"
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as Effect from "effect/Effect"
import * as TransportLaws from "finwait/testing/TransportLaws"
import type * as Transport from "finwait/Transport"
import { openSockets, rawListener, transports, turn, until } from "./support/network.ts"

for (const [name, listen] of transports) {
  describe(`the laws of transports, on ${name}`, () => {
    const subject: TransportLaws.Subject = {
      name,
      ground: Effect.map(listen, (address) => ({
        provider: NodeNetwork.provider(),
        address,
        // Elsewhere than on Linux they cannot be counted.
        socketsOpen: Effect.sync(() => openSockets() ?? 0)
      }))
    }
    for (const law of TransportLaws.laws(subject)) it.live(law.name, () => law.check)
  })
}

describe("a TCP pipe that is paused", () => {
  it.live("and breaks tells of the end that had come before: the answer is known to be whole", () =>
    Effect.gen(function* () {
      const listener = yield* rawListener()
      const { hostname: host, port } = new URL(listener.url)
      const pipe = yield* NodeNetwork.provider().connect({ _tag: "Tcp", host, port: Number(port) }, () => {})
      const told: Array<string> = []
      const receiver: Transport.Receiver = {
        onData: (bytes) => {
          told.push(`data ${bytes.length}`)
          pipe.pause()
        },
        onEnd: () => told.push("end"),
        onWritable: () => {},
        onFlushed: () => {},
        onBroken: (code) => told.push(code === "EPIPE" || code === "ECONNRESET" ? "broken" : code),
        onReleased: () => told.push("released")
      }
      pipe.attach(receiver)
      pipe.resume()
      const peer = yield* listener.next
      peer.write("answer")
      yield* until(() => told.length > 0, "the answer")
      // Its end comes while nobody listens; then nobody is there any more.
      peer.destroy()
      for (let i = 0; i < 100; i++) yield* turn
      assert.deepStrictEqual(told, ["data 6"])
      yield* until(() => {
        if (!told.includes("broken")) pipe.write(new Uint8Array(1))
        return told.includes("released")
      }, "the break")
      assert.deepStrictEqual(told, ["data 6", "end", "broken", "released"])
    })
  )
})
