import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { vi } from "vitest"
import { Liveness, type Living } from "../src/internal/webSocketLiveness.ts"

class Peer implements Living {
  arrived = 0
  left = 0
  isHeldBack = false
  isDeaf = false
  pings = 0
  lost = false

  ping(): void {
    this.pings++
  }

  giveUp(): void {
    this.lost = true
  }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const joined = (...peers: ReadonlyArray<Peer>) => {
  const liveness = new Liveness({ pingInterval: "30 seconds", pongTimeout: "10 seconds" })
  const places = peers.map((peer) => liveness.join(peer))
  return { liveness, places }
}

const pass = (seconds: number) => vi.advanceTimersByTime(seconds * 1000)

describe("a silent peer", () => {
  it("is asked after the one time, and lost after the other", () => {
    const peer = new Peer()
    joined(peer)
    pass(29.9)
    assert.strictEqual(peer.pings, 0)
    pass(0.1)
    assert.strictEqual(peer.pings, 1)
    pass(9.9)
    assert.isFalse(peer.lost)
    pass(0.1)
    assert.isTrue(peer.lost)
    pass(1000)
    assert.strictEqual(peer.pings, 1)
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("lives by whatever arrives, and is asked only after silence", () => {
    const peer = new Peer()
    joined(peer)
    for (let i = 0; i < 10; i++) {
      pass(29)
      peer.arrived++
    }
    assert.strictEqual(peer.pings, 0)
    pass(41)
    assert.strictEqual(peer.pings, 1)
    peer.arrived++
    pass(10)
    assert.isFalse(peer.lost)
    pass(60)
    assert.isTrue(peer.lost)
  })

  it("is not asked, nor lost, while nobody could hear it", () => {
    const peer = new Peer()
    joined(peer)
    peer.isDeaf = true
    pass(300)
    assert.strictEqual(peer.pings, 0)
    peer.isDeaf = false
    pass(30)
    peer.isDeaf = true
    pass(10)
    assert.isFalse(peer.lost)
  })

  it("that makes room for what waits for it lives, and one that does not is lost", () => {
    const [slow, stuck, fast] = [new Peer(), new Peer(), new Peer()]
    joined(slow, stuck, fast)
    slow.isHeldBack = stuck.isHeldBack = true
    pass(30)
    // What leaves to a system that has room says nothing of the peer.
    slow.left = fast.left = 1000
    pass(10)
    assert.deepStrictEqual(
      [slow, stuck, fast].map(({ lost }) => lost),
      [false, true, true]
    )
  })
})

describe("the timer", () => {
  it("is one for all, and gone with the last of them", () => {
    const peers = Array.from({ length: 100 }, () => new Peer())
    const { liveness, places } = joined(...peers)
    assert.strictEqual(vi.getTimerCount(), 1)
    for (const place of places.slice(1)) liveness.leave(place)
    pass(30)
    assert.deepStrictEqual(
      peers.map(({ pings }) => pings),
      [1, ...peers.slice(1).map(() => 0)]
    )
    liveness.leave(places[0]!)
    liveness.leave(places[0]!)
    pass(100)
    assert.strictEqual(vi.getTimerCount(), 0)
    assert.isTrue(peers.every(({ lost }) => !lost))
  })

  it("rings for each in its turn, those who leave meanwhile apart", () => {
    const [first, second, third] = [new Peer(), new Peer(), new Peer()]
    const { liveness, places } = joined(first, second)
    first.ping = () => liveness.leave(places[1]!)
    pass(10)
    liveness.join(third)
    pass(20)
    assert.strictEqual(second.pings, 0)
    assert.strictEqual(third.pings, 0)
    pass(10)
    assert.strictEqual(third.pings, 1)
  })
})
