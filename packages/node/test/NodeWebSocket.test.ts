import { assert, describe, it } from "@effect/vitest"
import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Connection from "finwait/Connection"
import * as Network from "finwait/Network"
import type * as Server from "finwait/Server"
import { deflateRawSync } from "node:zlib"
import { real, serve as serveOn, transports, until } from "./support/network.ts"
import { client, frame, handMade, onWebSockets, opcodes } from "./support/webSocket.ts"

const serve = (options: Partial<Server.Options<any, never>> = {}) => serveOn("tcp://127.0.0.1:0", options)

/** Answers each message with what it is: text in upper case, the length of bytes. */
const tells = (connection: Connection.Connection) =>
  NodeWebSocket.each(connection, (message) =>
    connection.write(typeof message === "string" ? message.toUpperCase() : Uint8Array.of(message.length))
  )

const compressed = { perMessageDeflate: true }

describe("messages", () => {
  for (const [how, options] of [
    ["as they are", {}],
    ["compressed", compressed]
  ] as const) {
    it.live(`arrive one by one, text as text and bytes as bytes, ${how}`, () =>
      onWebSockets(
        Effect.gen(function* () {
          const { url } = yield* serve({ handler: tells })
          const { messages, socket } = yield* client(url, [], options)
          for (const message of ["text", "", "à", Buffer.alloc(3), Buffer.alloc(0), "x".repeat(70_000)]) {
            socket.send(message)
          }
          yield* until(() => messages.length === 6, "six answers")
          assert.deepStrictEqual(messages, ["TEXT", "", "À", Buffer.of(3), Buffer.of(0), "X".repeat(70_000)])
        }),
        options
      )
    )
  }

  it.live("go from one of ours to another, over TCP and over a Unix socket", () =>
    Effect.forEach(transports, ([, listen]) =>
      onWebSockets(
        Effect.gen(function* () {
          const { url } = yield* serveOn(yield* listen, { handler: tells })
          const connection = yield* Network.connect(url)
          for (const message of ["hello", "", Uint8Array.of(1, 2)]) yield* connection.write(message)
          const answers = yield* Stream.runCollect(Stream.take(NodeWebSocket.messages(connection), 3))
          assert.deepStrictEqual(answers, ["HELLO", "", Buffer.of(2)])
          assert.strictEqual((yield* connection.close)._tag, "Graceful")
        })
      )
    ).pipe(Effect.scoped)
  )

  it.live("that are half a character become the unknown one, as TextEncoder has it", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { url } = yield* serve({ handler: (connection) => connection.write("\uD83D") })
        const { messages } = yield* client(url)
        yield* until(() => messages.length === 1, "a message")
        assert.deepStrictEqual(messages, ["\uFFFD"])
      })
    )
  )

  it.live("in fragments, with a ping between them, are one", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { url } = yield* serve({ handler: tells })
        const peer = yield* handMade(url)
        const [first, last] = [frame(opcodes.text, "frag"), frame(0, "ments")]
        first[0] = opcodes.text
        yield* peer.send(first, frame(opcodes.ping, "?"), last)
        yield* peer.hears(1)
        assert.deepStrictEqual(peer.messages, ["FRAGMENTS"])
        assert.deepStrictEqual(peer.frames[0], { opcode: opcodes.pong, payload: Buffer.from("?") })
      })
    )
  )

  it.live("of a whole chunk wait one by one for a handler that takes its time", () =>
    onWebSockets(
      Effect.gen(function* () {
        const heard: Array<string> = []
        let working = 0
        const { url } = yield* serve({
          handler: (connection) =>
            NodeWebSocket.each(connection, (message) =>
              Effect.gen(function* () {
                assert.strictEqual(++working, 1)
                yield* Effect.yieldNow
                heard.push(message as string)
                working--
              })
            )
        })
        const peer = yield* handMade(url)
        const messages = Array.from({ length: 1000 }, (_, index) => `${index}`)
        yield* peer.send(...messages.map((message) => frame(opcodes.text, message)))
        yield* until(() => heard.length === messages.length, "all are heard")
        assert.deepStrictEqual(heard, messages)
      })
    )
  )

  it.live(
    "that were compressed and have arrived before a drain are answered, although they are still being unpacked",
    () =>
      onWebSockets(
        Effect.gen(function* () {
          const { drain, url } = yield* serve({ handler: tells })
          const clients = yield* Effect.replicateEffect(client(url, [], compressed), 20)
          const text = "a".repeat(100_000)
          for (const { socket } of clients) for (let i = 0; i < 5; i++) socket.send(text)
          // Their bytes have left this process, and nobody has read one yet.
          yield* until(() => clients.every(({ socket }) => socket.bufferedAmount === 0), "all is sent")
          assert.isTrue((yield* drain.begin).clean)
          yield* until(() => clients.every(({ closed }) => closed !== undefined), "all are closed")
          assert.deepStrictEqual(
            clients.map(({ closed, messages }) => [closed, messages.length]),
            clients.map(() => ["1001 going away", 5])
          )
        }),
        compressed
      )
  )

  it.live("that are longer once they are unpacked than maxPayload are not taken", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { url } = yield* serve({ handler: tells })
        const bomb = yield* client(url, [], compressed)
        bomb.socket.send(Buffer.alloc(10_000))
        yield* until(() => bomb.closed !== undefined, "it is told")
        assert.isBelow(deflateRawSync(Buffer.alloc(10_000)).length, 1000)
        assert.strictEqual(bomb.closed, "1009")
      }),
      { ...compressed, maxPayload: 1000 }
    )
  )
})

