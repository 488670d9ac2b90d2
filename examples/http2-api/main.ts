/**
 * A web server that speaks HTTP/2, and HTTP/1.1 to who knows no better, on one port with TLS. On SIGTERM sessions are told
 * GOAWAY: what they have asked for is answered to its end, and what they want next they ask another server.
 *
 *     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.crt -days 30 \
 *       -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1
 *     PORT=3443 KEY=tls.key CERT=tls.crt node main.ts
 *
 *     curl --cacert tls.crt https://localhost:3443/
 *     curl --cacert tls.crt -N 'https://localhost:3443/lines?count=10&millis=500'
 */
import * as NodeHttpServer from "@finwait/node/NodeHttpServer"
import * as NodeProcess from "@finwait/node/NodeProcess"
import { Config, Console, Effect, Layer, Logger, Schedule, Schema, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import type { Report } from "finwait/Drain"
import { readFileSync } from "node:fs"
import { createSecureServer } from "node:http2"

const hello = HttpRouter.add("GET", "/", HttpServerResponse.json({ hello: "world", by: process.pid }))

const Lines = Schema.Struct({ count: Schema.NumberFromString, millis: Schema.NumberFromString })

/** A line of JSON after the other, as long apart as it is told to. */
const lines = HttpRouter.add(
  "GET",
  "/lines",
  Effect.map(HttpRouter.schemaParams(Lines), ({ count, millis }) =>
    HttpServerResponse.stream(
      Stream.range(1, count).pipe(
        Stream.schedule(Schedule.spaced(millis)),
        Stream.map((line) => `${JSON.stringify({ line })}\n`),
        Stream.encodeText
      ),
      { contentType: "application/x-ndjson" }
    )
  )
)

const server = Config.all({
  port: Config.Int("PORT").pipe(Config.withDefault(3443)),
  key: Config.String("KEY"),
  cert: Config.String("CERT")
}).pipe(
  Effect.map(({ cert, key, port }) =>
    NodeHttpServer.layer(
      () => createSecureServer({ allowHTTP1: true, key: readFileSync(key), cert: readFileSync(cert) }),
      { host: "127.0.0.1", port, onDrained: (report: Report) => Console.log(JSON.stringify({ drained: report })) }
    )
  ),
  Layer.unwrap
)

const listening = HttpServer.HttpServer.use(({ address }) =>
  Console.log(JSON.stringify({ listening: `tcp://${String(address)}` }))
)

const main = HttpRouter.serve(Layer.merge(hello, lines), { disableListenLog: true }).pipe(
  Layer.merge(Layer.effectDiscard(listening)),
  Layer.provide(server),
  Layer.launch,
  Effect.provideService(Logger.LogToStderr, true)
)

NodeProcess.runMain(main)
