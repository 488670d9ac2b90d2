import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Connection from "finwait/Connection"
import * as Metrics from "finwait/Metrics"
import * as Network from "finwait/Network"
import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { RawClient } from "../../../test/tools/RawClient.ts"
import { dial, openSockets, rawListener, real, serve, transports, turn, until } from "./support/network.ts"

const warnings: Array<Error> = []
const onWarning = (warning: Error) => warnings.push(warning)

beforeAll(() => void process.on("warning", onWarning))
afterAll(() => {
  process.off("warning", onWarning)
  assert.deepStrictEqual(warnings, [])
})

describe("one that waits for room", () => {
  it.live("and gives up, gives up its place", () =>
    real(
      Effect.gen(function* () {
        const metrics = new Map<string, never>()
        yield* Effect.gen(function* () {
          const server = yield* serve("tcp://127.0.0.1:0", { connectionsMax: 1, waitingMax: 2 })
          const first = yield* dial(server.url)
          yield* Effect.promise(() => first.send("first"))
          yield* Effect.promise(() => first.hears("first"))
          const broken = Metric.withAttributes(Metrics.connectionsClosed, { outcome: "ResetByPeer" })
          for (const client of [yield* dial(server.url), yield* dial(server.url)]) client.socket.resetAndDestroy()
          const context = yield* Effect.context<never>()
          yield* until(() => broken.valueUnsafe(context).count === 2, "both are noticed")
          const others = [yield* dial(server.url), yield* dial(server.url)]
          for (const client of [first, ...others]) {
            client.socket.end("last")
            assert.strictEqual(yield* Effect.promise(() => client.ended()), "FIN")
            assert.isTrue(client.text.endsWith("last"))
          }
          assert.strictEqual(Metrics.connectionsRefused.valueUnsafe(context).count, 0)
        }).pipe(Effect.provideService(Metric.MetricRegistry, metrics as never))
      })
    )
  )
})

for (const [name, listen] of transports) {
  describe(`over ${name}`, () => {
    it.live("bytes go both ways, and both sides close gracefully", () =>
      real(
        Effect.gen(function* () {
          const server = yield* serve(yield* listen)
          const client = yield* Network.connect(server.url)
          assert.deepStrictEqual(client.remoteAddress, server.address)
          yield* client.write("hello")
          yield* client.closeWrite
          assert.strictEqual(yield* Connection.readText(client), "hello")
          const outcome = yield* client.close
          assert.strictEqual(outcome._tag, "Graceful")
          assert.strictEqual(outcome.bytesRead, 5)
          assert.strictEqual(outcome.bytesWritten, 5)
        })
      )
    )

    it.live("who has said FIN may still read: the client's half-close", () =>
      real(
        Effect.gen(function* () {
          const server = yield* serve(yield* listen, {
            handler: (connection) =>
              Effect.gen(function* () {
                const text = yield* Connection.readText(connection)
                // Node's own way is to end both directions at once, in a turn or two.
                yield* Effect.repeat(turn, { times: 5 })
                yield* connection.write(`${text} and back`)
              })
          })
          const client = yield* dial(server.url)
          client.socket.end("there")
          assert.strictEqual(yield* Effect.promise(() => client.ended()), "FIN")
          assert.strictEqual(client.text, "there and back")
        })
      )
    )

    it.live("who has said FIN may still read: the server's half-close", () =>
      real(
        Effect.gen(function* () {
          const heard: Array<string> = []
          const server = yield* serve(yield* listen, {
            handler: (connection) =>
              Effect.gen(function* () {
                yield* connection.write("what is your name?")
                yield* connection.closeWrite
                heard.push(yield* Connection.readText(connection))
              })
          })
          const client = yield* dial(server.url, { answersFin: false })
          assert.strictEqual(yield* Effect.promise(() => client.ended()), "FIN")
          assert.strictEqual(client.text, "what is your name?")
          client.socket.end("Ada")
          yield* until(() => heard.length > 0, "the answer is heard")
          assert.deepStrictEqual(heard, ["Ada"])
        })
      )
    )

    it.live("who has heard FIN may still write: a dialled connection's answer", () =>
      real(
        Effect.gen(function* () {
          const url = yield* listen
          const listener = yield* rawListener(
            url.startsWith("unix") ? { path: new URL(url).pathname } : { host: "127.0.0.1", port: 0 }
          )
          const client = yield* Network.connect(listener.url)
          const peer = yield* listener.next
          peer.end("what is your name?")
          assert.strictEqual(yield* Connection.readText(client), "what is your name?")
          yield* Effect.repeat(turn, { times: 5 })
          yield* client.write("Ada")
          let heard = ""
          const ended = new Promise<void>((resolve) => peer.once("end", resolve))
          peer.setEncoding("utf8").on("data", (text: string) => (heard += text))
          assert.strictEqual((yield* client.close)._tag, "Graceful")
          yield* Effect.promise(() => ended)
          assert.strictEqual(heard, "Ada")
        })
      )
    )

    it.live("64 MB reach a slow reader whole", () =>
      real(
        Effect.gen(function* () {
          const piece = randomBytes(4 * 1024 * 1024)
          const times = 16
          const server = yield* serve(yield* listen, {
            handler: (connection) => Effect.repeat(connection.write(piece), { times: times - 1 })
          })
          const client = yield* dial(server.url)
          // A chunk, then nothing for a turn of the loop, and so on.
          client.socket.on("data", () => {
            client.socket.pause()
            setImmediate(() => client.socket.resume())
          })
          assert.strictEqual(yield* Effect.promise(() => client.ended()), "FIN")
          assert.strictEqual(client.bytes.length, piece.length * times)
          for (let i = 0; i < times; i++) {
            assert.isTrue(client.bytes.subarray(i * piece.length, (i + 1) * piece.length).equals(piece))
          }
        })
      )
    )

    it.live("the end of the server's scope hands the whole backlog over: 500 of 500", () =>
      real(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const server = yield* serve(yield* listen, {
            handler: (connection) => connection.write("served")
          }).pipe(Scope.provide(scope))
          const clients = Array.from({ length: 500 }, () => new RawClient(server.url))
          // Their handshakes are done by the kernel, in this turn of the loop: nobody has been accepted yet.
          yield* Effect.promise(() => new Promise<void>((resolve) => process.nextTick(resolve)))
          assert.strictEqual(yield* server.connections, 0)
          yield* Scope.close(scope, Exit.void)
          const report = yield* server.drain.report
          const endings = yield* Effect.promise(() => Promise.all(clients.map((client) => client.ended())))
          assert.deepStrictEqual(new Set(endings), new Set(["FIN"]))
          assert.isTrue(clients.every((client) => client.text === "served"))
          assert.strictEqual(report.backlog, 500)
          assert.isTrue(report.clean)
        })
      )
    )

    it.live("nothing stays open, and nobody warns of leaks, after a hundred connections on twenty listeners", () =>
      real(
        Effect.gen(function* () {
          const before = openSockets()
          yield* Effect.scoped(
            Effect.forEach(
              Array.from({ length: 20 }),
              () =>
                Effect.gen(function* () {
                  const server = yield* serve(yield* listen)
                  for (let i = 0; i < 5; i++) yield* (yield* Network.connect(server.url)).write("hello")
                }),
              { discard: true }
            )
          )
          // Destroyed descriptors are closed by the loop, a turn later.
          yield* until(() => openSockets() === before, "all sockets are closed")
        })
      )
    )
  })
}

