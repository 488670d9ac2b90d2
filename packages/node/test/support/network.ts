/** What the tests over real sockets share: servers, raw peers, a folder, and counts of what is open. */
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import * as Address from "finwait/Address"
import type { Connection } from "finwait/Connection"
import type { Network } from "finwait/Network"
import * as Server from "finwait/Server"
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { RawClient } from "../../../../test/tools/RawClient.ts"

/** Runs on the system's network, quietly, in a scope of its own. */
export const real = <A, E>(
  program: Effect.Effect<A, E, Network | Scope.Scope>,
  options: NodeNetwork.Options = {}
): Effect.Effect<A, E> =>
  program.pipe(Effect.scoped, Effect.provide(Layer.merge(NodeNetwork.layerWith(options), Logger.layer([]))))

export const echo = (connection: Connection) => connection.each((chunk) => connection.write(chunk))

/** A server on an address, with the URL where it listens. */
export const serve = (listen: string, options: Partial<Server.Options<any, never>> = {}) =>
  Effect.map(Server.make({ listen, handler: echo, ...options }), ({ address, connections, drain }) => ({
    address,
    connections,
    drain,
    url: Address.format(address)
  }))

/** A raw client, destroyed at the end of the scope. */
export const dial = (url: string, options?: { readonly answersFin?: boolean }) =>
  Effect.acquireRelease(
    Effect.promise(() => RawClient.connect(url, options)),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** A raw listener, which keeps whom it has accepted until the end of the scope. */
export const rawListener = (where: net.ListenOptions = { host: "127.0.0.1", port: 0 }) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly next: Effect.Effect<net.Socket>; readonly close: () => void }>(
      (resume) => {
        const sockets: Array<net.Socket> = []
        const waiting: Array<(socket: net.Socket) => void> = []
        const server = net.createServer({ allowHalfOpen: true }, (socket) => {
          socket.on("error", () => {})
          all.push(socket)
          const waiter = waiting.shift()
          if (waiter === undefined) sockets.push(socket)
          else waiter(socket)
        })
        const all: Array<net.Socket> = []
        const next = Effect.callback<net.Socket>((resume) => {
          const socket = sockets.shift()
          if (socket === undefined) waiting.push((socket) => resume(Effect.succeed(socket)))
          else resume(Effect.succeed(socket))
        })
        const close = () => {
          server.close()
          for (const socket of all) socket.destroy()
        }
        server.listen(where, () => {
          const address = server.address()
          const url =
            typeof address === "string" ? `unix://${address}` : `tcp://127.0.0.1:${(address as net.AddressInfo).port}`
          resume(Effect.succeed({ url, next, close }))
        })
      }
    ),
    ({ close }) => Effect.sync(close)
  )

/** A folder for socket files, gone at the end of the scope. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "finwait-node-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** How many sockets this process has open; `undefined` where there is no /proc. */
export const openSockets = (): number | undefined => {
  try {
    return readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:")
      } catch {
        return false
      }
    }).length
  } catch {
    return undefined
  }
}

/** A turn of the event loop. */
export const turn: Effect.Effect<void> = Effect.callback((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Lets the event loop turn until a condition holds; fails when it does not in ten seconds. */
export const until = (condition: () => boolean, what: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (!condition()) yield* turn
  }).pipe(Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.die(new Error(`never: ${what}`)) }))

/** The transports that everything is tried on. */
export const transports: ReadonlyArray<readonly [name: string, listen: Effect.Effect<string, never, Scope.Scope>]> = [
  ["TCP", Effect.succeed("tcp://127.0.0.1:0")],
  ["a Unix socket", Effect.map(folder, (path) => `unix://${path}/a.sock`)]
]
