import { assert, describe, it } from "@effect/vitest"
import * as NodeSocket from "@finwait/node/NodeSocket"
import * as NodeTls from "@finwait/node/NodeTls"
import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import type { Connection } from "finwait/Connection"
import * as Network from "finwait/Network"
import { HandshakeFailed, NetworkError } from "finwait/NetworkError"
import { ca } from "./support/certificates.ts"
import { dial, openSockets, serve, until } from "./support/network.ts"
import { halfHello, options, tlsClient, versions } from "./support/tls.ts"
import { client, request } from "./support/webSocket.ts"

const echo = (connection: Connection) => NodeWebSocket.each(connection, (message) => connection.write(message))

/** Runs on WebSockets over TLS, and leaves no socket. */
const secure = <A, E>(
  program: Effect.Effect<A, E, Network.Network | Scope.Scope>,
  tls: NodeTls.Options = options()
): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    const before = openSockets()
    yield* program.pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(NodeWebSocket.layer({}, NodeTls.provider(tls)), Logger.layer([])))
    )
    yield* until(() => openSockets() === before, "all sockets are closed")
  })

const wss = (url: string) => url.replace("tcp:", "wss:")

for (const version of versions) {
  for (const truncation of ["framed", "end"] as const) {
    const chosen = options(version, { truncation })

    describe(`WebSockets over ${version}, truncation "${truncation}"`, () => {
      it.live("bytes and text go both ways, and both close gracefully", () =>
        secure(
          Effect.gen(function* () {
            const server = yield* serve("tcp://127.0.0.1:0", { handler: echo })
            const socket = yield* Network.connect(server.url)
            const large = new Uint8Array(300_000).fill(7)
            for (const message of ["hello", "ä€", large]) {
              yield* socket.write(message)
              const chunk = yield* socket.pull
              assert.deepStrictEqual(typeof message === "string" ? new TextDecoder().decode(chunk) : chunk, message)
            }
            assert.strictEqual((yield* socket.close)._tag, "Graceful")
          }),
          chosen
        )
      )

      it.live("a drain says 1001 to a client of ws, behind its last answer", () =>
        secure(
          Effect.gen(function* () {
            const scope = yield* Scope.make()
            const server = yield* Scope.provide(serve("tcp://127.0.0.1:0", { handler: echo }), scope)
            const peer = yield* client(wss(server.url), [], { ca })
            assert.isTrue(peer.opened, String(peer.error))
            peer.socket.send("hello")
            yield* until(() => peer.messages.length > 0, "the answer")
            peer.socket.send("in hand")
            yield* Scope.close(scope, Exit.void)
            yield* until(() => peer.closed !== undefined, "the end")
            assert.strictEqual(peer.closed, "1001 going away")
            assert.deepStrictEqual(peer.messages.slice(0, 1), ["hello"])
            assert.isTrue((yield* server.drain.report).clean)
          }),
          chosen
        )
      )
    })
  }
}

describe("who is in the middle of something at a drain", () => {
  it.live("silent, in the handshake, in the request: all go in time, and one who is served is told", () =>
    secure(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const server = yield* Scope.provide(serve("tcp://127.0.0.1:0", { handler: echo }), scope)
        const silent = yield* dial(server.url)
        const stuck = yield* dial(server.url)
        yield* Effect.promise(() => stuck.send(halfHello))
        const mute = yield* tlsClient(server.url)
        const half = yield* tlsClient(server.url)
        yield* half.send(request().slice(0, 40))
        const peer = yield* client(wss(server.url), [], { ca })
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
        assert.strictEqual(yield* Effect.promise(() => silent.ended()), "FIN")
        assert.strictEqual(yield* mute.ended, "end")
        assert.strictEqual(yield* Effect.promise(() => stuck.ended()), "ECONNRESET")
        yield* half.ended
        yield* until(() => peer.closed !== undefined, "the end")
        assert.strictEqual(peer.closed, "1001 going away")
        yield* Fiber.join(closing)
        const report = yield* server.drain.report
        assert.isTrue(report.clean)
        assert.strictEqual(report.connections, 1)
        assert.isBelow(report.durationMillis, 5_000)
      }),
      options(undefined, { handshakeGrace: "300 millis" })
    )
  )
})

describe("NodeSocket.makeWebSocket, wss:", () => {
  it.live("talks to a server of Finwait's, and hears 1001 when it drains", () =>
    secure(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const server = yield* Scope.provide(serve("tcp://127.0.0.1:0", { handler: echo }), scope)
        const socket = yield* NodeSocket.makeWebSocket(wss(server.url), { tls: { ca } })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { pull } = yield* socket.reader
            const { write } = yield* socket.writer
            yield* write("hello")
            assert.deepStrictEqual([...(yield* pull)], ["hello"])
            const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
            const { reason } = yield* Effect.flip(pull)
            assert.strictEqual(reason._tag === "SocketCloseError" && reason.code, 1001)
            yield* Fiber.join(closing)
          })
        )
      })
    )
  )

  it.live("trusts nobody whom it is not told to trust", () =>
    secure(
      Effect.gen(function* () {
        const server = yield* serve("tcp://127.0.0.1:0", { handler: echo })
        const socket = yield* NodeSocket.makeWebSocket(wss(server.url))
        const { reason } = yield* Effect.flip(Effect.scoped(socket.reader))
        assert.strictEqual(reason._tag, "SocketOpenError")
        const { cause } = reason as { readonly cause: unknown }
        assert.isTrue(cause instanceof NetworkError && cause.reason instanceof HandshakeFailed, String(cause))
      })
    )
  )
})
