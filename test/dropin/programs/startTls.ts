/** A mail server in miniature: lines in the clear, STARTTLS, and the same lines under TLS on the same connection. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Console, Effect, Redacted } from "effect"
import { type Socket, SocketServer } from "effect/socket"

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

/** The next line, whatever pieces it comes in. */
const lines = (pull: Socket.Reader["pull"]) => {
  const decoder = new TextDecoder()
  let text = ""
  return Effect.gen(function* () {
    while (!text.includes("\n")) {
      for (const frame of yield* pull) text += typeof frame === "string" ? frame : decoder.decode(frame)
    }
    const [line = "", ...rest] = text.split("\n")
    text = rest.join("\n")
    return line
  })
}

const session = Effect.fnUntraced(
  function* (socket: Socket.Socket) {
    const { pull, upgrade } = yield* socket.reader
    const { write } = yield* socket.writer
    const line = lines(pull)
    let secure = false
    yield* write("220 ready\n")
    while (true) {
      const command = yield* line
      switch (command) {
        case "STARTTLS": {
          if (secure) {
            yield* write("503 it is secure already\n")
            break
          }
          yield* write("220 go ahead\n")
          yield* upgrade({ key: Redacted.make(key), cert })
          secure = true
          break
        }
        case "AUTH": {
          yield* write(secure ? "235 welcome\n" : "530 not in the clear\n")
          break
        }
        case "QUIT":
          return yield* write("221 goodbye\n")
        default:
          yield* write(`500 ${command}?\n`)
      }
    }
  },
  Effect.scoped,
  Effect.catchTag("SocketError", () => Effect.void)
)

const client = Effect.fnUntraced(function* (port: number, tls: Socket.TlsUpgradeOptions) {
  const socket = yield* NodeSocket.makeNet({ host: "127.0.0.1", port })
  const { pull, upgrade } = yield* socket.reader
  const { write } = yield* socket.writer
  const line = lines(pull)
  const say = Effect.fnUntraced(function* (command: string) {
    yield* write(`${command}\n`)
    yield* Console.log(`${command} -> ${yield* line}`)
  })
  yield* Console.log(yield* line)
  yield* say("AUTH")
  yield* say("STARTTLS")
  yield* upgrade(tls)
  yield* say("AUTH")
  yield* say("STARTTLS")
  yield* say("QUIT")
  yield* line.pipe(
    Effect.flatMap((line) => Console.log(line)),
    Effect.catchReason("SocketError", "SocketCloseError", ({ code }) => Console.log(`closed with ${code}`))
  )
}, Effect.scoped)

const program = Effect.gen(function* () {
  const server = yield* SocketServer.SocketServer
  if (server.address._tag === "UnixPathAddress") return yield* Effect.die("not a port")
  const { port } = server.address
  yield* Effect.forkScoped(server.run(session))

  yield* client(port, { servername: "localhost", ca: cert })
  const distrust = yield* Effect.flip(client(port, { servername: "localhost" }))
  yield* Console.log(`who does not trust the certificate: ${distrust.reason._tag}`)
  const stranger = yield* Effect.flip(client(port, { servername: "elsewhere.example", ca: cert }))
  yield* Console.log(`who expects another name: ${stranger.reason._tag}`)
})

program.pipe(Effect.scoped, Effect.provide(NodeSocketServer.layer({ host: "127.0.0.1", port: 0 })), NodeRuntime.runMain)
