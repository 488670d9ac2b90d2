import { once } from "node:events"
import * as Net from "node:net"
import * as Address from "finwait/Address"
import { afterEach, assert, describe, it, vi } from "vitest"
import { NodeAcceptor } from "../src/internal/acceptor.ts"

/** How long a turn of this busy server takes, on a clock that nothing else moves. */
const turnMillis = 5

const closing: Array<() => void> = []

/** One that has listened for `quietMillis` and was connected to by nobody. */
const listening = async ({ quietMillis, tellsLater }: { quietMillis: number; tellsLater: boolean }) => {
  let now = 0
  vi.spyOn(performance, "now").mockImplementation(() => now)
  const server = Net.createServer()
  const acceptor = new NodeAcceptor(server, Address.tcp("127.0.0.1", 0))
  acceptor.tellsLater = tellsLater
  acceptor.attach({ onAccept: (transport) => transport.release(), onAcceptError: () => {}, onOverflow: () => {} })
  await once(server.listen(0, "127.0.0.1"), "listening")
  const { port } = server.address() as Net.AddressInfo
  closing.push(() => server.close())
  now += quietMillis
  /** How many turns it takes to stop. */
  const stop = () =>
    new Promise<number>((resolve) => {
      let turns = 0
      let isStopped = false
      const turn = () => {
        if (isStopped) return resolve(turns)
        turns++
        now += turnMillis
        setImmediate(turn)
      }
      setImmediate(turn)
      acceptor.stop(() => {
        isStopped = true
        assert.isFalse(server.listening)
      })
    })
  return { port, stop }
}

describe("a listener that stops while its server is busy", () => {
  afterEach(() => {
    vi.restoreAllMocks()
    for (const close of closing.splice(0)) close()
  })

  it("has no time in which somebody might connect: it waits ten times as long as a turn takes", async () => {
    const { stop } = await listening({ quietMillis: 10_000, tellsLater: false })
    const turns = await stop()
    assert.isAtLeast(turns, 10)
    assert.isAtMost(turns, 13)
  })

  it("need not wait where nobody has connected for so long, and nobody has been told to leave", async () => {
    const { stop } = await listening({ quietMillis: 10_000, tellsLater: true })
    const turns = await stop()
    assert.isAtLeast(turns, 2, "two turns in which nobody comes")
    assert.isAtMost(turns, 4)
  })

  it("waits for the rest of that time", async () => {
    const { stop } = await listening({ quietMillis: 30, tellsLater: true })
    const turns = await stop()
    assert.isAtLeast(turns, 4)
    assert.isAtMost(turns, 7)
  })

  it("waits from the beginning when somebody connects after all", async () => {
    const { port, stop } = await listening({ quietMillis: 10_000, tellsLater: true })
    const closed = once(Net.connect(port, "127.0.0.1").resume(), "close")
    const turns = await stop()
    await closed
    assert.isAtLeast(turns, 10)
    assert.isAtMost(turns, 14)
  })
})
