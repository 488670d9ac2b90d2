/**
 * Answers every line in capitals. On SIGTERM a client in the middle of a line may finish it and gets its answer; then
 * everybody hears BYE.
 *
 *     PORT=7000 node main.ts            # or SOCKET=/tmp/lines.sock
 */
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as NodeProcess from "@finwait/node/NodeProcess"
import { Config, Console, Effect, Layer, Logger } from "effect"
import * as Address from "finwait/Address"
import * as Connection from "finwait/Connection"
import * as Framing from "finwait/Framing"
import * as Server from "finwait/Server"

const listen = Config.String("SOCKET").pipe(
  Config.map((path) => `unix://${path}`),
  Config.orElse(() =>
    Config.Int("PORT").pipe(
      Config.withDefault(7000),
      Config.map((port) => `tcp://127.0.0.1:${port}`)
    )
  )
)

const upper = (listen: string) =>
  Server.layer({
    listen,
    handler: (connection) =>
      Framing.lines(connection).pipe(Framing.respond((line) => Effect.succeed(line.toUpperCase()))),
    close: { farewell: Connection.sendLine("BYE") },
    onListening: (address) => Console.log(JSON.stringify({ listening: Address.format(address) })),
    onDrained: (report) => Console.log(JSON.stringify({ drained: report }))
  })

const main = Effect.flatMap(listen, (listen) => Layer.launch(upper(listen))).pipe(
  Effect.provide(NodeNetwork.layer),
  Effect.provideService(Logger.LogToStderr, true)
)

NodeProcess.runMain(main)
