/** Before a connection is a WebSocket: upgrades, and everything else that comes in their place. */
import { assert, describe, it } from "@effect/vitest"
import * as NodeTls from "@finwait/node/NodeTls"
import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import { createServer, request as httpRequest } from "node:http"
import type { AddressInfo } from "node:net"
import { connect, type TLSSocket } from "node:tls"
import { WebSocketServer } from "ws"
import { listenWebSocket } from "../src/internal/webSocketListen.ts"
import { webSocketSettings } from "../src/internal/webSocketSettings.ts"
import { ca, identity } from "./support/certificates.ts"
import { echo, openSockets, rawListener, serve as serveOn, until } from "./support/network.ts"
import { client, connected, handMade, onWebSockets, request } from "./support/webSocket.ts"

const serve = (options: Partial<Server.Options<any, never>> = {}) => serveOn("tcp://127.0.0.1:0", options)

/** The first line of the answer to what is sent, and how the connection ends then. */
const answer = Effect.fnUntraced(function* (url: string, sent: string) {
  const peer = yield* connected(url)
  yield* Effect.promise(() => peer.send(sent))
  const ending = yield* Effect.promise(() => peer.ended())
  return `${peer.text.split("\r\n")[0]}, ${ending}`
})

describe("a request that is no upgrade", () => {
  it.live("gets 426, and its connection ends", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { connections, drain, url } = yield* serve()
        const required = "HTTP/1.1 426 Upgrade Required, FIN"
        assert.strictEqual(yield* answer(url, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), required)
        // Two at once: the first is answered, and that is the end.
        assert.strictEqual(yield* answer(url, "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2)), required)
        assert.strictEqual(yield* connections, 0)
        // Nobody is left who would have to be waited for.
        assert.isBelow((yield* drain.begin).durationMillis, 1000)
      }),
      { handshakeGrace: "2 seconds" }
    )
  )

  it.live("gets it although it brings a body, once that has been read", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { url } = yield* serve()
        // More than the system takes: closed in the middle of it, a connection is reset.
        const body = "x".repeat(30_000_000)
        const upload = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`
        assert.strictEqual(yield* answer(url, upload), "HTTP/1.1 426 Upgrade Required, FIN")
      })
    )
  )

  it.live("or no request at all, gets 400", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { url } = yield* serve()
        assert.match(yield* answer(url, "hello\r\n\r\n"), /^HTTP\/1.1 400 Bad Request, /)
        assert.match(yield* answer(url, request().replace("Version: 13", "Version: 7")), /^HTTP\/1.1 400 Bad Request, /)
      })
    )
  )
})

describe("an upgrade", () => {
  it.live("of another path, or that is turned down, is answered so, and none is served", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { connections, url } = yield* serve()
        assert.strictEqual(yield* answer(url, request("/other")), "HTTP/1.1 400 Bad Request, FIN")
        assert.strictEqual(yield* answer(url, request("/chat")), "HTTP/1.1 401 Unauthorized, FIN")
        assert.strictEqual(yield* answer(url, request("/chat", "X-Who: you\r\n")), "HTTP/1.1 403 Forbidden, FIN")
        const peer = yield* client(`${url}/chat`, [], { headers: { "X-Who": "me" } })
        assert.isTrue(peer.opened)
        yield* until(() => Effect.runSync(connections) === 1, "it is served")
      }),
      {
        path: "/chat",
        verifyClient: ({ req }, callback) => {
          const who = req.headers["x-who"]
          setImmediate(() => callback(who === "me", who === undefined ? undefined : 403))
        }
      }
    )
  )

  it.live("together with the first messages loses none of them", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { url } = yield* serve({ handler: echo })
        const peer = yield* connected(url)
        const hello = Buffer.from([0x81, 0x85, 0, 0, 0, 0, ...Buffer.from("hello")])
        yield* Effect.promise(() => peer.send(Buffer.concat([Buffer.from(request()), hello, hello])))
        yield* Effect.promise(() => peer.hears("hello\u0082\u0005hello".slice(0, 5)))
        yield* until(() => peer.text.split("hello").length === 3, "both are answered")
      })
    )
  )
})

describe("whoever connects and does not ask", () => {
  it.live("is closed at once by a drain when it has not said a word, with FIN", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { drain, url } = yield* serve()
        const peers = yield* Effect.replicateEffect(connected(url), 100)
        const report = yield* drain.begin
        assert.isBelow(report.durationMillis, 1000)
        assert.isTrue(report.clean)
        for (const peer of peers) assert.strictEqual(yield* Effect.promise(() => peer.ended()), "FIN")
      })
    )
  )

  it.live("is closed at once as well when it has shaken hands with the TLS below, and no more", () =>
    Effect.gen(function* () {
      const { drain, url } = yield* serve()
      const peer = yield* Effect.acquireRelease(
        Effect.callback<TLSSocket>((resume) => {
          const options = { host: "127.0.0.1", port: Number(new URL(url).port), ca, servername: "localhost" }
          const socket = connect(options, () => resume(Effect.succeed(socket)))
        }),
        (socket) => Effect.sync(() => socket.destroy())
      )
      let ending = ""
      peer.on("end", () => (ending = "end")).on("error", ({ message }) => (ending = message))
      peer.resume()
      const report = yield* drain.begin
      assert.isBelow(report.durationMillis, 1000)
      yield* until(() => ending !== "", "its end")
      assert.strictEqual(ending, "end")
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.merge(
          NodeWebSocket.layer(
            { handshakeGrace: "2 seconds" },
            NodeTls.provider({ server: { identity: identity("server") } })
          ),
          Logger.layer([])
        )
      )
    )
  )

  it.live("has the grace to go on when it has begun, and is served if it does", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { drain, url } = yield* serve()
        const [quick, slow] = [yield* connected(url), yield* connected(url)]
        for (const peer of [quick, slow]) yield* Effect.promise(() => peer.send(request().slice(0, 20)))
        const draining = yield* Effect.forkChild(drain.begin)
        // A client that finds nobody there: the listening socket is gone, and the drain waits.
        yield* until(() => Effect.runSync(drain.phase) !== "Serving", "the drain has begun")
        yield* Effect.promise(() => quick.send(request().slice(20)))
        yield* Effect.promise(() => quick.hears("going away"))
        assert.match(quick.text, /^HTTP\/1.1 101 /)
        assert.strictEqual(yield* Effect.promise(() => slow.ended()), "ECONNRESET")
        quick.socket.destroy()
        yield* Fiber.join(draining)
      }),
      { handshakeGrace: "300 millis" }
    )
  )

  it.live("is cut off after handshakeTimeout", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { url } = yield* serve()
        const [silent, slow] = [yield* connected(url), yield* connected(url)]
        yield* Effect.promise(() => slow.send(request().slice(0, 20)))
        assert.strictEqual(yield* Effect.promise(() => slow.ended()), "ECONNRESET")
        assert.include(["FIN", "ECONNRESET"], yield* Effect.promise(() => silent.ended()))
      }),
      { handshakeTimeout: "50 millis" }
    )
  )
})

describe("a dial", () => {
  it.live("says why it did not come about", () =>
    onWebSockets(
      Effect.gen(function* () {
        const before = openSockets()
        const failures: Array<string> = []
        const fails = Effect.fnUntraced(function* (address: string) {
          const error = yield* Effect.flip(Effect.scoped(Network.connect(address)))
          failures.push(`${error.reason._tag} ${error.message.replaceAll(/\d{5}/g, "PORT")}`)
        })
        // A server of HTTP alone, one that turns down, one that says nothing, one that hangs up, and nobody.
        const http = createServer((_, response) => response.end())
        const verifies = new WebSocketServer({ port: 0, host: "127.0.0.1", verifyClient: () => false })
        yield* Effect.callback<void>((resume) => {
          http.listen(0, "127.0.0.1", () => resume(Effect.void))
        })
        for (const server of [http, verifies]) yield* fails(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`)
        const mute = yield* rawListener()
        yield* fails(mute.url)
        const hangsUp = yield* rawListener()
        const failing = yield* Effect.forkChild(fails(hangsUp.url))
        const peer = yield* hangsUp.next
        peer.once("data", () => peer.end())
        yield* Fiber.join(failing)
        for (const { close } of [mute, hangsUp]) close()
        http.close()
        verifies.close()
        yield* until(() => openSockets() === before, "all sockets are closed")
        yield* fails(mute.url)
        assert.deepStrictEqual(failures, [
          "SystemFailure connect tcp 127.0.0.1:PORT: EPROTO: Unexpected server response: 200",
          "SystemFailure connect tcp 127.0.0.1:PORT: EPROTO: Unexpected server response: 401",
          "SystemFailure connect tcp 127.0.0.1:PORT: ETIMEDOUT: no upgrade within handshakeTimeout 100 ms",
          "SystemFailure connect tcp 127.0.0.1:PORT: ECONNRESET: socket hang up",
          "Refused connect tcp 127.0.0.1:PORT: refused: nobody listens there"
        ])
      }),
      { handshakeTimeout: "100 millis" }
    )
  )
})

