import { assert, describe, it } from "@effect/vitest"
import * as NodeSocketServer from "@finwait/node/NodeSocketServer"
import * as NodeTls from "@finwait/node/NodeTls"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Network from "finwait/Network"
import type { NetworkError } from "finwait/NetworkError"
import type * as net from "node:net"
import type { RawClient } from "../../../test/tools/RawClient.ts"
import { ca, identity } from "./support/certificates.ts"
import { dial, openSockets, rawListener, real, serve, turn, until } from "./support/network.ts"
import { halfHello, only, onTls, options, tlsClient } from "./support/tls.ts"
import { wire } from "./support/tlsWire.ts"

/** A client says a word and has it back. */
const exchange = Effect.fnUntraced(function* (url: string) {
  const peer = yield* tlsClient(url)
  yield* peer.send("hello")
  yield* peer.hears("hello")
  return peer
})

const half = Effect.fnUntraced(function* (url: string) {
  const client = yield* dial(url)
  yield* Effect.promise(() => client.send(halfHello))
  return client
})

const reasonOf = <A, R>(connecting: Effect.Effect<A, NetworkError, R>) =>
  Effect.map(Effect.flip(connecting), ({ message, reason }) => ({
    message,
    tag: reason._tag,
    code: "code" in reason ? reason.code : ""
  }))

describe("a handshake takes no longer than handshakeTimeout", () => {
  it.live("silent, half done, or a byte at a time: gone, and others are served", () =>
    onTls(
      Effect.gen(function* () {
        const server = yield* serve("tcp://127.0.0.1:0")
        const begin = performance.now()
        const silent = yield* dial(server.url)
        const stuck = yield* half(server.url)
        const slow = yield* dial(server.url)
        const drip = yield* Effect.forkChild(
          Effect.gen(function* () {
            for (let at = 0; slow.ending === undefined; at++) {
              slow.socket.write(Uint8Array.of(halfHello[at] ?? 0))
              yield* Effect.repeat(turn, { times: 20 })
            }
          })
        )
        yield* exchange(server.url)
        assert.strictEqual(yield* Effect.promise(() => silent.ended()), "FIN")
        assert.isAtLeast(performance.now() - begin, 295)
        assert.strictEqual(yield* Effect.promise(() => stuck.ended()), "ECONNRESET")
        assert.match(yield* Effect.promise(() => slow.ended()), /^(ECONNRESET|EPIPE)$/)
        assert.isBelow(performance.now() - begin, 3_000)
        yield* Fiber.join(drip)
        yield* exchange(server.url)
      }),
      options(undefined, { handshakeTimeout: "300 millis" })
    )
  )

  it.live("by a client whose server does not answer, and no socket is left", () =>
    onTls(
      Effect.gen(function* () {
        const silent = yield* rawListener()
        const before = openSockets()
        const { message, tag } = yield* reasonOf(Network.connect(silent.url))
        assert.strictEqual(tag, "SystemFailure")
        assert.match(message, /^connect tcp 127\.0\.0\.1:\d+: ETIMEDOUT: no handshake within handshakeTimeout 200 ms$/)
        const peer = yield* silent.next
        peer.destroy()
        yield* until(() => openSockets() === before, "all sockets are closed")
      }),
      options(undefined, { handshakeTimeout: "200 millis" })
    )
  )
})

