/** Applications of Effect's, the smallest that answer as the others do, on either module that is a server for them. */
import type * as EffectNodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Socket from "effect/socket/Socket"
import { createServer } from "node:http"
import * as Http2 from "node:http2"
import { bodyOf, keepAliveMillis, workMillis } from "../http.ts"
import { announce } from "./listening.ts"
import { backlog, command, onCommand } from "./command.ts"

const response = HttpServerResponse.text(bodyOf(command.service, command.size))

const receive = Effect.gen(function* () {
  const request = yield* HttpServerRequest
  yield* request.arrayBuffer
  return response
})

/** Sends back what a WebSocket says, until it ends. */
const echo = Effect.gen(function* () {
  const request = yield* HttpServerRequest
  const socket = yield* request.upgrade
  const writer = yield* socket.writer
  const pull = yield* Socket.readerBytes(socket)
  while (true) yield* writer.writeAll(yield* pull)
}).pipe(
  Effect.scoped,
  Effect.catchReason("SocketError", "SocketCloseError", () => Effect.succeed(HttpServerResponse.empty()))
)

const apps = {
  text: Effect.succeed(response),
  work: Effect.delay(Effect.succeed(response), workMillis),
  upload: receive,
  echo
}
const app = apps[command.service as keyof typeof apps]
const method = command.service === "upload" ? "POST" : "GET"
const served =
  command.variant === "router"
    ? HttpRouter.serve(HttpRouter.add(method, "/", app), { disableLogger: true, disableListenLog: true })
    : HttpServer.serve(app)

/** Serves until it is told to close, which is the end of its scope. */
export const serveApp = (module: Pick<typeof EffectNodeHttpServer, "layer">): void => {
  const node = () =>
    command.transport === "h2" ? Http2.createServer() : createServer({ keepAliveTimeout: keepAliveMillis })
  const listening = module.layer(node, { host: "127.0.0.1", port: 0, backlog })
  const announced = Layer.effectDiscard(Effect.map(HttpServer.HttpServer, announce))
  const main = announced.pipe(Layer.provide(served), Layer.provide(listening))
  const running = Effect.runFork(Effect.provideService(Layer.launch(main), Logger.LogToStderr, true))
  onCommand(() => void Effect.runFork(Fiber.interrupt(running)))
}
