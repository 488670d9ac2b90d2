/**
 * Servers as they are often written, which the suite has to find fault with: `host.ts` in all but the end. Started with
 * the way in which it ends:
 *
 * - `destroy`: every socket is destroyed.
 * - `destroySoon`: every answer in hand is given, then end and destroy, without a look at what the client still sends.
 * - `end`: the same with `end()`, for a client that never reads as well, and whatever is left is destroyed in the end.
 * - `wait`: stops accepting and waits for everybody to leave.
 */
import * as net from "node:net"
import { Latch } from "../../packages/cli/src/Waiting.ts"
import type { Start } from "./host.ts"
import { hardDeadline, type Limits } from "./Limits.ts"
import { body, parse } from "./Roles.ts"
import { answer } from "./rpc.ts"

export type Way = "destroy" | "destroySoon" | "end" | "wait"

const way = process.argv[2] as Way

interface Hosted {
  readonly server: net.Server
  readonly limits: Limits
  readonly full: Latch
  readonly sockets: Set<net.Socket>
  readonly draining: Latch
  connections: number
}

const hosted = new Map<number, Hosted>()

/** Answers what it is asked; after the announcement, when nothing is in hand any more, the connection ends. */
const converse = (socket: net.Socket, { draining }: Hosted) => {
  let text = ""
  let inHand = 0
  let told = false
  let last = false
  const end = () => {
    if (!told || inHand > 0) return
    if (way === "destroySoon") socket.destroySoon()
    if (way === "end") socket.end()
  }
  const finish = (bytes: number, from: number) => {
    inHand--
    socket.write(body(bytes, from))
    end()
  }
  socket.on("data", (chunk) => {
    if (last) return
    const lines = (text + chunk.toString("latin1")).split("\n")
    text = lines.pop()!
    for (const line of lines) {
      const request = parse(line)
      if (request?.verb === "HELLO") socket.write("OK\n")
      if (request?.verb === "GET") socket.write(body(request.bytes, request.from))
      if (request?.verb === "LAST") {
        last = true
        inHand++
        socket.pause()
        void draining.opened.then(() => finish(request.bytes, request.from))
      }
      if (request?.verb === "AFTER") {
        inHand++
        void draining.opened.then(() => setTimeout(() => finish(request.bytes, request.from), request.millis))
      }
    }
  })
  void draining.opened.then(() => {
    told = true
    if (way === "destroy") socket.destroy()
    // A turn later: whatever is in hand has been counted by then.
    return setTimeout(end, 500)
  })
}

const start = async ({ connections, group, limits }: Start) => {
  const server = net.createServer({ allowHalfOpen: way === "end" })
  const entry: Hosted = {
    server,
    limits,
    full: new Latch(),
    sockets: new Set(),
    draining: new Latch(),
    connections: 0
  }
  server.on("connection", (socket) => {
    entry.sockets.add(socket)
    socket.on("close", () => entry.sockets.delete(socket))
    socket.on("error", () => {})
    converse(socket, entry)
    if (++entry.connections === connections) entry.full.open()
  })
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve))
  hosted.set(group, entry)
  return (server.address() as net.AddressInfo).port
}

const drain = async (group: number) => {
  const { connections, draining, limits, server, sockets } = hosted.get(group)!
  const began = performance.now()
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  draining.open()
  if (way !== "wait") {
    const deadline = setTimeout(() => sockets.forEach((socket) => socket.destroy()), hardDeadline(limits))
    void closed.then(() => clearTimeout(deadline))
  }
  await closed
  const outcomes = { Graceful: connections, LingerExpired: 0, ResetByPeer: 0, Aborted: 0 }
  const report = { clean: true, connections, outcomes, handlersFailed: 0, handlersAbandoned: 0, slowest: [] }
  return { millis: performance.now() - began, report }
}

answer({ start, full: (group: number) => hosted.get(group)!.full.opened, drain })
