/** A server of the developer tools, and a program whose spans it shows. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Clock, Console, Deferred, Effect, Layer, Metric, Queue } from "effect"
import { DevTools, DevToolsServer } from "effect/devtools"
import { SocketServer } from "effect/socket"

const program = Effect.gen(function* () {
  const server = yield* SocketServer.SocketServer
  const { address } = server
  if (address._tag === "UnixPathAddress") return yield* Effect.die("not a port")
  const counted = yield* Deferred.make<void>()
  const gone = yield* Deferred.make<void>()

  yield* DevToolsServer.run(
    Effect.fnUntraced(function* (client) {
      while (true) {
        const request = yield* Queue.take(client.queue)
        switch (request._tag) {
          case "Span": {
            const parent = request.parent._tag === "Some" ? " of a parent" : ""
            yield* Console.log(`span ${request.name}${parent}: ${request.status._tag}`, request.attributes)
            break
          }
          case "SpanEvent": {
            yield* Console.log(`event ${request.name}`, request.attributes)
            yield* client.send({ _tag: "MetricsRequest" })
            break
          }
          case "MetricsSnapshot": {
            const orders = request.metrics.find(({ id }) => id === "orders")
            yield* Console.log(`metrics: ${orders?.type} ${orders?.id}`)
            // The client sends one of its own accord: its last.
            if (!(yield* Deferred.succeed(counted, void 0))) return yield* Deferred.succeed(gone, void 0)
            break
          }
        }
      }
    })
  ).pipe(Effect.forkScoped)

  const order = Effect.gen(function* () {
    yield* Effect.annotateCurrentSpan("customer", "ada")
    yield* Metric.update(Metric.counter("orders"), 1)
    yield* Effect.gen(function* () {
      const span = yield* Effect.currentSpan
      span.event("charged", yield* Clock.currentTimeNanos, { card: "visa" })
    }).pipe(Effect.withSpan("payment", { attributes: { amount: 3 } }))
    yield* Deferred.await(counted)
    yield* Effect.fail("out of stock").pipe(Effect.withSpan("shipping"), Effect.ignore)
  }).pipe(Effect.withSpan("order"))

  yield* Effect.provide(
    order,
    DevTools.layerSocket.pipe(Layer.provide(NodeSocket.layerNet({ host: "127.0.0.1", port: address.port })))
  )
  yield* Deferred.await(gone)
})

program.pipe(Effect.scoped, Effect.provide(NodeSocketServer.layer({ host: "127.0.0.1", port: 0 })), NodeRuntime.runMain)