describe("a drain", () => {
  it.live("sends who is silent away at once, who is half done after the grace, and serves everybody else", () =>
    onTls(
      Effect.gen(function* () {
        const before = openSockets()
        const scope = yield* Scope.make()
        const server = yield* Scope.provide(serve("tcp://127.0.0.1:0"), scope)
        const silent: Array<RawClient> = []
        const stuck: Array<RawClient> = []
        const served = []
        for (let i = 0; i < 10; i++) {
          silent.push(yield* dial(server.url))
          stuck.push(yield* half(server.url))
          served.push(yield* exchange(server.url))
        }
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
        yield* until(() => silent.every(({ ending }) => ending !== undefined), "the silent ones are sent away")
        assert.deepStrictEqual(new Set(silent.map(({ ending }) => ending)), new Set(["FIN"]))
        assert.isTrue(stuck.every(({ ending }) => ending === undefined))
        for (const peer of served) assert.strictEqual(yield* peer.ended, "end")
        for (const client of stuck) assert.strictEqual(yield* Effect.promise(() => client.ended()), "ECONNRESET")
        yield* Fiber.join(closing)
        const report = yield* server.drain.report
        assert.isTrue(report.clean)
        assert.strictEqual(report.connections, 10)
        assert.strictEqual(report.outcomes.Graceful, 10)
        assert.isAtLeast(report.durationMillis, 390)
        assert.isBelow(report.durationMillis, 2_000)
        for (const { socket } of [...served, ...silent, ...stuck]) socket.destroy()
        yield* until(() => openSockets() === before, "all sockets are closed")
      }),
      options(undefined, { handshakeGrace: "400 millis" })
    )
  )

  it.live("serves a client that is in the middle of its handshake, if it goes on within the grace", () =>
    onTls(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const server = yield* Scope.provide(serve("tcp://127.0.0.1:0", { handler: (c) => c.write("served") }), scope)
        const { last, url } = yield* wire(server.url, ({ fromServer }) => {
          fromServer.isHeld = true
        })
        const connecting = yield* Effect.forkChild(tlsClient(url), { startImmediately: true })
        const { fromServer } = yield* last
        yield* until(() => fromServer.records.length > 0, "the server has answered, and nobody hears it")
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
        // The listening socket is gone when nobody can connect any more.
        yield* Effect.gen(function* () {
          while ((yield* Effect.exit(Effect.scoped(Network.connect(server.url))))._tag === "Success") yield* turn
        })
        fromServer.letGo()
        const peer = yield* Fiber.join(connecting)
        assert.strictEqual(yield* peer.ended, "end")
        assert.strictEqual(peer.text, "served")
        yield* Fiber.join(closing)
        assert.isTrue((yield* server.drain.report).clean)
      }),
      options(undefined, { handshakeGrace: "10 seconds" })
    )
  )

  it.live("hands the backlog over: 100 clients that have connected and not been accepted are served", () =>
    onTls(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const server = yield* Scope.provide(serve("tcp://127.0.0.1:0", { handler: (c) => c.write("served") }), scope)
        const connecting = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 100 }, () => tlsClient(server.url)),
            { concurrency: "unbounded" }
          ),
          { startImmediately: true }
        )
        yield* Scope.close(scope, Exit.void)
        const peers = yield* Fiber.join(connecting)
        for (const peer of peers) assert.strictEqual(`${yield* peer.ended} ${peer.text}`, "end served")
        const report = yield* server.drain.report
        assert.isTrue(report.clean)
        assert.strictEqual(report.connections, 100)
      }),
      options(undefined, { handshakeGrace: "10 seconds" })
    )
  )

  it.live("is held up by no handshake when there is no more time", () =>
    onTls(
      Effect.gen(function* () {
        const server = yield* serve("tcp://127.0.0.1:0")
        const stuck = yield* half(server.url)
        const drain = yield* Effect.forkChild(server.drain.begin, { startImmediately: true })
        yield* Effect.repeat(turn, { times: 10 })
        yield* server.drain.cut
        const report = yield* Fiber.join(drain)
        assert.isBelow(report.durationMillis, 2_000)
        assert.strictEqual(yield* Effect.promise(() => stuck.ended()), "ECONNRESET")
      }),
      options(undefined, { handshakeGrace: "1 hour" })
    )
  )
})

