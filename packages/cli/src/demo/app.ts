/**
 * A small job server on Effect's `SocketServer`, whoever provides it, written as one would write it who has never thought
 * of its end. It speaks `script.ts`.
 */
import * as Effect from "effect/Effect"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import { answerBytes, largeBytes } from "./script.ts"

const handler = Effect.fnUntraced(
  function* (socket: Socket.Socket) {
    const writer = yield* socket.writer
    const pull = yield* Socket.readerString(socket)
    let text = ""
    while (true) {
      text += (yield* pull).join("")
      let end: number
      while ((end = text.indexOf("\n")) >= 0) {
        const [verb, amount] = text.slice(0, end).split(" ")
        text = text.slice(end + 1)
        switch (verb) {
          case "WORK":
            yield* Effect.sleep(Number(amount))
            yield* writer.write(`DONE ${amount}\n`)
            break
          case "DOWNLOAD":
            yield* writer.write(new Uint8Array(largeBytes))
            break
          case "UPLOAD":
            // Refused, and what follows is not read.
            yield* writer.write(new Uint8Array(answerBytes))
            return
          case "GOODBYE":
            yield* Effect.addFinalizer(() => Effect.sleep(1000))
            yield* writer.write("OK\n")
            break
          default:
            return
        }
      }
    }
  },
  Effect.scoped,
  Effect.catchReason("SocketError", "SocketCloseError", () => Effect.void)
)

export const serve = Effect.gen(function* () {
  const server = yield* SocketServer.SocketServer
  return yield* server.run(handler)
})

export const listen = { host: "127.0.0.1", port: Number(process.env["PORT"]) }
