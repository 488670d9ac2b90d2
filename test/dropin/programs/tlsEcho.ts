/** An echo server over TLS, and clients that trust it, do not, and speak no TLS at all. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Console, Effect, Layer, Option, Stream } from "effect"
import { Socket, SocketServer } from "effect/socket"
import { TLSSocket } from "node:tls"

/** Self-signed, for localhost. Made for this program; protects nothing. */
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqJF7D0rAQYKliYIG
AcrInS5W2uUHhiUJe1wYKsLeKDuhRANCAATKZhjhIopWex5scejiYHMZ4FkPd9XN
nIkeUOqOniGngIt8ch5Ednx52J1KLaxSBDPrQBZlEJZmj6n56I3/D+WV
-----END PRIVATE KEY-----
`
const cert = `-----BEGIN CERTIFICATE-----
MIIBZzCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMpmGOEiilZ7Hmxx
6OJgcxngWQ931c2ciR5Q6o6eIaeAi3xyHkR2fHnYnUotrFIEM+tAFmUQlmaPqfno
jf8P5ZWjTjBMMA8GA1UdEwEB/wQFMAMBAf8wGgYDVR0RBBMwEYIJbG9jYWxob3N0
hwR/AAABMB0GA1UdDgQWBBQQOaNvG6j9zCUH/WFpi/tSBGpj+zAKBggqhkjOPQQD
AgNIADBFAiEApVu6pQsW5pokQMUy/9ma4hc/KpRIaBVNIEvVMqBT5a4CIGEt1JgD
uj2fd9Zw11Y4lqigrUeTudr+Iys6Xr+9Lv2D
-----END CERTIFICATE-----
`

const echo = Effect.fnUntraced(
  function* (socket: Socket.Socket) {
    // It is there for a handler, and its type does not know it.
    const netSocket = Option.getOrThrow(yield* Effect.serviceOption(NodeSocket.NetSocket))
    const writer = yield* socket.writer
    const { pull } = yield* socket.reader
    if (netSocket instanceof TLSSocket) {
      yield* writer.write(`encrypted, ${netSocket.getProtocol()}, ${netSocket.alpnProtocol || "no"} protocol\n`)
    }
    while (true) yield* writer.writeAll(yield* pull)
  },
  Effect.scoped,
  Effect.catchTag("SocketError", () => Effect.void)
)

const EchoLive = Layer.effectDiscard(
  Effect.gen(function* () {
    const server = yield* SocketServer.SocketServer
    yield* Effect.forkScoped(server.run(echo))
  })
)

const greeting = Effect.fnUntraced(function* (client: Effect.Effect<Socket.Socket>) {
  const socket = yield* client
  const pull = yield* Socket.readerString(socket)
  let text = ""
  while (!text.includes("\n")) text += (yield* pull).join("")
  return text.trimEnd()
}, Effect.scoped)

const program = Effect.gen(function* () {
  const { address } = yield* SocketServer.SocketServer
  if (address._tag === "UnixPathAddress") return yield* Effect.die("not a port")
  const where = { host: "localhost", port: address.port }

  yield* Console.log(yield* greeting(NodeSocket.makeTls({ ...where, ca: cert })))
  yield* Console.log(yield* greeting(NodeSocket.makeTls({ ...where, ca: cert, ALPNProtocols: ["echo"] })))

  const bytes = yield* Stream.range(1, 100).pipe(
    Stream.map((n) => new Uint8Array(16_384).fill(n)),
    Stream.pipeThroughChannel(NodeSocket.makeTlsChannel({ ...where, ca: cert })),
    Stream.catchReason("SocketError", "SocketCloseError", () => Stream.empty),
    Stream.runFold(
      () => 0,
      (length, chunk) => length + chunk.length
    )
  )
  yield* Console.log(`${bytes} bytes came back`)

  const distrust = yield* Effect.flip(greeting(NodeSocket.makeTls(where)))
  yield* Console.log(`who does not trust the certificate: ${distrust.reason._tag}`)
  const stranger = yield* Effect.flip(greeting(NodeSocket.makeTls({ ...where, ca: cert, servername: "example.org" })))
  yield* Console.log(`who expects another name: ${stranger.reason._tag}`)

  const plain = yield* Effect.flip(
    Effect.gen(function* () {
      const socket = yield* NodeSocket.makeNet(where)
      const { pull } = yield* socket.reader
      const { write } = yield* socket.writer
      yield* write("hello, is anybody there?\n")
      while (true) yield* pull
    }).pipe(Effect.scoped)
  )
  yield* Console.log(`who speaks no TLS is sent away: ${Socket.isSocketError(plain)}`)
  yield* Console.log(yield* greeting(NodeSocket.makeTls({ ...where, ca: cert })))
})

program.pipe(
  Effect.provide(
    EchoLive.pipe(Layer.provideMerge(NodeSocketServer.layerTls({ port: 0, key, cert, ALPNProtocols: ["echo"] })))
  ),
  NodeRuntime.runMain
)