for (const truncation of ["framed", "end"] as const) {
  const chosen = options(undefined, { truncation, handshakeTimeout: "1 hour", handshakeGrace: "1 hour" })

  describe(`what is not a handshake, truncation "${truncation}"`, () => {
    it.live("plain text on a port that speaks TLS ends that connection and nothing else", () =>
      onTls(
        Effect.gen(function* () {
          const before = openSockets()
          yield* Effect.scoped(
            Effect.gen(function* () {
              const server = yield* serve("tcp://127.0.0.1:0")
              for (const words of [
                "GET / HTTP/1.0\r\n\r\n",
                "\0".repeat(100),
                "\x16\x03\x01\x00\x00",
                "\x80\x2e\x01"
              ]) {
                const client = yield* dial(server.url)
                client.socket.end(words)
                yield* Effect.promise(() => client.ended())
              }
              yield* exchange(server.url)
            })
          )
          yield* until(() => openSockets() === before, "all sockets are closed")
        }),
        chosen
      )
    )

    it.live("a server that speaks no TLS is told from one that does", () =>
      Effect.gen(function* () {
        const url = yield* Effect.map(serve("tcp://127.0.0.1:0"), (server) => server.url)
        const { message, tag } = yield* reasonOf(
          Effect.provide(Network.connect(url), NodeTls.layer(chosen)) as ReturnType<typeof Network.connect>
        )
        assert.strictEqual(tag, "HandshakeFailed")
        assert.match(message, /^connect tcp 127\.0\.0\.1:\d+: the handshake failed: [a-z ]+ \(ERR_SSL_\w+\)$/)
      }).pipe(real)
    )

    for (const [how, end] of [
      ["FIN", (socket: net.Socket) => socket.end()],
      ["a reset", (socket: net.Socket) => socket.resetAndDestroy()]
    ] as const) {
      it.live(`a server that answers with ${how} has failed the handshake`, () =>
        onTls(
          Effect.gen(function* () {
            const rude = yield* rawListener()
            const before = openSockets()
            for (let i = 0; i < 20; i++) {
              const dialling = yield* Effect.forkChild(reasonOf(Effect.scoped(Network.connect(rude.url))), {
                startImmediately: true
              })
              const peer = yield* rude.next
              let hello = 0
              peer.on("data", (bytes) => (hello += bytes.length))
              // On the first of its bytes, and before any.
              if (i % 2 === 0) yield* until(() => hello > 0, "the client says hello")
              end(peer)
              const reason = yield* Fiber.join(dialling)
              assert.strictEqual(reason.code, "ECONNRESET")
              // A reset that comes before anything else is heard by the dial itself.
              if (i % 2 === 0 || how === "FIN") assert.strictEqual(reason.tag, "HandshakeFailed")
              peer.destroy()
            }
            yield* until(() => openSockets() === before, "all sockets are closed")
          }),
          chosen
        )
      )
    }

    it.live("clients that reset, or end, at whatever point of it, leave nothing and disturb nobody", () =>
      onTls(
        Effect.gen(function* () {
          const before = openSockets()
          yield* Effect.scoped(
            Effect.gen(function* () {
              const server = yield* serve("tcp://127.0.0.1:0")
              // What a real client says, to say a part of it.
              const listener = yield* rawListener()
              const hello = yield* Effect.gen(function* () {
                const dialling = yield* Effect.forkChild(Effect.scoped(Network.connect(listener.url)), {
                  startImmediately: true
                })
                const peer = yield* listener.next
                let bytes: Buffer | undefined
                peer.on("data", (chunk) => (bytes = chunk))
                yield* until(() => bytes !== undefined, "the client says hello")
                yield* Fiber.interrupt(dialling)
                return bytes!
              })
              for (let i = 0; i < 60; i++) {
                const client = yield* dial(server.url)
                // From one byte to all of it, and then the server answers into a connection that is gone.
                yield* Effect.promise(() => client.send(hello.subarray(0, Math.ceil((hello.length * (i + 1)) / 60))))
                yield* Effect.repeat(turn, { times: i % 4 })
                if (i % 3 === 0) client.socket.resetAndDestroy()
                else if (i % 3 === 1) client.socket.destroy()
                else client.socket.end()
              }
              yield* exchange(server.url)
              assert.strictEqual(yield* server.connections, 1)
            })
          )
          yield* until(() => openSockets() === before, "all sockets are closed")
        }),
        chosen
      )
    )
  })
}

describe("an interruption of connect", () => {
  it.live("in the handshake leaves no socket", () =>
    onTls(
      Effect.gen(function* () {
        const silent = yield* rawListener()
        const before = openSockets()
        const dialling = yield* Effect.forkChild(Effect.scoped(Network.connect(silent.url)), { startImmediately: true })
        const peer = yield* silent.next
        let hello = 0
        let end: string | undefined
        peer.on("data", (bytes) => (hello += bytes.length))
        peer.on("error", (error: NodeJS.ErrnoException) => (end = error.code)).on("end", () => (end = "FIN"))
        yield* until(() => hello > 0, "the client says hello")
        yield* Fiber.interrupt(dialling)
        yield* until(() => end !== undefined, "the peer hears of it")
        assert.strictEqual(end, "ECONNRESET")
        peer.destroy()
        yield* until(() => openSockets() === before, "all sockets are closed")
      })
    )
  )

  it.live("at any turn of it leaves no socket: 60 of 60", () =>
    onTls(
      Effect.gen(function* () {
        const before = openSockets()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const server = yield* serve("tcp://127.0.0.1:0")
            let connected = 0
            for (let i = 0; i < 60; i++) {
              const dialling = yield* Effect.forkChild(Effect.scoped(Network.connect(server.url)), {
                startImmediately: true
              })
              yield* Effect.repeat(turn, { times: i % 12 })
              if ((yield* Effect.andThen(Fiber.interrupt(dialling), Fiber.await(dialling)))._tag === "Success")
                connected++
            }
            // Otherwise nothing was interrupted, or nothing was ever there to be lost.
            assert.isBelow(connected, 60)
          })
        )
        yield* until(() => openSockets() === before, "all sockets are closed")
      })
    )
  )
})