describe("the upgrades of somebody else's server", () => {
  it.live("are ours while we listen, and its requests and its listening stay its own", () =>
    Effect.gen(function* () {
      const http = createServer((_, response) => response.end("http"))
      yield* Effect.callback<void>((resume) => {
        http.listen(0, "127.0.0.1", () => resume(Effect.void))
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => http.close().closeAllConnections()))
      const url = `tcp://127.0.0.1:${(http.address() as AddressInfo).port}`
      const get = (headers: Record<string, string> = {}) =>
        Effect.callback<string>((resume) => {
          const request = httpRequest(url.replace("tcp:", "http:"), { headers, agent: false }, (response) => {
            response.setEncoding("utf8").once("data", (text: string) => resume(Effect.succeed(text)))
          })
          request.end()
        })
      const listener = yield* Network.listening(listenWebSocket({ server: http }, webSocketSettings({})))
      assert.deepStrictEqual(listener.address, { _tag: "Tcp", host: "127.0.0.1", port: Number(new URL(url).port) })
      const server = yield* Server.fromListener(listener, { handler: echo })
      const peer = yield* client(url)
      peer.socket.send("hello")
      yield* until(() => peer.messages.length === 1, "the answer")
      assert.strictEqual(yield* get(), "http")
      const report = yield* server.drain.begin
      assert.isTrue(report.clean)
      assert.strictEqual(report.outcomes.Graceful, 1)
      yield* until(() => peer.closed !== undefined, "the close")
      assert.strictEqual(peer.closed, "1001 going away")
      assert.isTrue(http.listening)
      assert.strictEqual(http.listenerCount("upgrade"), 0)
      assert.strictEqual(yield* get(), "http")
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(NodeWebSocket.layer(), Logger.layer([]))))
  )

  it.live("wait until it listens, and fail as it does", () =>
    Effect.gen(function* () {
      const [first, second] = [createServer(), createServer()]
      yield* Effect.addFinalizer(() => Effect.sync(() => [first, second].map((server) => server.close())))
      const listening = yield* Effect.forkChild(listenWebSocket({ server: first }, webSocketSettings({})), {
        startImmediately: true
      })
      first.listen(0, "127.0.0.1")
      const acceptor = yield* Fiber.join(listening)
      const { port } = first.address() as AddressInfo
      assert.deepStrictEqual(acceptor.address, { _tag: "Tcp", host: "127.0.0.1", port })
      const failing = yield* Effect.forkChild(Effect.flip(listenWebSocket({ server: second }, webSocketSettings({}))), {
        startImmediately: true
      })
      second.listen(port, "127.0.0.1")
      assert.match((yield* Fiber.join(failing)).message, /^listen .*: the address is in use by another listener$/)
    }).pipe(Effect.scoped)
  )

  it.live("of ours, on a port by the options of ws, are the same", () =>
    Effect.gen(function* () {
      const listening = listenWebSocket({ port: 0, host: "127.0.0.1", backlog: 10 }, webSocketSettings({}))
      const listener = yield* Network.listening(listening)
      const { port } = listener.address as { readonly port: number }
      yield* Server.fromListener(listener, { handler: echo })
      const peer = yield* handMade(`tcp://127.0.0.1:${port}`)
      assert.match(peer.raw.text, /^HTTP\/1.1 101 /)
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
  )
})
