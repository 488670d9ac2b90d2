import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import * as net from "node:net"
import { Program } from "../../../test/tools/Program.ts"
import { until } from "./support/network.ts"
import { halfHello, tlsClient } from "./support/tls.ts"

/** Of the flood, of which as many are wanted as the limit of open files lets be. */
const wanted = 5_000

/** Descriptors that a process has for itself, the server's clients that are none of the flood among them. */
const spare = 200

const filesMax = (): number => {
  try {
    return Number(/^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 1_024)
  } catch {
    return 1_024
  }
}

const count = Math.min(wanted, filesMax() - spare)

/** Fewer than may wait in the backlog, so that none of them has to try again. */
const atOnce = 250

class Flood {
  readonly sockets: Array<net.Socket> = []
  connected = 0
  fins = 0
  resets = 0

  constructor(url: string, begins: boolean) {
    this.url = url
    this.begins = begins
  }

  private readonly url: string
  private readonly begins: boolean

  /** So many more. */
  grow(by: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (let left = by; left > 0; left -= atOnce) {
        const goal = this.connected + Math.min(left, atOnce)
        while (this.sockets.length < goal) this.connect()
        yield* until(() => this.connected >= goal, `${goal} are connected, of which ${this.connected} are`)
      }
    })
  }

  private connect(): void {
    const { hostname, port } = new URL(this.url)
    const socket = net.connect({ host: hostname, port: Number(port) })
    socket.on("connect", () => {
      this.connected++
      if (this.begins) socket.write(halfHello)
    })
    socket.on("end", () => this.fins++)
    socket.on("error", () => this.resets++)
    socket.resume()
    this.sockets.push(socket)
  }
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MB`

describe(`a flood of ${count} connections that do not shake hands`, () => {
  it.live(
    "holds up neither those who do nor the drain, and does not survive it",
    () =>
      Effect.gen(function* () {
        const program = yield* Effect.acquireRelease(
          Effect.sync(() => new Program(new URL("support/tlsFloodServer.ts", import.meta.url))),
          (program) => Effect.sync(() => program.kill())
        )
        const url = yield* Effect.promise(() => program.listening())
        const floods = [new Flood(url, false), new Flood(url, true)] as const
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            for (const { sockets } of floods) for (const socket of sockets) socket.destroy()
          })
        )
        const [silent, begun] = floods

        const exchange = Effect.gen(function* () {
          const begin = performance.now()
          const peer = yield* tlsClient(url)
          yield* peer.send("memory\n")
          yield* peer.hears("\n")
          return { peer, bytes: Number(peer.text), millis: performance.now() - begin }
        })
        const alone = yield* exchange
        const begin = performance.now()
        const amid = []
        for (const part of [1, 2]) {
          for (const flood of floods) yield* flood.grow(Math.floor(count / 4))
          amid.push(yield* exchange)
          assert.strictEqual(silent.connected + begun.connected, part * 2 * Math.floor(count / 4))
        }
        const flooding = performance.now() - begin
        assert.strictEqual(silent.fins + silent.resets + begun.fins + begun.resets, 0)

        const drainBegin = performance.now()
        program.signal("SIGTERM")
        // Silent ones go before those whose grace it is.
        yield* until(() => silent.fins + silent.resets === silent.connected, "the silent half is gone")
        const silentGone = performance.now() - drainBegin
        const ended = yield* Effect.promise(() => program.ended())
        const drained = performance.now() - drainBegin
        yield* until(() => begun.fins + begun.resets === begun.connected, "the other half is gone")

        assert.deepStrictEqual(ended, { code: 0, signal: null }, program.stderr)
        assert.deepStrictEqual([silent.fins, silent.resets], [silent.connected, 0])
        assert.deepStrictEqual([begun.fins, begun.resets], [0, begun.connected])
        for (const { peer } of [alone, ...amid]) assert.strictEqual(yield* peer.ended, "end")
        const report = program.said.find((line) => "drained" in line)!["drained"]
        assert.isTrue(report.clean)
        assert.strictEqual(report.connections, 3)
        assert.strictEqual(report.outcomes.Graceful, 3)
        // The grace is a second; the rest is what a machine that has other things to do may take to say goodbye to all.
        assert.isBelow(report.durationMillis, 5_000)

        const last = amid.at(-1)!
        const each = (last.bytes - alone.bytes) / (silent.connected + begun.connected)
        console.log(
          `A flood of ${silent.connected} silent connections and ${begun.connected} half handshakes, which took ` +
            `${Math.round(flooding)} ms: the server grew from ${megabytes(alone.bytes)} to ${megabytes(last.bytes)} ` +
            `(${Math.round(each / 1024)} KiB for each), a real client was served in ${Math.round(last.millis)} ms ` +
            `(${Math.round(alone.millis)} ms before), and of the drain's ${Math.round(drained)} ms ` +
            `the silent half took ${Math.round(silentGone)} ms.`
        )
      }).pipe(Effect.scoped),
    60_000
  )
})
