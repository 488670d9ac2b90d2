/** The server of the browser's test: it says its name to who asks. NAME and PORT come from the environment. */
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as NodeWebSocket from "@finwait/node/NodeWebSocket"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Address from "finwait/Address"
import * as Server from "finwait/Server"

const { NAME, PORT } = process.env

const server = Server.layer({
  listen: `tcp://127.0.0.1:${PORT}`,
  handler: (connection) =>
    NodeWebSocket.each(connection, () => connection.write(`the ${NAME} server, process ${process.pid}`)),
  onListening: (address) => Console.log(JSON.stringify({ listening: Address.format(address) })),
  onDrained: (report) => Console.log(JSON.stringify({ drained: report }))
})

const main = Layer.launch(server).pipe(
  Effect.provide(NodeWebSocket.layer()),
  Effect.provideService(Logger.LogToStderr, true)
)

NodeProcess.runMain(main)
