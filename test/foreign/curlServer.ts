/**
 * The server of curl's test: as much of HTTP/1.0 as curl needs, on a Unix socket, by Effect's `SocketServer`. A path that
 * begins with `/drain` is answered when the server is told to stop. FILE is where it listens.
 */
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as NodeSocketServer from "@finwait/node/NodeSocketServer"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import type * as Socket from "effect/socket/Socket"
import * as Connection from "finwait/Connection"
import * as Console from "effect/Console"

const path = process.env["FILE"]!

/** Longer than any buffer on the way: most of it is unsent when the drain begins. */
const bytes = 4 * 1024 * 1024

const answer = (target: string): string => {
  const body = `${target}\n`.repeat(Math.ceil(bytes / (target.length + 1))).slice(0, bytes)
  return `HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

const handler = Effect.fnUntraced(function* (socket: Socket.Socket) {
  const { pull } = yield* socket.reader
  const { write } = yield* socket.writer
  let head = ""
  while (!head.includes("\r\n\r\n")) {
    for (const part of yield* pull) head += typeof part === "string" ? part : new TextDecoder().decode(part)
  }
  const target = head.split(" ")[1]!
  yield* Console.log(JSON.stringify({ asked: target }))
  if (target.startsWith("/drain") && Connection.isConnection(socket)) yield* socket.draining
  yield* write(answer(target))
}, Effect.scoped)

const main = Effect.gen(function* () {
  const server = yield* NodeSocketServer.make({ path })
  yield* Console.log(JSON.stringify({ listening: `unix://${path}` }))
  return yield* server.run(handler)
}).pipe(Effect.scoped, Effect.provideService(Logger.LogToStderr, true))

NodeProcess.runMain(main)
