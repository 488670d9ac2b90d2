/** A chat over WebSocket: who one is, is in the URL and the headers; who misbehaves hears why in a close code. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Console, Effect, Layer, Option } from "effect"
import { Socket, SocketServer } from "effect/socket"

type Say = (line: string) => Effect.Effect<unknown>

const makeRoom = () => {
  const members = new Map<string, Say>()
  const all = (line: string) => Effect.forEach(members.values(), (say) => say(line), { discard: true })

  return Effect.fnUntraced(
    function* (socket: Socket.Socket) {
      // They are there for a handler, and its type does not know it.
      const request = Option.getOrThrow(yield* Effect.serviceOption(NodeSocketServer.IncomingMessage))
      const webSocket = Option.getOrThrow(yield* Effect.serviceOption(Socket.WebSocket))
      const { pull } = yield* socket.reader
      const { write } = yield* socket.writer
      const name = new URL(request.url ?? "/", "ws://room").searchParams.get("name")
      if (name === null) return yield* write(new Socket.CloseEvent(4001, "what is your name?"))
      if (members.has(name)) return yield* write(new Socket.CloseEvent(4002, `there is a ${name} already`))

      members.set(name, (line) => Effect.ignore(write(line)))
      yield* Effect.addFinalizer(() => {
        members.delete(name)
        return all(`${name} left`)
      })
      yield* all(`${name} joined, from ${request.headers["user-agent"]}, open: ${webSocket.readyState === 1}`)
      while (true) {
        for (const frame of yield* pull) {
          if (typeof frame !== "string") return yield* write(new Socket.CloseEvent(1003, "text only"))
          if (frame === "/quit") return yield* write(new Socket.CloseEvent(1000, "see you"))
          yield* all(`${name}: ${frame}`)
        }
      }
    },
    Effect.scoped,
    Effect.catchTag("SocketError", () => Effect.void)
  )
}

const RoomLive = Layer.effectDiscard(
  Effect.gen(function* () {
    const server = yield* SocketServer.SocketServer
    yield* Effect.forkScoped(server.run(makeRoom()))
  })
)

const join = Effect.fnUntraced(function* (query: string) {
  const { address } = yield* SocketServer.SocketServer
  if (address._tag === "UnixPathAddress") return yield* Effect.die("not a port")
  const socket = yield* Socket.makeWebSocket(`ws://127.0.0.1:${address.port}/room${query}`, {
    headers: { "user-agent": "chat/1.0" }
  })
  const { pull } = yield* socket.reader
  const { write } = yield* socket.writer
  const waiting: Array<string | Uint8Array> = []
  /** The next message. */
  const hear = Effect.gen(function* () {
    while (waiting.length === 0) waiting.push(...(yield* pull))
    return waiting.shift()!
  })
  /** How it ends; what comes before is printed. */
  const end = Effect.flip(Effect.forever(Effect.flatMap(hear, (message) => Console.log(message)))).pipe(
    Effect.map(({ reason }) =>
      reason._tag === "SocketCloseError" ? `${reason.code} ${reason.closeReason}` : reason._tag
    )
  )
  return { say: write, hear, end }
})

const program = Effect.gen(function* () {
  yield* Console.log(yield* Effect.scoped(Effect.flatMap(join(""), ({ end }) => end)))

  const ada = yield* join("?name=ada")
  yield* Console.log("ada hears:", yield* ada.hear)
  const bob = yield* join("?name=bob")
  yield* Console.log("ada hears:", yield* ada.hear)
  yield* Console.log("bob hears:", yield* bob.hear)
  yield* Console.log(yield* Effect.scoped(Effect.flatMap(join("?name=bob"), ({ end }) => end)))

  for (const line of ["hello", "", "žluťoučký kůň 🐎", "x".repeat(100_000)]) {
    yield* ada.say(line)
    const heard = yield* bob.hear
    yield* Console.log("bob hears:", String(heard).slice(0, 30), `(${typeof heard}, ${heard.length})`)
    yield* ada.hear
  }

  yield* bob.say(new Uint8Array([1, 2, 3]))
  yield* Console.log("bob:", yield* bob.end)
  yield* Console.log("ada hears:", yield* ada.hear)
  yield* ada.say("/quit")
  yield* Console.log("ada:", yield* ada.end)
})

program.pipe(
  Effect.scoped,
  Effect.provide(
    RoomLive.pipe(
      Layer.provideMerge(NodeSocketServer.layerWebSocket({ host: "127.0.0.1", port: 0 })),
      Layer.merge(NodeSocket.layerWebSocketConstructor)
    )
  ),
  NodeRuntime.runMain
)
