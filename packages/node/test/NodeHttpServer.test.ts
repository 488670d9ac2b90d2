import { assert, describe, it } from "@effect/vitest"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as NodeHttpServer from "@finwait/node/NodeHttpServer"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Latch from "effect/Latch"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import type { Report } from "finwait/Drain"
import * as Metrics from "finwait/Metrics"
import { once } from "node:events"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as net from "node:net"
import { join } from "node:path"
import { WebSocket } from "ws"
import { connectionOf } from "../src/internal/httpConnection.ts"
import { folder, turn } from "./support/network.ts"

type App = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  unknown,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

/** A test on real sockets, without what servers say. */
const live = (title: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(title, () => Effect.provide(body(), Logger.layer([])))

const listening = { host: "127.0.0.1", port: 0 }

const portOf = ({ address }: NodeHttpServer.Draining): number => ("port" in address ? address.port : 0)

const serving = Effect.fnUntraced(function* (app: App, options: Partial<NodeHttpServer.Options> = {}) {
  const server = yield* NodeHttpServer.make(Http.createServer, { ...listening, ...options })
  yield* server.serve(app)
  return { ...server, port: portOf(server) }
})

/** What a client has heard on one connection, and how it ended. */
class Heard {
  readonly socket: net.Socket
  text = ""
  end: string | undefined
  private waiting: Array<() => void> = []

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.on("data", (bytes) => this.tell(() => (this.text += bytes.toString("latin1"))))
    socket.on("end", () => {
      socket.end()
      this.tell(() => (this.end ??= "FIN"))
    })
    socket.on("error", (error) => this.tell(() => (this.end ??= error.message)))
  }

  private tell(change: () => void): void {
    change()
    for (const look of this.waiting.splice(0)) look()
  }

  until(is: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => (is() ? resolve() : void this.waiting.push(look))
      look()
    })
  }

  get answers(): ReadonlyArray<string> {
    return this.text.match(/HTTP\/1\.1 \d{3}/g)?.map((line) => line.slice(9)) ?? []
  }

  answered(count: number) {
    return Effect.promise(() => this.until(() => this.answers.length >= count))
  }

  get ended() {
    return Effect.map(
      Effect.promise(() => this.until(() => this.end !== undefined)),
      () => this.end!
    )
  }
}

const dial = (port: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })
      await once(socket, "connect")
      return new Heard(socket)
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

