/**
 * The server that is flooded, as a process of its own: half of the descriptors are its, the other half the flood's. It
 * answers "memory" with how much it has, and any other line with the line.
 */
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as NodeTls from "@finwait/node/NodeTls"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Address from "finwait/Address"
import * as Framing from "finwait/Framing"
import * as Server from "finwait/Server"
import { identity } from "./certificates.ts"

const answer = (line: string) => (line === "memory" ? `${process.memoryUsage().rss}` : line)

const server = Server.layer({
  listen: "tcp://127.0.0.1:0",
  handler: (connection) => Framing.lines(connection).pipe(Framing.respond((line) => Effect.sync(() => answer(line)))),
  onListening: (address) => Console.log(JSON.stringify({ listening: Address.format(address) })),
  onDrained: (report) => Console.log(JSON.stringify({ drained: report }))
})

// Nobody of the flood is to go by himself.
const tls = NodeTls.layer({ server: { identity: identity("server") }, handshakeTimeout: "1 hour" })

NodeProcess.runMain(Layer.launch(server).pipe(Effect.provide(tls), Effect.provideService(Logger.LogToStderr, true)))
