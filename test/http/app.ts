/**
 * The application of all servers here, and how it is served: by Finwait, or by Effect's own module for comparison.
 *
 *     GET  /{id}/{millis}/{bytes}          the body of that number, after so long
 *     POST /{id}/{millis}/{bytes}          the same, once the request's own body has been read
 *     GET  /{id}/{millis}/{bytes}/stream   the same in four parts, so long apart
 *     GET  /{id}/0/{bytes}/held            half of it, and the rest when the server has been told to stop
 *
 * A query `?attachment` has browsers save it. Anything else is answered with an empty page.
 */
import * as EffectsHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServer from "@finwait/node/NodeHttpServer"
import * as Effect from "effect/Effect"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import type { Report } from "finwait/Drain"
import { readFileSync } from "node:fs"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import { join } from "node:path"
import { folder } from "../../packages/node/test/support/certificates.ts"
import type { Count } from "./Count.ts"
import { bodyOf } from "./filler.ts"

/** `h2c` is HTTP/2 without TLS, `h2` with it, which speaks HTTP/1.1 with who asks for that. */
export type Protocol = "http" | "https" | "h2c" | "h2"

export interface Settings {
  readonly protocol?: Protocol
  readonly by?: "Finwait" | "Effect"
  /** Default: any. */
  readonly port?: number
  readonly keepAliveGraceMillis?: number
  readonly lameDuckMillis?: number
}

/** Who asked for what, as far as the server knows. */
export interface Asked {
  readonly asked: Count
  /** The server has been told to stop. */
  readonly told: Promise<void>
}

const parts = 4

const streamed = (body: Uint8Array, millis: number) => {
  const size = Math.ceil(body.length / parts)
  const all = Array.from({ length: parts }, (_, i) => body.subarray(i * size, (i + 1) * size))
  return Stream.mapEffect(Stream.fromIterable(all), (part) => Effect.as(Effect.sleep(millis), part))
}

const held = (body: Uint8Array, told: Promise<void>) => {
  const half = body.length >> 1
  const rest = Effect.as(
    Effect.promise(() => told),
    body.subarray(half)
  )
  return Stream.concat(Stream.make(body.subarray(0, half)), Stream.fromEffect(rest))
}

export const app = ({ asked, told }: Asked) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest
    const { pathname, searchParams } = new URL(request.url, "http://localhost")
    const [id, millis, bytes, how] = pathname.slice(1).split("/")
    if (bytes === undefined) return HttpServerResponse.html("<!doctype html><title>here</title>")
    asked.add()
    if (request.method === "POST") yield* request.arrayBuffer
    const body = bodyOf(Number(id), Number(bytes))
    const disposition = `attachment; filename="${id}"`
    const headers = searchParams.has("attachment") ? { "content-disposition": disposition } : undefined
    if (how === "held") return HttpServerResponse.stream(held(body, told), { headers })
    if (how === "stream") return HttpServerResponse.stream(streamed(body, Number(millis)), { headers })
    if (millis !== "0") yield* Effect.sleep(Number(millis))
    return HttpServerResponse.uint8Array(body, { headers })
  })

const read = (file: string) => readFileSync(join(folder, file))

const nodeServer = (protocol: Protocol) => {
  const certificate = { key: read("server.key"), cert: read("server.crt") }
  switch (protocol) {
    case "http":
      return Http.createServer()
    case "https":
      return Https.createServer(certificate)
    case "h2c":
      return Http2.createServer()
    case "h2":
      return Http2.createSecureServer({ ...certificate, allowHTTP1: true })
  }
}

/** Listens and serves until the end of the scope; says on which port. */
export const serve = Effect.fnUntraced(function* (
  settings: Settings,
  asked: Asked,
  onDrained: (report: Report) => void = () => {}
) {
  const { by = "Finwait", keepAliveGraceMillis, lameDuckMillis, port = 0, protocol = "http" } = settings
  const evaluate = () => nodeServer(protocol)
  const options = { host: "127.0.0.1", port }
  const server = yield* by === "Effect"
    ? EffectsHttpServer.make(evaluate, options)
    : NodeHttpServer.make(evaluate, {
        ...options,
        keepAliveGrace: keepAliveGraceMillis,
        drain: { lameDuck: lameDuckMillis ?? 0 },
        onDrained: (report) => Effect.sync(() => onDrained(report))
      })
  yield* server.serve(app(asked))
  return "port" in server.address ? server.address.port : 0
})
