/**
 * WebSockets: the same connections, servers, closes and drains, over messages in place of bytes. It stands on the package
 * `ws`, and on whatever network is below.
 *
 * ```ts no-run
 * import * as NodeProcess from "@finwait/node/NodeProcess"
 * import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Server from "finwait/Server"
 *
 * const shout = Server.layer({
 *   listen: "tcp://0.0.0.0:8080",
 *   handler: (connection) =>
 *     NodeWebSocket.each(connection, (message) =>
 *       typeof message === "string" ? connection.write(message.toUpperCase()) : Effect.void
 *     ),
 *   drain: { deadline: "20 seconds" }
 * })
 *
 * NodeProcess.runMain(Layer.launch(shout.pipe(Layer.provide(NodeWebSocket.layer()))))
 * ```
 *
 * Addresses stay what they are, `tcp://…` and `unix://…`: they say where the stream goes, and every stream is upgraded.
 * A request for anything else is answered with 426.
 *
 * **Messages.** One `write` is one message: of text when it is given text, of bytes when it is given bytes, and it arrives
 * as one chunk, which may be empty. What is read is bytes; `messages` and `each` of this module give text as text.
 *
 * **The close.** The two close frames are the two ends. A drain says 1001, `close` of this module what it is told, and
 * every other close 1000; the peer's goodbye ends the input, and is answered with the same words. The `ClosePolicy` holds
 * as for every connection: a peer that does not answer is waited for as its linger limits say. Who has said goodbye reads
 * on, and throws away; who has heard it says what was written before, and no more: there is no half-close. An end of the
 * stream that nobody has announced ends the input as well, as 1006 to who reads an Effect `Socket`.
 *
 * **What breaks it.** A message that is too long, text that is not UTF-8, a frame that is against the protocol: the peer
 * is told why (1009, 1007, 1002), and the connection is broken with the code of `ws`, for example
 * `WS_ERR_UNSUPPORTED_MESSAGE_LENGTH`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { CloseOutcome } from "finwait/CloseOutcome"
import * as Connection from "finwait/Connection"
import type { ConnectionError } from "finwait/ConnectionError"
import * as Network from "finwait/Network"
import * as Transport from "finwait/Transport"
import type * as Http from "node:http"
import type * as WS from "ws"
import { dialWebSocket } from "./internal/webSocketDial.ts"
import { checkGoodbye } from "./internal/webSocketGoodbye.ts"
import { upgrading } from "./internal/webSocketListen.ts"
import { type WebSocketOptions, webSocketSettings } from "./internal/webSocketSettings.ts"
import { WebSocketTransport } from "./internal/webSocketTransport.ts"
import * as NodeNetwork from "./NodeNetwork.ts"

/**
 * Options of WebSockets, accepted and dialled.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends WebSocketOptions {}

/**
 * WebSockets as a provider, over another one: TCP and Unix sockets when none is given.
 *
 * A dial fails with `NetworkError` when the stream cannot be had, or the other side does not upgrade it: reason
 * `SystemFailure` with the code `EPROTO` for any other answer, `ETIMEDOUT` after `handshakeTimeout`. An option that is out
 * of its range throws a `RangeError`, here.
 *
 * @category constructors
 * @since 0.1.0
 */
export const provider = (
  options: Options = {},
  base: Transport.Provider = NodeNetwork.provider()
): Transport.Provider => {
  const settings = webSocketSettings(options)
  return {
    connect: dialWebSocket(base, settings),
    listen: (address, listenOptions) =>
      Effect.flatMap(base.listen(address, listenOptions), (acceptor) => upgrading(acceptor, settings))
  }
}

