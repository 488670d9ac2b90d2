/** The upgrade to TLS in place, in what `NodeSocketServer.test.ts` does not look at: how it fails, and what follows it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import type { Connection } from "finwait/Connection"
import * as Network from "finwait/Network"
import * as Transport from "finwait/Transport"
import * as Tls from "node:tls"
import type * as Net from "node:net"
import { ca, identity } from "./support/certificates.ts"
import { openSockets, rawListener, real, turn, until } from "./support/network.ts"

const { cert, key } = identity("server")

/** A connection that is dialled, and a peer on Node's own sockets. */
const connected = Effect.gen(function* () {
  const listener = yield* rawListener()
  const connection = yield* Network.connect(listener.url)
  return { connection, peer: yield* listener.next }
})

/** The peer's side of the handshake. */
const serves = (peer: Net.Socket) => {
  const server = Tls.createServer({ cert: cert as string, key: Redacted.value(key) as string })
  const secure = Effect.callback<Tls.TLSSocket>((resume) => {
    server.once("secureConnection", (tls) => resume(Effect.succeed(tls.on("error", () => {}))))
  })
  server.on("tlsClientError", () => {})
  server.emit("connection", peer)
  return secure
}

/** What a pipe tells of its end, with the reader that it has. */
const watched = (connection: Connection) => {
  const told: Array<string> = []
  const receiver = connection as never as Transport.Receiver
  Transport.of(connection).attach({
    onData: (bytes) => receiver.onData(bytes),
    onEnd: (end) => {
      told.push("end")
      receiver.onEnd(end)
    },
    onWritable: () => receiver.onWritable(),
    onFlushed: () => receiver.onFlushed(),
    onBroken: (code) => {
      told.push(code)
      receiver.onBroken(code)
    },
    onReleased: () => {
      told.push("released")
      receiver.onReleased()
    }
  })
  return told
}

const upgraded = (connection: Connection) =>
  Effect.flatMap(connection.reader, ({ upgrade }) => upgrade({ ca, servername: "localhost" }))

describe("an upgrade", () => {
  it.live("that has succeeded: a reset is a reset, told once", () =>
    real(
      Effect.gen(function* () {
        const { connection, peer } = yield* connected
        const told = watched(connection)
        const secure = yield* Effect.forkChild(serves(peer), { startImmediately: true })
        yield* upgraded(connection)
        yield* Fiber.join(secure)
        const reading = yield* Effect.forkChild(Effect.flip(connection.pull), { startImmediately: true })
        yield* turn
        peer.resetAndDestroy()
        const error = yield* Fiber.join(reading)
        assert.strictEqual("reason" in error && error.reason._tag === "Reset" && error.reason.code, "ECONNRESET")
        yield* until(() => told.includes("released"), "it is given back")
        assert.deepStrictEqual(told, ["ECONNRESET", "released"])
        const outcome = yield* connection.close
        assert.strictEqual(outcome._tag === "ResetByPeer" && outcome.code, "ECONNRESET")
      })
    )
  )

  it.live("that fails breaks the connection, once, whoever ends it", () =>
    real(
      Effect.gen(function* () {
        const before = openSockets()
        for (const end of [
          (peer: Net.Socket) => peer.end(),
          (peer: Net.Socket) => peer.resetAndDestroy(),
          (peer: Net.Socket) => peer.write("no TLS here\n".repeat(20))
        ]) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const { connection, peer } = yield* connected
              const told = watched(connection)
              peer.once("data", () => end(peer))
              const { reason } = yield* Effect.flip(upgraded(connection))
              assert.strictEqual(reason._tag, "SocketUpgradeError")
              yield* until(() => told.includes("released"), "it is given back")
              assert.deepStrictEqual(told, ["ERR_TLS_HANDSHAKE", "released"])
            })
          )
        }
        yield* until(() => openSockets() === before, "all sockets are closed")
      })
    )
  )

  it.live("that is interrupted breaks the connection, and leaves nothing", () =>
    real(
      Effect.gen(function* () {
        const before = openSockets()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { connection, peer } = yield* connected
            const told = watched(connection)
            let hello = 0
            peer.on("data", (bytes) => (hello += bytes.length))
            const upgrading = yield* Effect.forkChild(upgraded(connection), { startImmediately: true })
            yield* until(() => hello > 0, "the client says hello")
            yield* Fiber.interrupt(upgrading)
            yield* until(() => told.includes("released"), "it is given back")
            assert.deepStrictEqual(told, ["ERR_TLS_HANDSHAKE", "released"])
          })
        )
        yield* until(() => openSockets() === before, "all sockets are closed")
      })
    )
  )

  it.live("with credentials that are none leaves the connection as it is", () =>
    real(
      Effect.gen(function* () {
        const { connection, peer } = yield* connected
        const bad = { key: Redacted.make("no key"), cert: "no certificate" }
        const { reason } = yield* Effect.flip(Effect.flatMap(connection.reader, ({ upgrade }) => upgrade(bad)))
        assert.strictEqual(reason._tag, "SocketUpgradeError")
        peer.end("plain")
        assert.strictEqual(new TextDecoder().decode(yield* connection.pull), "plain")
      })
    )
  )
})
