/**
 * The job server on Effect's `SocketServer`, whoever provides it, written as Effect's own servers are (the handler has
 * the shape of `RpcServer`'s): a scope per connection, a pulled reader, a scoped writer.
 */
import * as Effect from "effect/Effect"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as Protocol from "../Protocol.ts"
import { announced } from "./announced.ts"
import { counted, openCount } from "./opened.ts"

/** Ends the handler where an answer is the connection's last. */
const more = true
const last = false

const answer = Effect.fnUntraced(function* ({ amount, verb }: Protocol.Request, writer: Socket.Writer) {
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
      yield* writer.write(`OPEN ${openCount()}\n`)
      return more
  }
})

/** The conversation on one connection, which its caller counts. */
export const converse = Effect.fnUntraced(
  function* (socket: Socket.Socket) {
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
        if ((yield* answer(request, writer)) === last) return
      }
    }
  },
  Effect.scoped,
  Effect.catchReason("SocketError", "SocketCloseError", () => Effect.void)
)

const handler = (socket: Socket.Socket) => Effect.scoped(Effect.andThen(counted, converse(socket)))

export const serve = Effect.gen(function* () {
  const server = yield* SocketServer.SocketServer
  yield* announced(server)
  return yield* server.run(handler)
})
