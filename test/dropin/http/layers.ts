/** What the layers give, and the handlers without a server. */
import { Config, ConfigProvider, Effect, FileSystem, Layer } from "effect"
import { FetchHttpClient, HttpClient, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { once } from "node:events"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { both } from "../contract/Row.ts"
import { exchange, get } from "./client.ts"
import type { Row } from "./Row.ts"
import { answering, host, portOf } from "./world.ts"

const url = answering((request) => Effect.succeed(HttpServerResponse.text(request.url)))
const text = (text: string) => Effect.succeed(HttpServerResponse.text(text))

/** Asks a server that an environment provides. */
const fetched = (path: string) =>
  Effect.flatMap(HttpServer.HttpServer, (server) =>
    Effect.map(
      exchange({ port: portOf(server) }, get(path, "Connection: close")),
      ({ wire }) => wire.split("\r\n\r\n")[1]
    )
  )

const routes = HttpRouter.serve(HttpRouter.add("GET", "/a", text("routed")), {
  disableLogger: true,
  disableListenLog: true
})

export const layers: ReadonlyArray<Row> = [
  {
    what: "the layer serves routes, and gives the services that files need",
    over: ["http"],
    see: ({ servers }) =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const isThere = yield* files.exists(import.meta.filename)
        return [isThere, yield* fetched("/a")]
      }).pipe(
        Effect.provide(
          Layer.provideMerge(
            routes,
            servers.module.layer(() => Http.createServer(), { host, port: 0 })
          )
        )
      ),
    expected: both([true, "routed"])
  },
  {
    what: "the layer of the server alone",
    over: ["http"],
    see: ({ servers }) =>
      Effect.provide(
        fetched("/a"),
        Layer.provideMerge(
          routes,
          servers.module.layerServer(() => Http.createServer(), { host, port: 0 })
        )
      ),
    expected: both("routed")
  },
  {
    what: "the layer by a configuration",
    over: ["http"],
    see: ({ servers }) => {
      const layer = servers.module.layerConfig(() => Http.createServer(), {
        host: Config.String("HOST"),
        port: Config.Number("PORT")
      })
      const config = ConfigProvider.layer(ConfigProvider.fromUnknown({ HOST: host, PORT: 0 }))
      return Effect.provide(fetched("/a"), Layer.provide(Layer.provideMerge(routes, layer), config))
    },
    expected: both("routed")
  },
  {
    what: "the layer by a configuration that is not there",
    over: ["http"],
    see: ({ servers }) => {
      const layer = servers.module.layerConfig(() => Http.createServer(), { port: Config.Number("PORT") })
      const config = ConfigProvider.layer(ConfigProvider.fromUnknown({}))
      return Effect.map(Effect.flip(Effect.provide(fetched("/a"), Layer.provide(layer, config))), ({ _tag }) => _tag)
    },
    expected: both("ConfigError")
  },
  {
    what: "the layer of a port that is in use",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const { port } = yield* world.listen()
        const layer = world.servers.module.layer(() => Http.createServer(), { host, port })
        return (yield* Effect.flip(Effect.provide(Effect.void, layer)))._tag
      }),
    expected: both("ServeError")
  },
  {
    what: "the layer for tests has a client that asks it",
    over: ["http"],
    see: ({ servers }) =>
      Effect.gen(function* () {
        const response = yield* HttpClient.get("/a")
        return [response.status, yield* response.text]
      }).pipe(Effect.provide(Layer.provideMerge(routes, servers.module.layerTest))),
    expected: both([200, "routed"])
  },
  {
    what: "a client of Effect's own",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const { port } = yield* world.serve(url)
        const response = yield* HttpClient.get(`http://${host}:${port}/effect`)
        return yield* response.text
      }).pipe(Effect.provide(FetchHttpClient.layer)),
    expected: both("/effect")
  },
  {
    what: "the handlers for a server of one's own",
    over: ["http"],
    see: ({ servers }) =>
      Effect.gen(function* () {
        const scope = yield* Effect.scope
        const handler = yield* servers.module.makeHandler(url as Effect.Effect<HttpServerResponse.HttpServerResponse>, {
          scope
        })
        const server = yield* Effect.acquireRelease(
          Effect.promise(async () => {
            const server = Http.createServer(handler)
            await once(server.listen(0, host), "listening")
            return server
          }),
          (server) => Effect.sync(() => server.close())
        )
        const { port } = server.address() as AddressInfo
        return (yield* exchange({ port }, get("/own", "Connection: close"))).wire.split("\r\n\r\n")[1]
      }),
    expected: both("/own")
  }
]
