/**
 * A chat room: what one says, everybody hears. `/nick ada` takes a name. On SIGTERM what was said still reaches
 * everybody, then the room says goodbye.
 *
 *     PORT=7000 node main.ts            # or SOCKET=/tmp/chat.sock; then: nc 127.0.0.1 7000
 */
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as NodeProcess from "@finwait/node/NodeProcess"
import { Config, Console, Effect, Layer, Logger } from "effect"
import * as Address from "finwait/Address"
import { room } from "./room.ts"

const listen = Config.String("SOCKET").pipe(
  Config.map((path) => `unix://${path}`),
  Config.orElse(() =>
    Config.Int("PORT").pipe(
      Config.withDefault(7000),
      Config.map((port) => `tcp://127.0.0.1:${port}`)
    )
  )
)

const main = Effect.flatMap(listen, (listen) =>
  Layer.launch(
    room({
      listen,
      onListening: (address) => Console.log(JSON.stringify({ listening: Address.format(address) })),
      onDrained: (report) => Console.log(JSON.stringify({ drained: report }))
    })
  )
).pipe(Effect.provide(NodeNetwork.layer), Effect.provideService(Logger.LogToStderr, true))

NodeProcess.runMain(main)
