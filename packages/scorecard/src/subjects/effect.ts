/**
 * The job server on Effect's own `NodeSocketServer` and `NodeRuntime.runMain`, written as Effect's own servers are (the
 * handler has the shape of `RpcServer`'s): a scope per connection, a pulled reader, a scoped writer.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as Protocol from "../Protocol.ts"

/** Ends the handler where an answer is the connection's last. */
const more = true
const last = false

const answer = Effect.fnUntraced(function* (
  { amount, verb }: Protocol.Request,
  writer: Socket.Writer,
  open: ReadonlySet<unknown>
) {
  switch (verb) {
    case "WORK":
      yield* Effect.sleep(amount)
      yield* writer.write(`DONE ${amount}\n`)
      return more
    case "GET":
      yield* writer.writeAll([`SIZE ${amount}\n`, Protocol.body(amount)])
      return more
    case "REJECT":
      yield* writer.writeAll([`SIZE ${amount}\n`, Protocol.body(amount)])
      return last
    case "DROP":
      yield* Effect.forkChild(writer.write(Protocol.body(amount)), { startImmediately: true })
      return last
    case "FINALIZER":
      yield* Effect.addFinalizer(() => Effect.sleep(amount))
      yield* writer.write("OK\n")
      return more
    case "BLOCK":
      yield* Effect.sync(() => Protocol.blockLoop(amount))
      yield* writer.write("OK\n")
      return more
    case "STAT":
      yield* writer.write(`OPEN ${open.size}\n`)
      return more
  }
})

/** Counted at the socket, not at the handler: a handler that has ended may leave its socket behind. */
const counted = Effect.fnUntraced(function* (open: Set<unknown>) {
  // The server provides it, but the type of `run` would have us provide it as well.
  const socket = Option.getOrThrow(yield* Effect.serviceOption(NodeSocket.NetSocket))
  open.add(socket)
  socket.once("close", () => open.delete(socket))
})

const handler = (open: Set<unknown>) =>
  Effect.fnUntraced(
    function* (socket: Socket.Socket) {
      yield* counted(open)
      const writer = yield* socket.writer
      const pull = yield* Socket.readerString(socket)
      let text = ""
      while (true) {
        text += (yield* pull).join("")
        let end: number
        while ((end = text.indexOf("\n")) >= 0) {
          const request = Protocol.parse(text.slice(0, end))
          text = text.slice(end + 1)
          if (request === undefined) return
          if ((yield* answer(request, writer, open)) === last) return
        }
      }
    },
    Effect.scoped,
    Effect.catchReason("SocketError", "SocketCloseError", () => Effect.void)
  )

const main = Effect.gen(function* () {
  const server = yield* SocketServer.SocketServer
  const address = server.address
  const port = NetAddress.isInetAddress(address) ? address.port : 0
  yield* Console.log(JSON.stringify({ listening: `tcp://127.0.0.1:${port}` }))
  return yield* server.run(handler(new Set()))
})

const port = Number(process.env["PORT"] ?? 0)

NodeRuntime.runMain(Effect.provide(main, NodeSocketServer.layer({ host: "127.0.0.1", port })))
