/**
 * The job server as an Effect application, over an HTTP server that the subject provides: through `HttpRouter.serve` or
 * `HttpServer.serve`, its requests answered or upgraded to WebSockets.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Protocol from "../Protocol.ts"
import { announced } from "./announced.ts"
import { converse } from "./lines.ts"
import { openCount } from "./opened.ts"

const { text, uint8Array } = HttpServerResponse

/** HTTP/2 has no word for it: a stream has its own end. */
const last = (request: HttpServerRequest) =>
  NodeHttpServerRequest.toIncomingMessage(request).httpVersionMajor === 1 ? { headers: { connection: "close" } } : {}

const answer = Effect.fnUntraced(function* (request: HttpServerRequest) {
  const asked = Protocol.parsePath(request.url)
  if (asked === undefined) return HttpServerResponse.empty({ status: 404 })
  const { amount, verb } = asked
  switch (verb) {
    case "WORK":
      yield* Effect.sleep(amount)
      return text(`DONE ${amount}\n`)
    case "GET":
    case "UNREAD":
      return uint8Array(Protocol.sizedBody(amount))
    case "REJECT":
      return uint8Array(Protocol.sizedBody(amount), last(request))
    case "FINALIZER":
      yield* Effect.addFinalizer(() => Effect.sleep(amount))
      return text("OK\n")
    case "BLOCK":
      yield* Effect.sync(() => Protocol.blockLoop(amount))
      return text("OK\n")
    case "STAT":
      return text(`OPEN ${openCount()}\n`)
  }
})

const upgrade = Effect.fnUntraced(function* (request: HttpServerRequest) {
  yield* converse(yield* request.upgrade)
  return HttpServerResponse.empty()
})

/** What becomes of a request. */
const handlers = { answer, upgrade }
export type How = keyof typeof handlers

export const ways = {
  router: (how: How) =>
    HttpRouter.serve(HttpRouter.add("*", "/*", handlers[how]), { disableListenLog: true, disableLogger: true }),
  app: (how: How) => HttpServer.serve(Effect.flatMap(HttpServerRequest, handlers[how]))
}

/** The whole server, over this HTTP server. */
export const serve = <R, E>(
  way: keyof typeof ways,
  how: How,
  server: Layer.Layer<HttpServer.HttpServer | R, E>
): Effect.Effect<never, E> =>
  ways[way](how).pipe(
    Layer.merge(Layer.effectDiscard(HttpServer.HttpServer.use(announced))),
    Layer.provide(server),
    Layer.launch
  )
