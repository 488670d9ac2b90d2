/** Both ends of a WebSocket: an application, and a client of somebody else's. */
import * as NodeWS from "@effect/platform-node/NodeWS"
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import type { Socket } from "effect/socket"
import { once } from "node:events"
import { certificate } from "../contract/certificate.ts"
import { lines } from "./client.ts"
import { answering, type App, host, type Listening, type Protocol } from "./world.ts"

/** HTTP/1.1 with a server that speaks HTTP/2, too. */
export const over: ReadonlyArray<Protocol> = ["http", "https", "h2"]

/** A client of somebody else's. */
export const dial = (
  { port, protocol }: Listening,
  options: NodeWS.ClientOptions = {},
  protocols: Array<string> = []
) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const scheme = protocol === "http" ? "ws" : "wss"
      const socket = new NodeWS.WebSocket(`${scheme}://${host}:${port}/ws`, protocols, {
        ca: certificate.cert,
        ...options
      })
      socket.on("error", () => {})
      return socket
    }),
    (socket) => Effect.sync(() => socket.terminate())
  )

export const opened = (socket: NodeWS.WebSocket) => Effect.promise(() => once(socket, "open"))

export const message = (socket: NodeWS.WebSocket) =>
  Effect.promise(async () => {
    const [data, isBinary] = (await once(socket, "message")) as [Buffer, boolean]
    return isBinary ? [...data] : data.toString()
  })

export const closed = (socket: NodeWS.WebSocket) =>
  Effect.promise(async () => {
    const [code, reason] = (await once(socket, "close")) as [number, Buffer]
    return `${code} ${reason.toString()}`.trim()
  })

export const refused = (socket: NodeWS.WebSocket) =>
  Effect.promise(async () => {
    const [, response] = (await once(socket, "unexpected-response")) as [
      unknown,
      AsyncIterable<Buffer> & { readonly statusCode: number }
    ]
    let body = ""
    for await (const chunk of response) body += chunk.toString()
    return { status: response.statusCode, body }
  })

export type Talk = (ends: {
  readonly reader: Socket.Reader
  readonly writer: Socket.Writer
}) => Effect.Effect<unknown, unknown>

export const upgraded = (talk: Talk): App =>
  answering((request) =>
    Effect.gen(function* () {
      const socket = yield* request.upgrade
      yield* Effect.scoped(
        Effect.gen(function* () {
          const reader = yield* socket.reader
          const writer = yield* socket.writer
          yield* talk({ reader, writer })
        })
      )
      return HttpServerResponse.empty()
    })
  )

export const echo = upgraded(({ reader, writer }) =>
  Effect.forever(Effect.flatMap(reader.pull, (frames) => writer.writeAll(frames)))
)

export const handshake = (...headers: ReadonlyArray<string>) =>
  lines("GET /ws HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket", ...headers, "", "")

export const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