describe("what cannot be dialled, or listened on, says so", () => {
  const dialled = (client: NodeTls.ClientOptions, server: Partial<NodeTls.ServerOptions> = {}) =>
    Effect.gen(function* () {
      const { url } = yield* serve("tcp://127.0.0.1:0")
      const network = Network.make(NodeTls.provider({ client }))
      return yield* reasonOf(network.connect(url))
    }).pipe((program) => onTls(program, options(undefined, { server: { identity: identity("server"), ...server } })))

  it.live("nobody listens there", () =>
    onTls(
      Effect.gen(function* () {
        const { close, url } = yield* rawListener()
        close()
        yield* turn
        assert.strictEqual((yield* reasonOf(Network.connect(url))).tag, "Refused")
      })
    )
  )

  it.live("a certificate that nobody trusts", () =>
    Effect.gen(function* () {
      const { message, tag } = yield* dialled({})
      assert.strictEqual(tag, "HandshakeFailed")
      assert.match(
        message,
        /^connect tcp 127\.0\.0\.1:\d+: the handshake failed: .* \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)$/
      )
    })
  )

  it.live("a certificate of somebody else", () =>
    Effect.gen(function* () {
      const { code, tag } = yield* dialled({ ca, servername: "elsewhere.test" })
      assert.strictEqual(`${tag} ${code}`, "HandshakeFailed ERR_TLS_CERT_ALTNAME_INVALID")
    })
  )

  it.live("no version in common", () =>
    Effect.gen(function* () {
      const { code, tag } = yield* dialled({ ca, ...only("TLSv1.2") }, only("TLSv1.3"))
      assert.strictEqual(tag, "HandshakeFailed")
      assert.match(code, /ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION/)
    })
  )

  it.live("with verify false any certificate is taken", () =>
    onTls(
      Effect.gen(function* () {
        const { url } = yield* serve("tcp://127.0.0.1:0")
        const network = Network.make(NodeTls.provider({ client: { verify: false, servername: "elsewhere.test" } }))
        const client = yield* network.connect(url)
        yield* client.write("hello")
        assert.strictEqual(new TextDecoder().decode(yield* client.pull), "hello")
      })
    )
  )

  const listening = (server: NodeTls.ServerOptions | undefined) =>
    Effect.scoped(reasonOf(Network.make(NodeTls.provider({ server })).listen("tcp://127.0.0.1:0")))

  for (const [what, server, expected] of [
    ["no options for a server", undefined, /ERR_TLS_IDENTITY: NodeTls\.Options\.server is left out/],
    [
      "a key of another certificate",
      { identity: { ...identity("server"), key: identity("other").key } },
      /ERR_TLS_IDENTITY: the certificate is not of this key/
    ],
    ["a certificate that is empty", { identity: { ...identity("server"), cert: "" } }, /NO_START_LINE/],
    ["a key that is empty", { identity: { ...identity("server"), key: Redacted.make("") } }, /ERR_OSSL_/],
    [
      "a key that is none",
      { identity: { ...identity("server"), key: Redacted.make("nonsense") } },
      /SystemFailure|ERR_/
    ],
    [
      "a name whose certificate cannot be used",
      { identity: identity("server"), identities: { "other.test": { ...identity("other"), cert: "nonsense" } } },
      /ERR_/
    ],
    ["a stream of no identity", { identity: Stream.empty }, /ended before its first/],
    ["a stream that fails", { identity: Stream.fail(new Error("no such secret")) }, /no such secret/]
  ] as const) {
    it.live(what, () =>
      Effect.gen(function* () {
        const before = openSockets()
        const { message, tag } = yield* listening(server)
        assert.strictEqual(tag, "SystemFailure")
        assert.match(message, /^listen tcp 127\.0\.0\.1:0: /)
        assert.match(message, expected)
        yield* until(() => openSockets() === before, "nothing listens")
      })
    )
  }

  it.live("an address that is taken, by whatever it speaks", () =>
    Effect.gen(function* () {
      const taken = yield* rawListener()
      const { tag } = yield* reasonOf(Network.make(NodeTls.provider(options())).listen(taken.url))
      assert.strictEqual(tag, "AddressInUse")
    }).pipe(Effect.scoped)
  )
})

describe("STARTTLS", () => {
  it.live("a client that ends in the middle of the handshake is gone at once", () =>
    Effect.gen(function* () {
      const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
      const { cert, key } = identity("server")
      let failed: Error | undefined
      yield* Effect.forkChild(
        server.run(
          Effect.fnUntraced(function* (socket) {
            const { pull, upgrade } = yield* socket.reader
            yield* pull
            failed = yield* Effect.flip(upgrade({ key, cert }))
          }, Effect.scoped)
        )
      )
      const begin = performance.now()
      const client = yield* dial(`tcp://127.0.0.1:${"port" in server.address ? server.address.port : 0}`)
      yield* Effect.promise(() => client.send("STARTTLS"))
      yield* Effect.repeat(turn, { times: 5 })
      client.socket.end(halfHello)
      yield* until(() => failed !== undefined, "the upgrade fails")
      assert.match(String(failed), /upgrade/i)
      assert.isBelow(performance.now() - begin, 3_000)
      yield* Effect.promise(() => client.ended())
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
  )
})
