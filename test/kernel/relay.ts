/**
 * The link where the kernel has no netem: carries IP packets between two TUN devices, each the other end of a UDP
 * socket of ours, late, some of them later than others, and some never. Started with a seed and a weather.
 *
 *     down address / up address    nothing from or to a client's address passes any more
 *     hold / release               nothing passes at all: a device that is down refuses what is written to it
 *     counts                       packets that passed and packets that were lost by chance
 */
import * as dgram from "node:dgram"
import { ends, type Weather } from "./Weather.ts"
import { random } from "./random.ts"
import { answer } from "./rpc.ts"

const [seed, weather] = process.argv.slice(2).map((text) => JSON.parse(text)) as [number, Weather]
const next = random(seed)
const down = new Set<number>()
let held = true
let passed = 0
let lost = 0

/** Jitter changes as often: a delay of its own for every packet would turn each burst upside down. */
const jitterMillis = 20

/** How much later a packet is that others overtake: more than a burst takes. */
const overtakenMillis = 3

class Direction {
  private readonly from: dgram.Socket
  private readonly to: dgram.Socket
  private readonly toPort: number
  private queue: Array<{ readonly due: number; readonly packet: Buffer }> = []
  private timer: NodeJS.Timeout | undefined
  private lastDue = 0
  private jitter = 0
  private jitterUntil = 0

  /** `clientAt`: where in the header the client's address is. */
  constructor(from: dgram.Socket, to: dgram.Socket, toPort: number, clientAt: number) {
    this.from = from
    this.to = to
    this.toPort = toPort
    this.from.on("message", (packet) => {
      if (held || packet[0]! >>> 4 !== 4 || down.has(packet.readUInt32BE(clientAt))) return
      if (next() * 100 < weather.lossPercent) {
        lost++
        return
      }
      passed++
      this.carry(packet)
    })
  }

  private carry(packet: Buffer): void {
    const now = performance.now()
    if (now > this.jitterUntil) {
      this.jitterUntil = now + jitterMillis
      this.jitter = next() * weather.jitterMillis
    }
    const due = Math.max(this.lastDue, now + weather.delayMillis + this.jitter)
    if (next() * 100 < weather.reorderPercent) {
      setTimeout(() => this.send(packet), due - now + overtakenMillis)
      return
    }
    this.lastDue = due
    this.queue.push({ due, packet })
    this.timer ??= setTimeout(this.pump, due - now)
  }

  private readonly pump = (): void => {
    const now = performance.now()
    let count = 0
    // Timers come up to a millisecond early or late; what is nearly due goes along.
    while (count < this.queue.length && this.queue[count]!.due <= now + 0.5) this.send(this.queue[count++]!.packet)
    this.queue = this.queue.slice(count)
    const first = this.queue[0]
    this.timer = first === undefined ? undefined : setTimeout(this.pump, Math.max(1, first.due - now))
  }

  private send(packet: Buffer): void {
    if (!held) this.to.send(packet, this.toPort, "127.0.0.1")
  }
}

const socket = async (port: number) => {
  const made = dgram.createSocket({ type: "udp4", recvBufferSize: 4 * 1024 * 1024, sendBufferSize: 4 * 1024 * 1024 })
  // A device's end that is not there yet, or any more, is a link that carries nothing.
  made.on("error", () => {})
  await new Promise<void>((resolve) => made.bind(port, "127.0.0.1", resolve))
  return made
}

const sourceAt = 12
const destinationAt = 16
const server = await socket(ends.server.relayPort)
const client = await socket(ends.client.relayPort)
const directions = [
  new Direction(server, client, ends.client.devicePort, destinationAt),
  new Direction(client, server, ends.server.devicePort, sourceAt)
]

const numberOf = (address: string) => Buffer.from(address.split(".").map(Number)).readUInt32BE()

answer({
  down: (address: string) => void down.add(numberOf(address)),
  up: (address: string) => void down.delete(numberOf(address)),
  hold: () => void (held = true),
  release: () => void (held = false),
  counts: () => ({ passed, lost, directions: directions.length })
})
