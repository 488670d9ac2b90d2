/**
 * Opens and closes connections in rounds, both ends in this process, and prints what is there before and after as one
 * line of JSON. Started by soak.test.ts with `--expose-gc`.
 */
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Address from "finwait/Address"
import type { Connection } from "finwait/Connection"
import * as Metrics from "finwait/Metrics"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import { rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const rounds = Number(process.argv[2])
const perRound = Number(process.argv[3])
const concurrency = 64

const warnings: Array<string> = []
process.on("warning", (warning) => warnings.push(warning.message))

const echo = (connection: Connection) => connection.each((chunk) => connection.write(chunk))

/** One conversation. The ways to end take turns: the client first, the server first, both, and a reset. */
const converse = Effect.fnUntraced(function* (address: Address.Address, index: number) {
  const connection = yield* Network.connect(address)
  yield* connection.write("ping")
  yield* connection.pull
  if (index % 4 === 1) yield* connection.closeWrite
  if (index % 4 === 2) yield* connection.close
  if (index % 4 === 3) yield* connection.abort
}, Effect.scoped)

interface Sample {
  readonly heapBytes: number
  readonly fibers: number
  readonly handles: number
  readonly connectionsOpen: number
}

const collect = Effect.promise(async () => {
  // Sockets that were destroyed give their memory back in the turns after.
  for (let i = 0; i < 5; i++) {
    await new Promise(setImmediate)
    globalThis.gc!()
  }
})

/** Every fiber of the program reports its start and its end here. */
let fibers = 0
let fibersStarted = 0
const counting: Metric.FiberRuntimeMetricsService = {
  recordFiberStart: () => {
    fibers++
    fibersStarted++
  },
  recordFiberEnd: () => void fibers--
}

const sample: Effect.Effect<Sample> = Effect.gen(function* () {
  yield* collect
  return {
    heapBytes: process.memoryUsage().heapUsed,
    fibers,
    handles: process.getActiveResourcesInfo().length,
    connectionsOpen: (yield* Metric.value(Metrics.connectionsOpen)).value
  }
})

const path = join(tmpdir(), `finwait-soak-${process.pid}.sock`)

const program = Effect.gen(function* () {
  const tcp = yield* Server.make({ listen: "tcp://127.0.0.1:0", handler: echo })
  const unix = yield* Server.make({ listen: Address.unix(path), handler: echo })
  const round = (address: Address.Address) =>
    Effect.forEach(
      Array.from({ length: perRound }, (_, index) => index),
      (index) => converse(address, index),
      {
        concurrency,
        discard: true
      }
    )
  // The first rounds fill caches and let the engine compile; what counts is what comes after.
  yield* round(tcp.address)
  yield* round(unix.address)
  yield* round(tcp.address)
  yield* round(unix.address)
  const before = yield* sample
  for (let i = 4; i < rounds; i++) yield* round(i % 2 === 0 ? tcp.address : unix.address)
  const after = yield* sample
  const reports = [yield* tcp.drain.begin, yield* unix.drain.begin]
  console.log(JSON.stringify({ connections: rounds * perRound, before, after, fibersStarted, warnings, reports }))
})

await Effect.runPromise(
  program.pipe(
    Effect.scoped,
    Effect.provideService(Metric.FiberRuntimeMetrics, counting),
    Effect.provide(NodeNetwork.layer)
  )
)
rmSync(path, { force: true })
