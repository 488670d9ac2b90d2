/** A TCP echo server, and three clients that talk to it: by hand, as a channel, and many at a time. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Console, Effect, Layer, Stream } from "effect"
import { Socket, SocketServer } from "effect/socket"

const echo = Effect.fnUntraced(
  function* (socket: Socket.Socket) {
    const writer = yield* socket.writer
    const { pull } = yield* socket.reader
    while (true) {
      yield* writer.writeAll(yield* pull)
    }
  },
  Effect.scoped,
  Effect.catchReason("SocketError", "SocketCloseError", () => Effect.void)
)

const Echo = Layer.effectDiscard(
  Effect.gen(function* () {
    const server = yield* SocketServer.SocketServer
    yield* Effect.forkScoped(server.run(echo))
  })
)

const Client = Layer.unwrap(
  Effect.gen(function* () {
    const { address } = yield* SocketServer.SocketServer
    if (address._tag === "UnixPathAddress") return yield* Effect.die("not a port")
    return NodeSocket.layerNet({ host: "127.0.0.1", port: address.port, openTimeout: "5 seconds" })
  })
)

/** Writes, and reads until as much has come back. */
const talk = Effect.fnUntraced(function* (words: ReadonlyArray<string>) {
  const socket = yield* Socket.Socket
  const pull = yield* Socket.readerString(socket)
  const { write } = yield* socket.writer
  const answers: Array<string> = []
  for (const word of words) {
    yield* write(word)
    let answer = ""
    while (answer.length < word.length) answer += (yield* pull).join("")
    answers.push(answer)
  }
  return answers
}, Effect.scoped)

/** Sends more than any buffer holds and half-closes; the echo's end is the end of the stream. */
const pour = Effect.gen(function* () {
  const socket = yield* Socket.Socket
  const bytes = yield* Stream.range(0, 199).pipe(
    Stream.map((n) => new Uint8Array(10_000).fill(n)),
    Stream.pipeThroughChannel(Socket.toChannel(socket)),
    Stream.catchReason("SocketError", "SocketCloseError", ({ code }) =>
      Stream.fromEffect(Effect.as(Console.log(`the stream ended with ${code}`), new Uint8Array(0)))
    ),
    Stream.runFold(
      () => ({ length: 0, sum: 0 }),
      (total, chunk) => ({ length: total.length + chunk.length, sum: chunk.reduce((sum, n) => sum + n, total.sum) })
    )
  )
  yield* Console.log(`${bytes.length} bytes came back, and their sum is ${bytes.sum}`)
})

const program = Effect.gen(function* () {
  yield* Console.log(yield* talk(["hello", "how are you?", "žluťoučký kůň", "x".repeat(100)]))
  yield* pour
  const crowd = yield* Effect.forEach(
    Array.from({ length: 20 }, (_, n) => `client ${n}`),
    (name) => talk([name]),
    {
      concurrency: "unbounded"
    }
  )
  yield* Console.log(crowd.flat().join(", "))
})

const ServerLive = NodeSocketServer.layer({ host: "127.0.0.1", port: 0 })

program.pipe(Effect.provide(Layer.merge(Client, Echo).pipe(Layer.provide(ServerLive))), NodeRuntime.runMain)