describe("a reset", () => {
  it.live("by the peer fails the reader, and is the outcome", () =>
    real(
      Effect.gen(function* () {
        const listener = yield* rawListener()
        const client = yield* Network.connect(listener.url)
        const peer = yield* listener.next
        const reading = yield* Effect.forkChild(Effect.flip(Connection.readText(client)))
        yield* turn
        peer.resetAndDestroy()
        const error = yield* Fiber.join(reading)
        assert.strictEqual(error.message, `read ${listener.url.replace("://", " ")}: reset by the peer`)
        const outcome = yield* client.close
        assert.strictEqual(outcome._tag, "ResetByPeer")
        assert.strictEqual(outcome._tag === "ResetByPeer" && outcome.code, "ECONNRESET")
        assert.strictEqual(outcome.closedFirst, "peer")
        assert.match((yield* Effect.flip(client.write("more"))).message, /^write tcp .*: reset by the peer$/)
      })
    )
  )

  it.live("leaves what had arrived before to be read", () =>
    real(
      Effect.gen(function* () {
        const listener = yield* rawListener()
        const client = yield* Network.connect(listener.url)
        const peer = yield* listener.next
        peer.write("first")
        assert.strictEqual(new TextDecoder().decode(yield* client.pull), "first")
        // Nobody reads now: the next chunk stops the reading, and the one after it waits in Node's buffer, where the
        // reset finds it.
        for (const words of ["second ", "last words"]) {
          yield* Effect.promise(() => new Promise<void>((resolve) => peer.write(words, () => resolve())))
          yield* Effect.repeat(turn, { times: 3 })
        }
        peer.resetAndDestroy()
        let broken = false
        yield* Effect.gen(function* () {
          while (!broken) {
            yield* turn
            broken = Exit.isFailure(yield* Effect.exit(client.write("")))
          }
        }).pipe(Effect.timeout("10 seconds"))
        const rest = new TextDecoder().decode(yield* client.pull)
        const behind = rest.endsWith("words") ? "" : new TextDecoder().decode(yield* client.pull)
        assert.strictEqual(rest + behind, "second last words")
        assert.match(JSON.stringify(yield* Effect.flip(client.pull)), /ECONNRESET/)
      })
    )
  )

  it.live("is what the peer sees of an abort, on both sides", () =>
    real(
      Effect.gen(function* () {
        const listener = yield* rawListener()
        const client = yield* Network.connect(listener.url)
        const peer = yield* listener.next
        const error = new Promise<NodeJS.ErrnoException>((resolve) => peer.once("error", resolve))
        peer.resume()
        assert.strictEqual((yield* client.abort)._tag, "Aborted")
        assert.strictEqual((yield* Effect.promise(() => error)).code, "ECONNRESET")

        const server = yield* serve("tcp://127.0.0.1:0", { handler: (connection) => connection.abort })
        const raw = yield* dial(server.url)
        assert.strictEqual(yield* Effect.promise(() => raw.ended()), "ECONNRESET")
      })
    )
  )

  it.live("of a Unix socket, which has none, ends it all the same", () =>
    real(
      Effect.gen(function* () {
        const server = yield* serve(yield* transports[1]![1], { handler: (connection) => connection.abort })
        const raw = yield* dial(server.url)
        assert.strictEqual(yield* Effect.promise(() => raw.ended()), "FIN")
      })
    )
  )

  it.live("in the same turn as a half-close leaves no descriptor behind", () =>
    real(
      Effect.gen(function* () {
        const listener = yield* rawListener()
        const before = openSockets()
        const outcomes = []
        for (let i = 0; i < 10; i++) {
          const client = yield* Network.connect(listener.url)
          const peer = yield* listener.next
          yield* client.write("hello")
          outcomes.push(yield* Effect.andThen(client.closeWrite, client.abort))
          peer.destroy()
        }
        assert.deepStrictEqual(new Set(outcomes.map(({ _tag }) => _tag)), new Set(["Aborted"]))
        // A reset that failed would have been given up on after a second, with the descriptor lost.
        assert.isBelow(Math.max(...outcomes.map(({ closeMillis }) => closeMillis)), 1000)
        yield* until(() => openSockets() === before, "all sockets are closed")
      })
    )
  )
})

