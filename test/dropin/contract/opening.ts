/** A client's dial, and how it fails. */
import { Effect, Exit } from "effect"
import * as Net from "node:net"
import { both, type Row } from "./Row.ts"
import { how, temporaryDirectory } from "./world.ts"

/** Accepts, and says nothing: no handshake goes on. */
const deaf = Effect.acquireRelease(
  Effect.callback<Net.Server>((resume) => {
    const sockets = new Set<Net.Socket>()
    const server = Net.createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => {})
    })
    server.on("close", () => sockets.forEach((socket) => socket.destroy()))
    server.listen(0, "127.0.0.1", () => resume(Exit.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close())
)

export const opening: ReadonlyArray<Row> = [
  {
    what: "nobody listens",
    over: ["tcp", "unix", "tls", "websocket"],
    see: (world) => Effect.andThen(world.close, how(Effect.flatMap(world.client, ({ reader }) => reader))),
    expected: both("SocketOpenError Unknown")
  },
  {
    what: "there is no such file",
    over: ["unix"],
    see: ({ sockets }) =>
      Effect.gen(function* () {
        const socket = yield* sockets.client.makeNet({ path: `${yield* temporaryDirectory}/nobody.sock` })
        return yield* how(socket.reader)
      }),
    expected: both("SocketOpenError Unknown")
  },
  {
    what: "no handshake within openTimeout",
    over: ["tls"],
    see: ({ sockets }) =>
      Effect.gen(function* () {
        const server = yield* deaf
        const { port } = server.address() as Net.AddressInfo
        const socket = yield* sockets.client.makeTls({ host: "127.0.0.1", port, openTimeout: "50 millis" })
        return yield* how(Effect.scoped(socket.reader))
      }),
    expected: both("SocketOpenError Timeout")
  },
  {
    what: "a certificate that is not trusted",
    over: ["tls"],
    see: ({ server, sockets }) =>
      Effect.gen(function* () {
        const port = "port" in server.address ? server.address.port : 0
        const untrusting = yield* sockets.client.makeTls({ host: "127.0.0.1", port })
        return yield* how(untrusting.reader)
      }),
    expected: both("SocketOpenError Unknown")
  }
]
