/**
 * Handlers of Effect's sockets, each as quick as that API allows. Messages are parsed by hand and the answers of a chunk
 * are written at once; but for `messages`, which writes each, as one would who takes them one by one.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { block, command, onCommand } from "./command.ts"
import { announce } from "./listening.ts"
import * as Parsers from "./parsers.ts"

const source = Effect.fnUntraced(function* (socket: Socket.Socket) {
  const writer = yield* socket.writer
  yield* socket.reader
  while (true) yield* writer.write(block)
}, Effect.scoped)

const pull = Effect.fnUntraced(function* (socket: Socket.Socket) {
  const answer = Parsers.answering(command.service)
  const writer = yield* socket.writer
  const pull = yield* Socket.readerBytes(socket)
  while (true) {
    for (const chunk of yield* pull) {
      const bytes = answer(chunk)
      if (bytes !== undefined) yield* writer.write(bytes)
    }
  }
}, Effect.scoped)

const messages = Effect.fnUntraced(function* (socket: Socket.Socket) {
  const parse = Parsers.messages(command.service)
  const writer = yield* socket.writer
  const pull = yield* Socket.readerBytes(socket)
  while (true) {
    for (const chunk of yield* pull) for (const message of parse(chunk)) yield* writer.write(message)
  }
}, Effect.scoped)

const stream = Effect.fnUntraced(function* (socket: Socket.Socket) {
  const answer = Parsers.answering(command.service)
  const writer = yield* socket.writer
  yield* Stream.runForEach(Socket.toStream(socket), (chunk) => {
    const bytes = answer(chunk)
    return bytes === undefined ? Effect.void : writer.write(bytes)
  })
}, Effect.scoped)

/** The socket as a channel from bytes to bytes, whose output is its input: through a queue, as there is no other way. */
const channel = Effect.fnUntraced(function* (socket: Socket.Socket) {
  const queue = yield* Queue.unbounded<Uint8Array>()
  yield* Stream.fromQueue(queue).pipe(
    Stream.pipeThroughChannel(Socket.toChannel(socket)),
    Stream.runForEach((chunk) => Queue.offer(queue, chunk))
  )
})

const handlers = { pull, stream, channel, messages }

/** Serves with the variant's handler until it is told to close. */
export const serveSockets = (
  listening: Layer.Layer<SocketServer.SocketServer, SocketServer.SocketServerError>
): void => {
  const handler = command.service === "source" ? source : handlers[command.variant as keyof typeof handlers]
  const main = Effect.gen(function* () {
    const server = yield* SocketServer.SocketServer
    announce(server)
    return yield* server.run((socket) =>
      Effect.catchReason(handler(socket), "SocketError", "SocketCloseError", () => Effect.void)
    )
  })
  const running = Effect.runFork(Effect.provide(main, listening))
  onCommand(() => void Effect.runFork(Fiber.interrupt(running)))
}
