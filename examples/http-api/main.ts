/**
 * A web server with everything that takes time: slow jobs, uploads, downloads, server-sent events, a WebSocket. On SIGTERM
 * its readiness turns false and it goes on serving, for as long as a balancer needs to notice; then each of these is
 * brought to its end. Health and metrics are on a port of their own, which answers until that is done.
 *
 *     PORT=3000 ADMIN_PORT=9000 LAME_DUCK="5 seconds" node main.ts
 *
 *     curl -d '{"millis":3000}' -H 'content-type: application/json' 127.0.0.1:3000/jobs
 *     curl 127.0.0.1:9000/readyz
 *     curl -N -H 'accept: text/event-stream' 127.0.0.1:9000/drainz
 *     curl 127.0.0.1:9000/metrics
 *
 * What is Finwait's: `NodeHttpServer`, in place of the module of that name in @effect/platform-node, and `Health`.
 */
import * as NodeHttpServer from "@finwait/node/NodeHttpServer"
import * as NodeProcess from "@finwait/node/NodeProcess"
import { Config, Console, Duration, Effect, Layer, Logger } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as Health from "finwait/Health"
import { createServer } from "node:http"
import { routes } from "./routes.ts"

const port = (name: string, otherwise: number) => Config.Int(name).pipe(Config.withDefault(otherwise))

const server = NodeHttpServer.layerConfig(createServer, {
  host: Config.succeed("127.0.0.1"),
  port: port("PORT", 3000),
  drain: { lameDuck: Config.Duration("LAME_DUCK").pipe(Config.withDefault(Duration.seconds(5))) },
  onDrained: Config.succeed((report) => Console.log(JSON.stringify({ drained: report })))
})

const adminServer = NodeHttpServer.layerConfig(createServer, {
  host: Config.succeed("127.0.0.1"),
  port: port("ADMIN_PORT", 9000)
})

/** Says where a server listens, as soon as it does. */
const saying = (as: string) =>
  Layer.effectDiscard(HttpServer.addressFormattedWith((address) => Console.log(JSON.stringify({ [as]: address }))))

const main = Layer.merge(
  HttpRouter.serve(routes, { disableListenLog: true }),
  Health.layerAdmin(Layer.provideMerge(saying("admin"), adminServer), { metrics: {} })
).pipe(
  Layer.provide(Layer.provideMerge(saying("listening"), server)),
  Layer.launch,
  Effect.provideService(Logger.LogToStderr, true)
)

NodeProcess.runMain(main)
