/**
 * The server of OpenSSL's test: it answers lines with capitals over TLS, and tells what became of each connection. VERSION
 * is the only one that it speaks.
 */
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as NodeTls from "@finwait/node/NodeTls"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import * as Address from "finwait/Address"
import type { Connection } from "finwait/Connection"
import * as Framing from "finwait/Framing"
import * as Server from "finwait/Server"
import { identity } from "../../packages/node/test/support/certificates.ts"

const version = process.env["VERSION"] as "TLSv1.2" | "TLSv1.3"

/** What is printed is lines of JSON, each an object. */
const say = (words: Record<string, unknown>) => Console.log(JSON.stringify(words))

const handler = Effect.fnUntraced(function* (connection: Connection) {
  const answers = Framing.lines(connection).pipe(Framing.respond((line) => Effect.succeed(line.toUpperCase())))
  const result = yield* Effect.result(answers)
  yield* say({ heard: Result.isSuccess(result) ? "an end" : result.failure.message.replace(/tcp \S+:/, "PEER:") })
})

const server = Server.layer({
  listen: "tcp://127.0.0.1:0",
  handler,
  onListening: (address) => say({ listening: Address.format(address) }),
  onDrained: (report) => say({ drained: report })
})

const tls = NodeTls.layer({ server: { identity: identity("server"), minVersion: version, maxVersion: version } })

NodeProcess.runMain(Layer.launch(server).pipe(Effect.provide(tls), Effect.provideService(Logger.LogToStderr, true)))
