/** Peers of WebSockets that share no code with what is tested: one made by hand, on `node:net`, and the package `ws`. */
import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import type { Network } from "finwait/Network"
import { WebSocket } from "ws"
import { RawClient } from "../../../../test/tools/RawClient.ts"

/** Runs on WebSockets over the system's network, quietly, in a scope of its own. */
export const onWebSockets = <A, E>(
  program: Effect.Effect<A, E, Network | Scope.Scope>,
  options?: NodeWebSocket.Options
): Effect.Effect<A, E> =>
  program.pipe(Effect.scoped, Effect.provide(Layer.merge(NodeWebSocket.layer(options), Logger.layer([]))))

export const request = (path = "/", headers = "") =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`

export const opcodes = { text: 1, bytes: 2, close: 8, ping: 9, pong: 10 }

/** A frame as a client sends it, masked with nothing but zeros where it need not be otherwise. */
export const frame = (opcode: number, payload: string | Uint8Array = "", isMasked = true): Buffer => {
  const data = Buffer.from(payload as string)
  const length = data.length < 126 ? 0 : data.length < 65_536 ? 2 : 8
  const head = Buffer.alloc(2 + length + (isMasked ? 4 : 0))
  head[0] = 0x80 | opcode
  head[1] = (isMasked ? 0x80 : 0) | (length === 0 ? data.length : length === 2 ? 126 : 127)
  if (length === 2) head.writeUInt16BE(data.length, 2)
  if (length === 8) head.writeBigUInt64BE(BigInt(data.length), 2)
  return Buffer.concat([head, data])
}

/** The payload of a close frame. */
export const closing = (code: number, reason = ""): Buffer => {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  return payload
}

/** The frames of a server, in what has arrived behind its answer to the upgrade. */
const framesOf = (bytes: Buffer): ReadonlyArray<{ readonly opcode: number; readonly payload: Buffer }> => {
  const frames = []
  for (let at = bytes.indexOf("\r\n\r\n") + 4; at > 3 && at + 2 <= bytes.length;) {
    const opcode = bytes[at]! & 0x0f
    let length = bytes[at + 1]! & 0x7f
    let head = 2
    if (length === 126) [length, head] = [bytes.readUInt16BE(at + 2), 4]
    else if (length === 127) [length, head] = [Number(bytes.readBigUInt64BE(at + 2)), 10]
    if (at + head + length > bytes.length) break
    frames.push({ opcode, payload: bytes.subarray(at + head, at + head + length) })
    at += head + length
  }
  return frames
}

/** A peer that says what it is told to, and answers nothing by itself but the end of the stream. */
export class HandMade {
  readonly raw: RawClient

  constructor(raw: RawClient) {
    this.raw = raw
  }

  get frames() {
    return framesOf(this.raw.bytes)
  }

  get messages(): ReadonlyArray<string> {
    return this.frames.filter(({ opcode }) => opcode <= 2).map(({ payload }) => payload.toString())
  }

  /** The close frame that has arrived: `1001 going away`, or `no code`. */
  get goodbye(): string | undefined {
    const payload = this.frames.find(({ opcode }) => opcode === opcodes.close)?.payload
    if (payload === undefined || payload.length === 0) return payload === undefined ? undefined : "no code"
    return `${payload.readUInt16BE()} ${payload.subarray(2).toString()}`.trimEnd()
  }

  get pings(): number {
    return this.frames.filter(({ opcode }) => opcode === opcodes.ping).length
  }

  until(condition: () => boolean, what: string) {
    return Effect.promise(() => this.raw.until(condition, what))
  }

  hears(messages: number) {
    return this.until(() => this.messages.length >= messages, `${messages} messages`)
  }

  hearsGoodbye() {
    return Effect.map(
      this.until(() => this.goodbye !== undefined, "a close frame"),
      () => this.goodbye!
    )
  }

  send(...frames: ReadonlyArray<Buffer>) {
    return Effect.promise(() => this.raw.send(Buffer.concat(frames)))
  }

  ended() {
    return Effect.promise(() => this.raw.ended())
  }
}

/** Connected, nothing said. */
export const connected = (url: string, options?: { readonly answersFin?: boolean }) =>
  Effect.acquireRelease(
    Effect.promise(() => RawClient.connect(url, options)),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** Connected, and upgraded. */
export const handMade = Effect.fnUntraced(function* (url: string, options?: { readonly answersFin?: boolean }) {
  const raw = yield* connected(url, options)
  yield* Effect.promise(() => raw.send(request()))
  yield* Effect.promise(() => raw.hears("\r\n\r\n"))
  return new HandMade(raw)
})

/** The client of `ws`, with all that it has heard. */
export class Client {
  readonly socket: WebSocket
  readonly messages: Array<string | Buffer> = []
  /** `1001 going away`. */
  closed: string | undefined
  error: Error | undefined

  constructor(url: string, protocols: Array<string> = [], options: ConstructorParameters<typeof WebSocket>[2] = {}) {
    this.socket = new WebSocket(url.replace("tcp:", "ws:"), protocols, { perMessageDeflate: false, ...options })
    this.socket.on("message", (data, isBinary) => {
      const bytes = data as Buffer
      this.messages.push(isBinary ? bytes : bytes.toString())
    })
    this.socket.on("close", (code, reason) => {
      this.closed = `${code} ${reason.toString()}`.trimEnd()
    })
    this.socket.on("error", (error) => {
      this.error = error
    })
  }

  get opened(): boolean {
    return this.socket.readyState !== WebSocket.CONNECTING
  }
}

/** A client of `ws`, open unless it was turned down; destroyed at the end of the scope. */
export const client = (
  url: string,
  protocols?: Array<string>,
  options?: ConstructorParameters<typeof WebSocket>[2]
): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Client>((resume) => {
      const client = new Client(url, protocols, options)
      const settled = () => resume(Effect.succeed(client))
      client.socket.once("open", settled).once("close", settled)
    }),
    ({ socket }) => Effect.sync(() => socket.terminate())
  )
