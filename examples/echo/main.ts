/**
 * Sends back whatever it is sent, and on SIGTERM nothing less: what has arrived by then still goes back.
 *
 *     PORT=7000 node main.ts            # or SOCKET=/tmp/echo.sock
 */
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as NodeProcess from "@finwait/node/NodeProcess"
import { Config, Console, Effect, Layer, Logger } from "effect"
import * as Address from "finwait/Address"
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

const echo = (listen: string) =>
  Server.layer({
    listen,
    handler: (connection) => connection.each((chunk) => connection.write(chunk)),
    onListening: (address) => Console.log(JSON.stringify({ listening: Address.format(address) })),
    onDrained: (report) => Console.log(JSON.stringify({ drained: report }))
  })

const main = Effect.flatMap(listen, (listen) => Layer.launch(echo(listen))).pipe(
  Effect.provide(NodeNetwork.layer),
  Effect.provideService(Logger.LogToStderr, true)
)

NodeProcess.runMain(main)