describe("options", () => {
  it.live("protocols: the best that is offered is taken, or none", () =>
    onWebSockets(
      Effect.gen(function* () {
        const protocols: Array<string> = []
        const { url } = yield* serve({
          handler: (connection) =>
            Effect.sync(() => protocols.push(Option.getOrThrow(NodeWebSocket.socket(connection)).protocol))
        })
        const taken = yield* client(url, ["v1", "v2", "v9"])
        assert.strictEqual(taken.socket.protocol, "v2")
        // One that none is taken of gives up by itself.
        const none = yield* client(url, ["v9"])
        assert.match(none.error!.message, /no subprotocol/)
        const connection = yield* Network.connect(url)
        assert.strictEqual(Option.getOrThrow(NodeWebSocket.socket(connection)).protocol, "v2")
        yield* connection.close
        assert.deepStrictEqual(protocols, ["v2", "", "v2"])
      }),
      { protocols: ["v2", "v1"] }
    )
  )

  it.live("path and headers reach the server, and its handler", () =>
    onWebSockets(
      Effect.gen(function* () {
        const seen: Array<string> = []
        const { url } = yield* serve({
          handler: (connection) =>
            Effect.sync(() => {
              const { headers, url } = Option.getOrThrow(NodeWebSocket.request(connection))
              seen.push(`${url} ${String(headers["x-who"])} ${headers.cookie}`)
            })
        })
        const connection = yield* Network.connect(url)
        assert.isTrue(Option.isNone(NodeWebSocket.request(connection)))
        yield* connection.close
        yield* client(`${url}/chat?room=1`, [], { headers: { cookie: "a=b" } })
        yield* until(() => seen.length === 2, "both are seen")
        assert.deepStrictEqual(seen, ["/chat me undefined", "/chat?room=1 undefined a=b"])
      }),
      { path: "/chat", headers: { "X-Who": "me" } }
    )
  )

  it("that are out of their range are refused where they are given", () => {
    for (const maxPayload of [0, -1, 1.5, 2 ** 31, Number.NaN]) {
      assert.throws(() => NodeWebSocket.provider({ maxPayload }), RangeError, `maxPayload: ${maxPayload} is not`)
    }
  })

  it.live("of ws that are not given leave the limits as they are", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { url } = yield* serve({ handler: tells })
        const connection = yield* Network.connect(url)
        yield* connection.write(Buffer.alloc(11))
        const { pull } = yield* connection.reader
        assert.strictEqual((yield* Effect.flip(pull)).message, "1009")
      }),
      { maxPayload: 10, serverOptions: { maxPayload: undefined }, clientOptions: { maxPayload: undefined } }
    )
  )

  it.live("of ws are passed on, but for those that are ours", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { url } = yield* serve({ handler: tells })
        const peer = yield* client(url)
        peer.socket.send(Buffer.alloc(11))
        yield* until(() => peer.closed !== undefined, "it is closed")
        assert.strictEqual(peer.closed, "1009")
      }),
      { serverOptions: { maxPayload: 10, clientTracking: true, noServer: false, port: 1 } }
    )
  )
})

describe("a connection that is no WebSocket", () => {
  it.live("has neither a request nor a socket, and is read in chunks of bytes", () =>
    real(
      Effect.gen(function* () {
        const { url } = yield* serve({ handler: (connection) => connection.write("bytes") })
        const connection = yield* Network.connect(url)
        assert.isTrue(Option.isNone(NodeWebSocket.request(connection)))
        assert.isTrue(Option.isNone(NodeWebSocket.socket(connection)))
        const chunks = yield* Stream.runCollect(NodeWebSocket.messages(connection))
        assert.deepStrictEqual(chunks.map(String), ["bytes"])
        assert.notStrictEqual(typeof chunks[0], "string")
      })
    )
  )
})

describe("a goodbye", () => {
  it.live("with a code or a reason that cannot be said is a defect", () =>
    onWebSockets(
      Effect.gen(function* () {
        const { url } = yield* serve()
        const connection = yield* Network.connect(url)
        const wrong = [
          [999, "", /999 is not a code/],
          [1005, "", /1005 is not a code/],
          [1006, "", /1006 is not a code/],
          [2000, "", /2000 is not a code/],
          [5000, "", /5000 is not a code/],
          [4000, "é".repeat(62), /at most 123 bytes, this one has 124/]
        ] as const
        for (const [code, reason, expected] of wrong) {
          const exit = yield* Effect.exit(NodeWebSocket.close(connection, code, reason))
          assert.match(exit._tag === "Failure" ? Cause.pretty(exit.cause) : "", expected)
        }
        assert.strictEqual(connection.stage, "Open")
      })
    )
  )
})
