import { assert, describe, it } from "@effect/vitest"
import * as NodeSocket from "@finwait/node/NodeSocket"
import * as NodeSocketServer from "@finwait/node/NodeSocketServer"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Socket from "effect/socket/Socket"
import type * as SocketServer from "effect/socket/SocketServer"
import { HandshakeFailed, NetworkError } from "finwait/NetworkError"
import * as Connection from "finwait/Connection"
import { generateKeyPairSync } from "node:crypto"
import { ca, identity } from "./support/certificates.ts"

const { cert, key } = identity("server")
const pem = { cert, key: Redacted.value(key) } as { cert: string; key: string }

const portOf = ({ address }: SocketServer.SocketServer["Service"]) =>
  NetAddress.isInetAddress(address) ? address.port : 0

/** A test on real sockets, without what servers say. */
const live = (title: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(title, () => Effect.provide(body(), Logger.layer([])))

/** Until the peer, or a drain, ends the connection. */
const ended = (socket: Socket.Socket) => Effect.scoped(Effect.exit(Effect.flatMap(socket.reader, ({ pull }) => pull)))

type Make = Effect.Effect<SocketServer.SocketServer["Service"], SocketServer.SocketServerError, Scope.Scope>

/** Each way to serve, with the client that fits it. */
const ways: ReadonlyArray<{
  readonly name: string
  readonly make: Make
  readonly client: (port: number) => Effect.Effect<Socket.Socket>
  readonly isText?: boolean
  /** What a client is told in a drain. */
  readonly drained: number
}> = [
  {
    name: "TCP",
    make: NodeSocketServer.make({ host: "127.0.0.1", port: 0 }),
    client: (port) => NodeSocket.makeNet({ host: "127.0.0.1", port }),
    drained: 1000
  },
  ...(["TLSv1.2", "TLSv1.3"] as const).map((version) => ({
    name: version,
    make: NodeSocketServer.makeTls({ host: "127.0.0.1", port: 0, ...pem, minVersion: version, maxVersion: version }),
    client: (port: number) => NodeSocket.makeTls({ host: "localhost", port, ca, family: 4 } as never),
    drained: 1000
  })),
  {
    name: "WebSocket",
    make: NodeSocketServer.makeWebSocket({ host: "127.0.0.1", port: 0 }),
    client: (port) => NodeSocket.makeWebSocket(`ws://127.0.0.1:${port}/chat`),
    isText: true,
    drained: 1001
  }
]

const text = (frames: ReadonlyArray<Uint8Array | string>): string =>
  frames.map((frame) => (typeof frame === "string" ? frame : new TextDecoder().decode(frame))).join("")

const echo = Effect.fnUntraced(function* (socket: Socket.Socket) {
  const writer = yield* socket.writer
  const { pull } = yield* socket.reader
  return yield* Effect.forever(Effect.flatMap(pull, writer.writeAll))
}, Effect.scoped)

const codeOf = (exit: Exit.Exit<unknown, Socket.SocketError>) => {
  const error = Effect.runSync(Effect.flip(exit))
  return error.reason._tag === "SocketCloseError" ? error.reason.code : error.reason._tag
}

/** Runs it until the end of the scope, or until it is interrupted. */
const run = Effect.fnUntraced(function* (
  server: SocketServer.SocketServer["Service"],
  handler: (socket: Socket.Socket) => Effect.Effect<unknown, unknown>
) {
  return yield* Effect.forkScoped(server.run(handler))
})

for (const { client, drained, isText = false, make, name } of ways) {
  describe(`over ${name}`, () => {
    live("a client and a server talk, and the client's end is the server's", () =>
      Effect.gen(function* () {
        const server = yield* make
        yield* run(server, echo)
        const socket = yield* client(portOf(server))
        const scope = yield* Scope.make()
        const { pull } = yield* Scope.provide(socket.reader, scope)
        const { write } = yield* Scope.provide(socket.writer, scope)
        yield* write("hello")
        const frames = yield* pull
        assert.strictEqual(text(frames), "hello")
        assert.strictEqual(typeof frames[0] === "string", isText)
        yield* write(new TextEncoder().encode("bytes"))
        const bytes = yield* pull
        assert.strictEqual(text(bytes), "bytes")
        assert.isTrue(bytes[0] instanceof Uint8Array)
        yield* Scope.close(scope, Exit.void)
      })
    )

    live("an interruption of run finishes what is in hand, tells everybody, and ends", () =>
      Effect.gen(function* () {
        const server = yield* make
        const begun = yield* Semaphore.make(0)
        const go = yield* Semaphore.make(0)
        const fiber = yield* run(
          server,
          Effect.fnUntraced(function* (socket: Socket.Socket) {
            const { write } = yield* socket.writer
            const { pull } = yield* socket.reader
            yield* pull
            yield* begun.release(1)
            yield* go.take(1)
            yield* write("the answer")
          }, Effect.scoped)
        )
        const socket = yield* client(portOf(server))
        const stopping = yield* Effect.scoped(
          Effect.gen(function* () {
            const { pull } = yield* socket.reader
            const { write } = yield* socket.writer
            yield* write("work")
            yield* begun.take(1)
            const stopping = yield* Effect.forkDetach(Fiber.interrupt(fiber), { startImmediately: true })
            yield* go.release(1)
            assert.strictEqual(text(yield* pull), "the answer")
            assert.strictEqual(codeOf(yield* Effect.exit(pull)), drained)
            return stopping
          })
        )
        yield* Fiber.await(stopping)
        const again = yield* client(portOf(server))
        assert.strictEqual(codeOf(yield* Effect.exit(Effect.scoped(again.reader))), "SocketOpenError")
      })
    )

    live("the handler's socket is a connection of Finwait's", () =>
      Effect.gen(function* () {
        const server = yield* make
        yield* run(server, (socket) =>
          Connection.isConnection(socket)
            ? Effect.andThen(socket.write(socket.remoteAddress._tag), ended(socket))
            : Effect.void
        )
        const { pull } = yield* (yield* client(portOf(server))).reader
        assert.strictEqual(text(yield* pull), "Tcp")
      })
    )
  })
}

describe("what a handler finds in its context", () => {
  const found = <A>(tag: Context.Service<any, A>) => Effect.map(Effect.serviceOption(tag), (option) => option._tag)

  for (const { client, make, name } of ways) {
    live(name, () =>
      Effect.gen(function* () {
        const server = yield* make
        yield* run(server, (socket) =>
          Effect.gen(function* () {
            const { write } = yield* socket.writer
            const net = yield* found(NodeSocket.NetSocket as never)
            const webSocket = yield* found(Socket.WebSocket as never)
            const request = yield* Effect.serviceOption(NodeSocketServer.IncomingMessage)
            const url = request._tag === "Some" ? request.value.url : "no request"
            yield* write(`${net} ${webSocket} ${url} ${yield* found(Scope.Scope as never)}`)
            yield* ended(socket)
          }).pipe(Effect.scoped)
        )
        const { pull } = yield* (yield* client(portOf(server))).reader
        assert.strictEqual(
          text(yield* pull),
          name === "WebSocket" ? "None Some /chat Some" : "Some None no request Some"
        )
      })
    )
  }
})

describe("STARTTLS", () => {
  live("both sides go on in TLS, on the connection that they have", () =>
    Effect.gen(function* () {
      const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
      yield* run(
        server,
        Effect.fnUntraced(function* (socket: Socket.Socket) {
          const { write } = yield* socket.writer
          const { pull, upgrade } = yield* socket.reader
          assert.strictEqual(text(yield* pull), "STARTTLS")
          yield* write("GO")
          yield* upgrade({ key, cert })
          yield* write(`secret ${text(yield* pull)}`)
          yield* Effect.exit(pull)
        }, Effect.scoped)
      )
      const socket = yield* NodeSocket.makeNet({ host: "127.0.0.1", port: portOf(server) })
      const { pull, upgrade } = yield* socket.reader
      const { write } = yield* socket.writer
      yield* write("STARTTLS")
      assert.strictEqual(text(yield* pull), "GO")
      yield* upgrade({ ca, servername: "localhost" })
      yield* write("hello")
      assert.strictEqual(text(yield* pull), "secret hello")
      assert.match(String(yield* Effect.flip(upgrade({ ca }))), /upgrade/i)
    })
  )

  live("what is written while hands are shaken leaves in TLS, behind the handshake", () =>
    Effect.gen(function* () {
      const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
      const heard: Array<string> = []
      const all = yield* Semaphore.make(0)
      yield* run(
        server,
        Effect.fnUntraced(function* (socket: Socket.Socket) {
          const { write } = yield* socket.writer
          const { pull, upgrade } = yield* socket.reader
          yield* pull
          yield* write("GO")
          yield* upgrade({ key, cert })
          while (heard.join("") !== "one two") heard.push(text(yield* pull))
          yield* all.release(1)
          yield* Effect.exit(pull)
        }, Effect.scoped)
      )
      const socket = yield* NodeSocket.makeNet({ host: "127.0.0.1", port: portOf(server) })
      const { pull, upgrade } = yield* socket.reader
      const { write } = yield* socket.writer
      yield* write("STARTTLS")
      yield* pull
      const upgrading = yield* Effect.forkChild(upgrade({ ca, servername: "localhost" }), { startImmediately: true })
      yield* Effect.forkChild(write("one "), { startImmediately: true })
      yield* Fiber.join(upgrading)
      yield* write("two")
      yield* all.take(1)
    })
  )

  live("what was injected behind the last plain message ends the handshake", () =>
    Effect.gen(function* () {
      const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
      const outcome = yield* Semaphore.make(0)
      let failed: unknown
      yield* run(
        server,
        Effect.fnUntraced(function* (socket: Socket.Socket) {
          const { write } = yield* socket.writer
          const { pull, upgrade } = yield* socket.reader
          yield* pull
          yield* write("GO")
          failed = yield* Effect.flip(upgrade({ key, cert }))
          yield* outcome.release(1)
        }, Effect.scoped)
      )
      const socket = yield* NodeSocket.makeNet({ host: "127.0.0.1", port: portOf(server) })
      const { pull } = yield* socket.reader
      const { write } = yield* socket.writer
      yield* write("STARTTLS")
      yield* pull
      yield* write("DELETE everything\n".repeat(20))
      yield* outcome.take(1)
      assert.isTrue(Socket.isSocketError(failed))
      assert.strictEqual((failed as Socket.SocketError).reason._tag, "SocketUpgradeError")
    })
  )

  live("a server without a key is told so, and the connection goes on as it is", () =>
    Effect.gen(function* () {
      const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
      yield* run(
        server,
        Effect.fnUntraced(function* (socket: Socket.Socket) {
          const { write } = yield* socket.writer
          const { pull, upgrade } = yield* socket.reader
          yield* pull
          const error = yield* Effect.flip(upgrade())
          yield* write(error.reason._tag === "SocketUpgradeError" ? (error.reason.cause as Error).message : "")
          yield* Effect.exit(pull)
        }, Effect.scoped)
      )
      const socket = yield* NodeSocket.makeNet({ host: "127.0.0.1", port: portOf(server) })
      const { pull } = yield* socket.reader
      const { write } = yield* socket.writer
      yield* write("STARTTLS")
      assert.strictEqual(text(yield* pull), "a server needs a key and its certificate")
    })
  )
})

describe("what cannot be", () => {
  live("a certificate that is not trusted says so", () =>
    Effect.gen(function* () {
      const server = yield* NodeSocketServer.makeTls({ host: "127.0.0.1", port: 0, ...pem })
      yield* run(server, echo)
      const socket = yield* NodeSocket.makeTls({ host: "127.0.0.1", port: portOf(server) })
      const { reason } = yield* Effect.flip(Effect.scoped(socket.reader))
      assert.isTrue(reason._tag === "SocketOpenError" && reason.cause instanceof NetworkError)
      const cause = (reason as { cause: unknown }).cause as NetworkError
      assert.isTrue(cause.reason instanceof HandshakeFailed)
      assert.match(cause.message, /^connect tcp 127\.0\.0\.1:\d+: the handshake failed: .*UNABLE_TO_VERIFY/)
    })
  )

  live("a key of another certificate cannot be served with", () =>
    Effect.gen(function* () {
      const other = Redacted.value(identity("other").key) as string
      const { reason } = yield* Effect.flip(NodeSocketServer.makeTls({ port: 0, cert: pem.cert, key: other }))
      assert.strictEqual(reason._tag, "SocketServerOpenError")
      assert.match(String(reason.cause), /the certificate is not of this key/)
    })
  )

  live("nor with a key of another kind, with no certificate, or with what is neither", () =>
    Effect.gen(function* () {
      const problem = (options: object) =>
        Effect.map(Effect.flip(NodeSocketServer.makeTls({ port: 0, ...options })), ({ reason }) => String(reason.cause))
      const stranger = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }) as string
      assert.match(yield* problem({ cert: pem.cert, key: stranger }), /the certificate is not of this key/)
      assert.match(yield* problem({}), /a TLS server needs a certificate: key and cert, or pfx, or SNICallback/)
      assert.match(yield* problem({ cert: "nonsense", key: pem.key }), /the cert cannot be used: /)
      assert.match(yield* problem({ cert: pem.cert, key: "/etc/tls.key" }), /the key cannot be used: /)
    })
  )

  live("an option out of its range is a mistake, and a port that is none cannot be listened on", () =>
    Effect.gen(function* () {
      const mistake = (options: object) =>
        Effect.map(Effect.exit(NodeSocketServer.makeTls({ port: 0, ...pem, ...options })), (exit) =>
          Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "listens"
        )
      assert.strictEqual(
        yield* mistake({ handshakeTimeout: -4 }),
        "RangeError: handshakeTimeout must be a duration of at least 0, not -4"
      )
      assert.strictEqual(
        yield* mistake({ handshakeGrace: NaN }),
        "RangeError: handshakeGrace must be a duration of at least 0, not NaN"
      )
      assert.strictEqual(
        yield* mistake({ truncation: "bogus" }),
        "RangeError: truncation must be 'framed' or 'error' or 'end', not 'bogus'"
      )
      const { reason } = yield* Effect.flip(NodeSocketServer.make({ host: "127.0.0.1", port: 70_990 }))
      assert.match(String(reason.cause), /listen tcp 127\.0\.0\.1:70990: ERR_SOCKET_BAD_PORT: /)
    })
  )

  live("a WebSocket server needs somewhere to listen", () =>
    Effect.gen(function* () {
      const { reason } = yield* Effect.flip(NodeSocketServer.makeWebSocket({ noServer: true }))
      assert.match(String(reason.cause), /needs a port/)
    })
  )

  live("a text that is no URL is not dialled", () =>
    Effect.gen(function* () {
      const socket = yield* NodeSocket.makeWebSocket("nonsense")
      const { reason } = yield* Effect.flip(Effect.scoped(socket.reader))
      assert.strictEqual(reason._tag, "SocketOpenError")
    })
  )
})