describe("options", () => {
  const timersOf = (url: string) =>
    new Promise<string | undefined>((resolve) =>
      execFile("ss", ["-tnoH", `sport = :${new URL(url).port}`], (error, stdout) =>
        resolve(error === null ? stdout : undefined)
      )
    )
  // Node 22 knows neither interval nor count.
  const full = Number(process.versions.node.split(".")[0]) >= 24

  it.live.each([
    ["initialDelay", { initialDelay: "60 seconds" }],
    ["all three", { initialDelay: "60 seconds", ...(full ? { interval: "5 seconds" as const, count: 2 } : {}) }]
  ] as const)("keepAlive with %s lets the system probe, on accepted and on dialled connections", ([, keepAlive]) =>
    real(
      Effect.gen(function* () {
        const server = yield* serve("tcp://127.0.0.1:0")
        const client = yield* Network.connect(server.url)
        yield* client.write("hello")
        assert.strictEqual(new TextDecoder().decode(yield* client.pull), "hello")
        const accepted = yield* Effect.promise(() => timersOf(server.url))
        const { port } = client.localAddress as { readonly port: number }
        const dialled = yield* Effect.promise(() => timersOf(`tcp://127.0.0.1:${port}`))
        // Where there is no `ss`, that it is accepted and bytes flow is all that can be seen.
        if (accepted === undefined || dialled === undefined) return
        assert.match(accepted, /timer:\(keepalive/)
        assert.match(dialled, /timer:\(keepalive/)
      }),
      { keepAlive }
    )
  )

  it.live("a name is resolved, and each of its addresses tried", () =>
    real(
      Effect.gen(function* () {
        const server = yield* serve("tcp://127.0.0.1:0")
        const client = yield* Network.connect(server.url.replace("127.0.0.1", "localhost"))
        yield* client.write("hello")
        yield* client.closeWrite
        assert.strictEqual(yield* Connection.readText(client), "hello")
      }),
      { attemptDelay: 1, noDelay: false }
    )
  )
})

describe("an idle listener", () => {
  it.live("keeps who connects before anybody receives, and resets them when nobody ever does", () =>
    real(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const listener = yield* Network.listen("tcp://127.0.0.1:0").pipe(Scope.provide(scope))
        const { port } = listener.address as { readonly port: number }
        const client = yield* dial(`tcp://127.0.0.1:${port}`)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(yield* Effect.promise(() => client.ended()), "ECONNRESET")
        // Stopping twice is stopping once.
        yield* listener.stop
      })
    )
  )

  it.live("stops once, whoever else asks meanwhile", () =>
    real(
      Effect.gen(function* () {
        const listener = yield* Network.listen("tcp://127.0.0.1:0")
        yield* Effect.all([listener.stop, listener.stop], { concurrency: "unbounded" })
        const error = yield* Effect.flip(Network.connect(listener.address))
        assert.strictEqual(error.reason._tag, "Refused")
      })
    )
  )
})

describe("the end of the input", () => {
  it.live("is an end, not an error and not an empty chunk", () =>
    real(
      Effect.gen(function* () {
        const listener = yield* rawListener()
        const client = yield* Network.connect(listener.url)
        const peer = yield* listener.next
        peer.end("x")
        assert.strictEqual((yield* client.pull).length, 1)
        const end = yield* Effect.exit(client.pull)
        assert.isTrue(Exit.isFailure(end))
        if (Exit.isFailure(end)) {
          const error = Cause.findErrorOption(end.cause)
          assert.strictEqual(Option.isSome(error) && error.value._tag, "Done")
        }
      })
    )
  )
})