/**
 * Provides a `Network` whose connections are WebSockets, over the provider given; over TCP and Unix sockets when none is.
 * An option that is out of its range is a defect, `RangeError`.
 *
 * **Example**
 *
 * ```ts
 * import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
 * import * as Effect from "effect/Effect"
 * import * as Network from "finwait/Network"
 * import * as Server from "finwait/Server"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const server = yield* Server.make({
 *     listen: "tcp://127.0.0.1:0",
 *     handler: (connection) => NodeWebSocket.each(connection, (message) => connection.write(`${message}!`))
 *   })
 *   const client = yield* Network.connect(server.address)
 *   yield* client.write("hello")
 *   return new TextDecoder().decode(yield* client.pull)
 * }))
 *
 * console.log(await Effect.runPromise(Effect.provide(program, NodeWebSocket.layer()))) // => hello!
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}, base?: Transport.Provider): Layer.Layer<Network.Network> =>
  Layer.sync(Network.Network, () => Network.make(provider(options, base)))

const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true })

const messageOf = (connection: Connection.Connection, chunk: Uint8Array): string | Uint8Array =>
  Connection.isText(connection, chunk) ? textDecoder.decode(chunk) : chunk

/**
 * The messages that arrive, text as text, as a stream. Ends, and fails, as `connection.stream` does. On other connections
 * than WebSockets it gives chunks of bytes.
 *
 * **Example**
 *
 * ```ts
 * import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 * import * as Network from "finwait/Network"
 * import * as Server from "finwait/Server"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const server = yield* Server.make({
 *     listen: "tcp://127.0.0.1:0",
 *     handler: Effect.fnUntraced(function*(connection) {
 *       yield* connection.write("three bytes:")
 *       yield* connection.write(Uint8Array.of(1, 2, 3))
 *     })
 *   })
 *   const client = yield* Network.connect(server.address)
 *   return yield* Stream.runCollect(NodeWebSocket.messages(client))
 * }))
 *
 * const messages = await Effect.runPromise(Effect.provide(program, NodeWebSocket.layer()))
 * console.log(messages.map((message) => message.length)) // => [ 12, 3 ]
 * console.log(messages[0]) // => three bytes:
 * ```
 *
 * @category reading
 * @since 0.1.0
 */
export const messages = (connection: Connection.Connection): Stream.Stream<string | Uint8Array, ConnectionError> =>
  Stream.map(connection.stream, (chunk) => messageOf(connection, chunk))

/**
 * `connection.each` with messages, text as text: the fastest way to read. The handler is called inside of the event that
 * brings the message, with one at a time.
 *
 * @category reading
 * @since 0.1.0
 */
export const each = <E, R>(
  connection: Connection.Connection,
  handle: (message: string | Uint8Array) => Effect.Effect<unknown, E, R>
): Effect.Effect<void, E | ConnectionError, R> => connection.each((chunk) => handle(messageOf(connection, chunk)))

/**
 * Closes as `connection.close` does, and says this code and reason. Codes that an application may choose are 1000 to 1003,
 * 1007 to 1014 and 3000 to 4999, of which 4000 to 4999 are its own; a reason has 123 bytes of UTF-8 at most. Others are a
 * defect, `RangeError`. Does not change what a close says that has begun, nor the answer to a goodbye.
 *
 * **Example**
 *
 * ```ts
 * import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
 * import * as Effect from "effect/Effect"
 * import * as Network from "finwait/Network"
 * import * as Server from "finwait/Server"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const server = yield* Server.make({
 *     listen: "tcp://127.0.0.1:0",
 *     handler: (connection) => NodeWebSocket.close(connection, 4001, "come back tomorrow")
 *   })
 *   const client = yield* Network.connect(server.address)
 *   const { pull } = yield* client.reader
 *   return (yield* Effect.flip(pull)).reason
 * }))
 *
 * const reason = await Effect.runPromise(Effect.provide(program, NodeWebSocket.layer()))
 * console.log(reason.message) // => 4001: come back tomorrow
 * ```
 *
 * @category closing
 * @since 0.1.0
 */
export const close = (connection: Connection.Connection, code: number, reason = ""): Effect.Effect<CloseOutcome> =>
  Effect.suspend(() => {
    checkGoodbye(code, reason)
    return Connection.closeWith(connection, { code, reason })
  })

const webSocketOf = (connection: Connection.Connection): Option.Option<WebSocketTransport> => {
  const pipe = Transport.of(connection)
  return pipe instanceof WebSocketTransport ? Option.some(pipe) : Option.none()
}

/**
 * The request that was upgraded: its URL, headers and cookies. None for a connection that was dialled, or is no WebSocket.
 *
 * @category accessors
 * @since 0.1.0
 */
export const request = (connection: Connection.Connection): Option.Option<Http.IncomingMessage> =>
  Option.flatMap(webSocketOf(connection), (pipe) => Option.fromUndefinedOr(pipe.request))

/**
 * The socket of `ws` under a connection: its subprotocol, its extensions. Reading, writing, pausing and closing are the
 * connection's. None for a connection that is no WebSocket.
 *
 * @category accessors
 * @since 0.1.0
 */
export const socket = (connection: Connection.Connection): Option.Option<WS.WebSocket> =>
  Option.map(webSocketOf(connection), (pipe) => pipe.socket)
