/** A listener on loopback that accepts nobody and whose backlog is full: who connects hears nothing at all. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as net from "node:net"
import { Worker } from "node:worker_threads"

// In a thread that sleeps from the moment it listens, because a Node whose loop turns accepts on its own.
const source = `
const { parentPort } = require("node:worker_threads")
const server = require("node:net").createServer().listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
  parentPort.postMessage(server.address().port)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})
`

export const deafListener: Effect.Effect<string, never, Scope.Scope> = Effect.gen(function* () {
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => new Worker(source, { eval: true })),
    (worker) => Effect.promise(() => worker.terminate())
  )
  const port = yield* Effect.promise(() => new Promise<number>((resolve) => worker.once("message", resolve)))
  // A backlog of one has room for two.
  yield* Effect.forEach([1, 2], () =>
    Effect.acquireRelease(
      Effect.callback<net.Socket>((resume) => {
        const socket = net.connect({ host: "127.0.0.1", port }, () => resume(Effect.succeed(socket)))
        socket.on("error", () => {})
      }),
      (socket) => Effect.sync(() => socket.destroy())
    )
  )
  return `tcp://127.0.0.1:${port}`
})