const request = (path = "/", more = "") => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`

const pathOf = Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) => url)

/** Answers at once, but for `/slow`, which waits to be let go. */
const gated = Effect.gen(function* () {
  const began = yield* Latch.make(false)
  const gate = yield* Latch.make(false)
  const late = yield* Latch.make(false)
  const app: App = Effect.gen(function* () {
    const path = yield* pathOf
    if (path === "/late") yield* late.open
    if (path === "/slow") {
      yield* began.open
      yield* gate.await
    }
    return HttpServerResponse.text(`<${path}>`)
  })
  return { app, began, gate, late }
})

const drained = (fiber: Fiber.Fiber<Report>) =>
  Effect.map(Fiber.join(fiber), ({ clean, outcomes }) => ({ clean, outcomes }))

const begins = (server: NodeHttpServer.Draining) => Effect.forkChild(server.drain.begin, { startImmediately: true })

/** Everybody has been told, and has been looked at. */
const announced = ({ drain }: NodeHttpServer.Draining) =>
  Effect.repeat(Effect.andThen(turn, drain.phase), { until: (phase) => phase === "Waiting" }).pipe(
    Effect.andThen(Effect.repeat(turn, { times: 10 }))
  )

const graceful = (count: number) => ({ Graceful: count, LingerExpired: 0, ResetByPeer: 0, Aborted: 0 })

describe("a connection that is gone", () => {
  live("is not kept alive by who keeps its socket, as Effect's requests do for a while", () =>
    Effect.gen(function* () {
      const kept: Array<net.Socket> = []
      const app: App = Effect.gen(function* () {
        kept.push(NodeHttpServerRequest.toIncomingMessage(yield* HttpServerRequest.HttpServerRequest).socket)
        return HttpServerResponse.text("ok")
      })
      const server = yield* serving(app)
      const client = yield* dial(server.port)
      client.socket.write(request())
      yield* client.answered(1)
      const [socket] = kept
      const ours = () =>
        Object.getOwnPropertySymbols(socket).flatMap((symbol) =>
          symbol.description?.startsWith("finwait/") === true
            ? [(socket as unknown as Record<symbol, unknown>)[symbol]]
            : []
        )
      assert.strictEqual(ours().filter((one) => one !== undefined).length, 2)
      const closed = once(socket!, "close")
      client.socket.end()
      yield* Effect.promise(() => closed)
      yield* turn
      assert.deepStrictEqual(ours(), [undefined, undefined])
    })
  )
})

describe("a drain", () => {
  live("ends an answer under way with Connection: close, and the connection behind it", () =>
    Effect.gen(function* () {
      const { app, began, gate } = yield* gated
      const server = yield* serving(app)
      const client = yield* dial(server.port)
      client.socket.write(request("/slow"))
      yield* began.await
      const drain = yield* begins(server)
      yield* announced(server)
      yield* gate.open
      assert.strictEqual(yield* client.ended, "FIN")
      assert.match(client.text, /^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n[^]*<\/slow>$/)
      assert.deepStrictEqual(yield* drained(drain), { clean: true, outcomes: graceful(1) })
    })
  )

  live("answers all requests that came one behind the other, and says close in the last", () =>
    Effect.gen(function* () {
      const { app, began, gate } = yield* gated
      const server = yield* serving(app)
      const client = yield* dial(server.port)
      client.socket.write(request("/slow") + request("/a") + request("/slow"))
      yield* began.await
      const drain = yield* begins(server)
      yield* announced(server)
      yield* gate.open
      assert.strictEqual(yield* client.ended, "FIN")
      assert.deepStrictEqual(client.answers, ["200", "200", "200"])
      assert.deepStrictEqual(client.text.match(/^connection: \S+/gim), [
        "Connection: keep-alive",
        "Connection: keep-alive",
        "Connection: close"
      ])
      assert.deepStrictEqual(yield* drained(drain), { clean: true, outcomes: graceful(1) })
    })
  )

  live("and one more that comes while they are given", () =>
    Effect.gen(function* () {
      const { app, began, gate, late } = yield* gated
      const server = yield* serving(app)
      const client = yield* dial(server.port)
      client.socket.write(request("/slow"))
      yield* began.await
      const drain = yield* begins(server)
      yield* announced(server)
      client.socket.write(request("/late"))
      yield* late.await
      yield* gate.open
      assert.strictEqual(yield* client.ended, "FIN")
      assert.deepStrictEqual(client.answers, ["200", "200"])
      assert.match(client.text, /<\/slow>HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n[^]*<\/late>$/)
      assert.isTrue((yield* Fiber.join(drain)).clean)
    })
  )

  live("answers all that come in one piece, when its handlers answer at once as well", () =>
    Effect.gen(function* () {
      const { app } = yield* gated
      const server = yield* serving(app, { keepAliveGrace: "20 seconds" })
      const client = yield* dial(server.port)
      client.socket.write(request("/first"))
      yield* client.answered(1)
      const drain = yield* begins(server)
      yield* announced(server)
      client.socket.write(request("/a") + request("/b") + request("/c"))
      assert.strictEqual(yield* client.ended, "FIN")
      assert.deepStrictEqual(client.text.match(/<\/\w+>/g), ["</first>", "</a>", "</b>", "</c>"])
      assert.strictEqual(client.text.match(/Connection: close/g)?.length, 1)
      assert.deepStrictEqual(yield* drained(drain), { clean: true, outcomes: graceful(1) })
    })
  )

  live("answers a request that offers h2c as any other", () =>
    Effect.gen(function* () {
      const { app, began, gate } = yield* gated
      const server = yield* serving(app)
      const client = yield* dial(server.port)
      client.socket.write(
        request("/slow", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n")
      )
      yield* began.await
      const drain = yield* begins(server)
      yield* announced(server)
      yield* gate.open
      assert.strictEqual(yield* client.ended, "FIN")
      assert.match(client.text, /^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n[^]*<\/slow>$/)
      assert.deepStrictEqual(yield* drained(drain), { clean: true, outcomes: graceful(1) })
    })
  )

  live("reads on when Node had stopped reading, because answers waited for each other", () =>
    Effect.gen(function* () {
      const bytes = 1_000_000
      const gate = yield* Latch.make(false)
      const told = yield* Latch.make(false)
      const body = Stream.concat(
        Stream.fromEffect(Effect.as(told.open, new Uint8Array(100))),
        Stream.fromEffect(Effect.as(gate.await, new Uint8Array(bytes)))
      )
      const app = Effect.map(pathOf, (path) =>
        path === "/last"
          ? HttpServerResponse.stream(body, { headers: { connection: "close" } })
          : HttpServerResponse.text("x".repeat(60_000))
      )
      const server = yield* serving(app, { close: { lingerIdleTimeout: "300 millis" } })
      const client = yield* dial(server.port)
      client.socket.write(request("/last"))
      yield* told.await
      yield* Effect.promise(() => client.until(() => client.text.includes("\r\n\r\n")))
      client.socket.pause()
      client.socket.write(request("/more", `X: ${"y".repeat(8000)}\r\n`).repeat(60))
      // What is answered in advance waits, until Node reads no more: the rest of the questions is unread.
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 200)))
      yield* gate.open
      // Longer than a silent peer is waited for.
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 800)))
      client.socket.resume()
      assert.strictEqual(yield* client.ended, "FIN")
      assert.isAbove(client.text.length, bytes)
      assert.isTrue(client.text.endsWith("\r\n0\r\n\r\n"))
    })
  )

  live("does not take the rest of an upload, which came behind the answer, for half of a request", () =>
    Effect.gen(function* () {
      const server = yield* serving(Effect.succeed(HttpServerResponse.text("early")), { keepAliveGrace: 0 })
      const client = yield* dial(server.port)
      client.socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf")
      yield* client.answered(1)
      client.socket.write("x".repeat(996))
      // Read, when this one has its answer.
      const other = yield* dial(server.port)
      other.socket.write(request())
      yield* other.answered(1)
      const report = yield* server.drain.begin
      assert.isTrue(report.clean)
      assert.strictEqual(yield* client.ended, "FIN")
      assert.isFalse(client.text.includes("408"))
    })
  )

  live("gives who has just had an answer the time to ask once more", () =>
    Effect.gen(function* () {
      const { app } = yield* gated
      const server = yield* serving(app, { keepAliveGrace: "20 seconds" })
      const client = yield* dial(server.port)
      client.socket.write(request("/a"))
      yield* client.answered(1)
      const drain = yield* begins(server)
      yield* announced(server)
      assert.isUndefined(client.end)
      client.socket.write(request("/b"))
      assert.strictEqual(yield* client.ended, "FIN")
      assert.match(client.text, /<\/a>HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n[^]*<\/b>$/)
      assert.deepStrictEqual(yield* drained(drain), { clean: true, outcomes: graceful(1) })
    })
  )

  live("ends who has been idle for longer than the grace at once, and a grace when it is over", () =>
    Effect.gen(function* () {
      const { app } = yield* gated
      const server = yield* serving(app, { keepAliveGrace: "150 millis" })
      const clients = yield* Effect.all([dial(server.port), dial(server.port), dial(server.port)])
      clients[0].socket.write(request("/a"))
      yield* clients[0].answered(1)
      // The first is idle for longer than the grace; the time itself is what is tested.
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 200)))
      clients[1].socket.write(request("/b"))
      yield* clients[1].answered(1)
      const drain = yield* begins(server)
      // One has asked, one has never said a word, and one has asked just now.
      assert.strictEqual(yield* clients[0].ended, "FIN")
      assert.strictEqual(yield* clients[2].ended, "FIN")
      assert.isUndefined(clients[1].end)
      assert.strictEqual(yield* clients[1].ended, "FIN")
      assert.deepStrictEqual(yield* drained(drain), { clean: true, outcomes: graceful(3) })
    })
  )

  live("waits for the rest of a request, and answers 408 when there is no more time", () =>
    Effect.gen(function* () {
      const { app } = yield* gated
      const server = yield* serving(app, { keepAliveGrace: 0, drain: { deadline: "300 millis" } })
      const [whole, half] = [yield* dial(server.port), yield* dial(server.port)]
      for (const { socket } of [whole, half]) socket.write("GET /half HTTP/1.1\r\nHo")
      // Both have been read when this one has its answer.
      const last = yield* dial(server.port)
      last.socket.write(request("/last"))
      yield* last.answered(1)
      const drain = yield* begins(server)
      yield* last.ended
      whole.socket.write("st: a\r\n\r\n")
      assert.strictEqual(yield* whole.ended, "FIN")
      assert.match(whole.text, /^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n[^]*<\/half>$/)
      assert.strictEqual(yield* half.ended, "FIN")
      assert.strictEqual(half.text, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
      const report = yield* Fiber.join(drain)
      assert.strictEqual(report.forcedAt, "Interrupting")
      assert.deepStrictEqual(report.outcomes, graceful(3))
    })
  )

  live("interrupts handlers that have no more time, which answer 503", () =>
    Effect.gen(function* () {
      const { app, began } = yield* gated
      const server = yield* serving(app, { drain: { deadline: "100 millis" } })
      const client = yield* dial(server.port)
      client.socket.write(request("/slow"))
      yield* began.await
      const drain = yield* begins(server)
      assert.strictEqual(yield* client.ended, "FIN")
      assert.match(client.text, /^HTTP\/1\.1 503 [^\r]*\r\n[^]*Connection: close\r\n/)
      const report = yield* Fiber.join(drain)
      assert.strictEqual(report.forcedAt, "Interrupting")
      assert.strictEqual(report.handlersInterrupted, 1)
    })
  )

  live("answers for one that cannot be interrupted, and does not wait for it", () =>
    Effect.gen(function* () {
      const began = yield* Deferred.make<void>()
      const ends = yield* Deferred.make<void>()
      const app = Effect.uninterruptible(
        Effect.andThen(Deferred.succeed(began, undefined), Effect.as(Deferred.await(ends), HttpServerResponse.empty()))
      )
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(serving(app, { drain: { deadline: "50 millis" } }), scope)
      const client = yield* dial(server.port)
      client.socket.write(request())
      yield* Deferred.await(began)
      // The end of the scope that it is served in is the drain, and waits for nothing else.
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* client.ended, "FIN")
      assert.match(client.text, /^HTTP\/1\.1 503 [^]*Connection: close\r\n/)
      const report = yield* server.drain.report
      assert.strictEqual(report.forcedAt, "Interrupting")
      assert.deepStrictEqual(report.outcomes, graceful(1))
      yield* Deferred.succeed(ends, undefined)
    })
  )

  live("resets what cannot be interrupted and has begun to answer", () =>
    Effect.gen(function* () {
      const ends = yield* Deferred.make<void>()
      const bytes = new TextEncoder().encode("begun")
      const endless = Stream.concat(Stream.make(bytes), Stream.fromEffect(Effect.uninterruptible(Deferred.await(ends))))
      const app = Effect.succeed(HttpServerResponse.stream(Stream.map(endless, () => bytes)))
      const server = yield* serving(app, { drain: { deadline: "50 millis", close: "50 millis" } })
      const client = yield* dial(server.port)
      client.socket.write(request())
      yield* Effect.promise(() => client.until(() => client.text.includes("begun")))
      const report = yield* server.drain.begin
      assert.strictEqual(yield* client.ended, "read ECONNRESET")
      assert.deepStrictEqual(report.outcomes, { ...graceful(0), Aborted: 1 })
      yield* Deferred.succeed(ends, undefined)
    })
  )

  live("flushes an answer that was ended to a client that reads slowly", () =>
    Effect.gen(function* () {
      const bytes = 24 * 1024 * 1024
      const began = yield* Latch.make(false)
      const app = Effect.as(began.open, HttpServerResponse.uint8Array(new Uint8Array(bytes)))
      const server = yield* serving(app)
      const client = yield* dial(server.port)
      client.socket.pause()
      client.socket.write(request())
      yield* began.await
      const drain = yield* begins(server)
      yield* announced(server)
      client.socket.resume()
      assert.strictEqual(yield* client.ended, "FIN")
      assert.strictEqual(client.text.length - client.text.indexOf("\r\n\r\n") - 4, bytes)
      assert.deepStrictEqual(yield* drained(drain), { clean: true, outcomes: graceful(1) })
    })
  )

  live("has gracefulShutdownTimeout for its deadline", () =>
    Effect.gen(function* () {
      const { app, began } = yield* gated
      const server = yield* serving(app, { gracefulShutdownTimeout: "50 millis" })
      const client = yield* dial(server.port)
      client.socket.write(request("/slow"))
      yield* began.await
      assert.strictEqual((yield* server.drain.begin.pipe(Effect.tap(() => client.ended))).forcedAt, "Interrupting")
    })
  )
})

describe("a stream of events", () => {
  const events = Effect.gen(function* () {
    const told = yield* Latch.make(false)
    const app = Effect.succeed(
      HttpServerResponse.stream(
        Stream.concat(
          Stream.fromEffect(Effect.as(told.open, new TextEncoder().encode("data: 1\n\n"))),
          Stream.fromEffect(Effect.never)
        ),
        { contentType: "text/event-stream" }
      )
    )
    return { app, told }
  })

  live("ends when the drain is announced, with a comment", () =>
    Effect.gen(function* () {
      const { app } = yield* events
      const server = yield* serving(app, { keepAliveGrace: 0 })
      const client = yield* dial(server.port)
      client.socket.write(request())
      yield* Effect.promise(() => client.until(() => client.text.includes("data: 1")))
      const drain = yield* begins(server)
      assert.strictEqual(yield* client.ended, "FIN")
      assert.isTrue(client.text.endsWith(": the server is going away\n\n\r\n0\r\n\r\n"))
      assert.deepStrictEqual(yield* drained(drain), { clean: true, outcomes: graceful(1) })
    })
  )

  live("gets no comment in the middle of an event, nor when it is packed", () =>
    Effect.gen(function* () {
      for (const [first, headers] of [
        ["data: 1\n\ndata: 2", {}],
        ["data: 1\n\n", { "content-encoding": "x-none" }]
      ] as const) {
        const body = Stream.concat(Stream.make(new TextEncoder().encode(first)), Stream.fromEffect(Effect.never))
        const app = Effect.succeed(HttpServerResponse.stream(body, { contentType: "Text/Event-Stream", headers }))
        const server = yield* serving(app, { keepAliveGrace: 0, drain: { deadline: "200 millis" } })
        const client = yield* dial(server.port)
        client.socket.write(request())
        yield* Effect.promise(() => client.until(() => client.text.includes(first.slice(-7))))
        yield* server.drain.begin
        yield* client.ended
        assert.isFalse(client.text.includes("going away"))
      }
    })
  )

  live('goes on until the deadline with eventStreams "deadline", and is cut then', () =>
    Effect.gen(function* () {
      const { app } = yield* events
      const server = yield* serving(app, { eventStreams: "deadline", drain: { deadline: "100 millis" } })
      const client = yield* dial(server.port)
      client.socket.write(request())
      yield* Effect.promise(() => client.until(() => client.text.includes("data: 1")))
      const report = yield* server.drain.begin
      yield* client.ended
      assert.isFalse(client.text.includes("going away"))
      assert.isFalse(client.text.endsWith("0\r\n\r\n"))
      assert.strictEqual(report.forcedAt, "Interrupting")
    })
  )
})

describe("an upgraded connection", () => {
  const sockets: App = Effect.scoped(
    Effect.gen(function* () {
      const socket = yield* (yield* HttpServerRequest.HttpServerRequest).upgrade
      const writer = yield* socket.writer
      const { pull } = yield* socket.reader
      while (true) yield* writer.writeAll(yield* pull)
    })
  ).pipe(Effect.catch(() => Effect.succeed(HttpServerResponse.empty())))

  const connected = Effect.fnUntraced(function* (port: number) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`)
    yield* Effect.addFinalizer(() => Effect.sync(() => socket.terminate()))
    yield* Effect.promise(() => once(socket, "open"))
    const closed = once(socket, "close").then(([code]) => Number(code))
    socket.send("hello")
    yield* Effect.promise(() => once(socket, "message"))
    return { socket, closed: Effect.promise(() => closed) }
  })

  live("is told 1001 when the drain is announced", () =>
    Effect.gen(function* () {
      const server = yield* serving(sockets)
      const { closed } = yield* connected(server.port)
      const drain = yield* begins(server)
      assert.strictEqual(yield* closed, 1001)
      assert.deepStrictEqual(yield* drained(drain), { clean: true, outcomes: graceful(1) })
    })
  )

  live('at the deadline with upgrades "deadline", and is served until then', () =>
    Effect.gen(function* () {
      const server = yield* serving(sockets, { upgrades: "deadline", drain: { deadline: "300 millis" } })
      const { closed, socket } = yield* connected(server.port)
      const drain = yield* begins(server)
      socket.send("again")
      yield* Effect.promise(() => once(socket, "message"))
      assert.strictEqual(yield* closed, 1001)
      assert.strictEqual((yield* Fiber.join(drain)).forcedAt, "Interrupting")
    })
  )

  const closeFrame = String.fromCharCode(0x88, 2, 1001 >> 8, 1001 & 255)

  live("is not waited for when it does not answer for longer than a silent peer is", () =>
    Effect.gen(function* () {
      const server = yield* serving(sockets, { close: { lingerIdleTimeout: "100 millis" } })
      const client = yield* dial(server.port)
      const key = Buffer.alloc(16).toString("base64")
      const upgrade = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n`
      client.socket.write(request("/", upgrade))
      yield* client.answered(0)
      yield* Effect.promise(() => client.until(() => client.text.includes("\r\n\r\n")))
      const report = yield* server.drain.begin
      // A close frame of 1001, which it does not answer.
      assert.isTrue(client.text.endsWith(`\r\n\r\n${closeFrame}`))
      assert.isUndefined(report.forcedAt)
    })
  )
})

describe("a lame duck with spread", () => {
  live("ends connections one after the other, while the others are served", () =>
    Effect.gen(function* () {
      const { app } = yield* gated
      const server = yield* serving(app, { keepAliveGrace: 0, spread: "400 millis", drain: { lameDuck: "1 second" } })
      const clients = yield* Effect.all(Array.from({ length: 8 }, () => dial(server.port)))
      for (const client of clients) {
        client.socket.write(request("/a"))
        yield* client.answered(1)
      }
      const order: Array<number> = []
      for (const [index, { socket }] of clients.entries()) {
        socket.on("end", () => order.push(index))
      }
      const drain = yield* begins(server)
      yield* Effect.promise(() => clients[0]!.until(() => clients[0]!.end !== undefined))
      assert.isBelow(order.length, 8)
      assert.strictEqual(yield* server.drain.phase, "LameDuck")
      // Whoever has not been told yet, and who comes now, is served as ever.
      const stranger = yield* dial(server.port)
      stranger.socket.write(request("/b"))
      yield* stranger.answered(1)
      assert.match(stranger.text, /Connection: keep-alive/)
      yield* Effect.forEach(clients, ({ ended }) => ended)
      assert.deepStrictEqual(order, [0, 1, 2, 3, 4, 5, 6, 7])
      assert.strictEqual(yield* server.drain.phase, "LameDuck")
      stranger.socket.destroy()
      assert.isTrue((yield* Fiber.join(drain)).clean)
    })
  )
})

describe("a server", () => {
  live("lets who connects before it is served wait", () =>
    Effect.gen(function* () {
      const server = yield* NodeHttpServer.make(Http.createServer, listening)
      const client = yield* dial(portOf(server))
      client.socket.write(request("/early"))
      yield* server.serve(Effect.map(pathOf, (path) => HttpServerResponse.text(path)))
      yield* client.answered(1)
      assert.match(client.text, /\/early$/)
    })
  )

  live("says of itself that it listens, and where", () =>
    Effect.gen(function* () {
      const node = Http.createServer()
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(
        NodeHttpServer.make(() => node, listening),
        scope
      )
      assert.isTrue(node.listening)
      const address = node.address()
      assert.strictEqual(typeof address === "object" ? address?.port : undefined, portOf(server))
      yield* Scope.close(scope, Exit.void)
      assert.isFalse(node.listening)
    })
  )

  live("answers what was asked for before what it cannot understand", () =>
    Effect.gen(function* () {
      const { app, began, gate } = yield* gated
      const server = yield* serving(app)
      const client = yield* dial(server.port)
      client.socket.write(`${request("/slow")}nonsense\r\n\r\n`)
      yield* began.await
      yield* Effect.repeat(turn, { times: 10 })
      assert.strictEqual(client.text, "")
      yield* gate.open
      assert.strictEqual(yield* client.ended, "FIN")
      assert.match(client.text, /^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n[^]*<\/slow>$/)
      const other = yield* dial(server.port)
      other.socket.write("nonsense\r\n\r\n")
      assert.strictEqual(yield* other.ended, "FIN")
      assert.strictEqual(other.text, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    })
  )

  live("listens on a socket file, and drains when its node server is closed", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "http.sock")
      const node = Http.createServer()
      const server = yield* NodeHttpServer.make(() => node, { path })
      yield* server.serve(Effect.succeed(HttpServerResponse.text("hello")))
      const ask = () =>
        new Promise<string>((resolve, reject) =>
          Http.get({ socketPath: path, agent: false }, (response) =>
            response.on("data", (bytes) => resolve(String(bytes)))
          ).on("error", ({ message }) => reject(new Error(message)))
        )
      assert.strictEqual(yield* Effect.promise(ask), "hello")
      yield* Effect.callback<void>((resume) => void node.close(() => resume(Effect.void)))
      assert.strictEqual(yield* server.drain.phase, "Done")
      const after = yield* Effect.promise(() => ask().catch(({ message }: Error) => message))
      assert.match(after, /ENOENT/)
    })
  )

  live("has no more connections than Node's server may have", () =>
    Effect.gen(function* () {
      const { app, began } = yield* gated
      const node = Http.createServer()
      node.maxConnections = 1
      const server = yield* NodeHttpServer.make(() => node, listening)
      yield* server.serve(app)
      const client = yield* dial(portOf(server))
      client.socket.write(request("/slow"))
      yield* began.await
      const refused = net.connect(portOf(server), "127.0.0.1")
      const [error] = yield* Effect.promise(() => once(refused, "error"))
      assert.strictEqual((error as NodeJS.ErrnoException).code, "ECONNRESET")
    })
  )

  live("reads on behind an early answer, so that a client that is still sending can read it", () =>
    Effect.gen(function* () {
      const server = yield* serving(Effect.succeed(HttpServerResponse.text("x".repeat(200_000), { status: 413 })))
      const client = yield* dial(server.port)
      client.socket.pause()
      const upload = Buffer.alloc(8 * 1024 * 1024)
      client.socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${upload.length}\r\n\r\n`)
      yield* Effect.promise(() => new Promise<void>((sent) => client.socket.write(upload, () => sent())))
      // Longer than the half second for which Effect's own server lets it.
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 700)))
      client.socket.resume()
      assert.strictEqual(yield* client.ended, "FIN")
      assert.strictEqual(client.text.length - client.text.indexOf("\r\n\r\n") - 4, 200_000)
    })
  )

  live("has limits, which are those of every server here", () =>
    Effect.gen(function* () {
      const { app, began } = yield* gated
      const server = yield* serving(app, { connectionsMax: 1, overflow: "refuse" })
      const client = yield* dial(server.port)
      client.socket.write(request("/slow"))
      yield* began.await
      const refused = net.connect(server.port, "127.0.0.1")
      const [error] = yield* Effect.promise(() => once(refused, "error"))
      assert.strictEqual((error as NodeJS.ErrnoException).code, "ECONNRESET")
      assert.strictEqual(yield* server.connections, 1)
    })
  )

  live("counts the bytes that it reads and writes", () =>
    Effect.gen(function* () {
      const text = "x".repeat(100_000)
      const server = yield* serving(Effect.succeed(HttpServerResponse.text(text)))
      const client = yield* dial(server.port)
      client.socket.write(request("/", "Connection: close\r\n"))
      assert.strictEqual(yield* client.ended, "FIN")
      yield* server.drain.begin
      const context = yield* Effect.context<never>()
      const [read, written] = [Metrics.bytesRead, Metrics.bytesWritten].map((one) => one.valueUnsafe(context).count)
      assert.deepStrictEqual([read, written], [client.socket.bytesWritten, client.text.length])
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
  )

  live("forgets what a session of HTTP/2 has been answered", () =>
    Effect.gen(function* () {
      const node = Http2.createServer()
      const sessions: Array<Http2.ServerHttp2Session> = []
      node.on("session", (session) => sessions.push(session))
      const server = yield* NodeHttpServer.make(() => node, listening)
      yield* server.serve(Effect.succeed(HttpServerResponse.text("hello")))
      const client = Http2.connect(`http://127.0.0.1:${portOf(server)}`)
      yield* Effect.addFinalizer(() => Effect.sync(() => client.destroy()))
      for (let asked = 0; asked < 50; asked++) {
        const stream = client.request({ ":path": "/" })
        yield* Effect.promise(() => once(stream.resume(), "close"))
      }
      yield* Effect.repeat(turn, { times: 10 })
      const { pending } = connectionOf(sessions[0]) as unknown as { readonly pending: ReadonlyArray<unknown> }
      assert.strictEqual(pending.length, 0)
    })
  )

  live("does not listen for one that listens already, nor when it is told not to", () =>
    Effect.gen(function* () {
      const node = Http.createServer().listen(0, "127.0.0.1")
      yield* Effect.promise(() => once(node, "listening"))
      yield* Effect.addFinalizer(() => Effect.sync(() => node.close()))
      const error = yield* Effect.flip(NodeHttpServer.make(() => node, listening))
      assert.match(String(error.cause), /the server listens already/)
      const signal = AbortSignal.abort()
      const aborted = yield* Effect.flip(NodeHttpServer.make(Http.createServer, { ...listening, signal }))
      assert.match(String(aborted.cause), /ECANCELED/)
    })
  )

  live("does not start with an option that is none, or where it cannot", () =>
    Effect.gen(function* () {
      const problem = (options: object) =>
        Effect.map(Effect.exit(NodeHttpServer.make(Http.createServer, { ...listening, ...options })), (exit) =>
          Exit.isFailure(exit) ? Cause.squash(exit.cause) : "listens"
        )
      assert.strictEqual(
        String(yield* problem({ keepAliveGrace: -1 })),
        "RangeError: keepAliveGrace must be a duration of at least 0, not -1"
      )
      assert.strictEqual(
        String(yield* problem({ upgrades: "later" })),
        "RangeError: upgrades must be 'announcement' or 'deadline', not 'later'"
      )
      const { port } = yield* serving(Effect.succeed(HttpServerResponse.empty()))
      const taken = (yield* problem({ port })) as { readonly _tag: string; readonly cause: Error }
      assert.strictEqual(taken._tag, "ServeError")
      assert.match(taken.cause.message, /^listen tcp 127\.0\.0\.1:\d+: the address is in use by another listener$/)
      const unfit = (yield* problem({ drain: { deadline: "40 seconds" } })) as { readonly cause: Error }
      assert.match(unfit.cause.message, /^shutdown budget: .* more than grace 30s/)
    })
  )
})
