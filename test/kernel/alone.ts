/** A process that is one server, and ends by a signal. Started with its limits and the number of connections. */
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type { Tcp } from "finwait/Address"
import * as Server from "finwait/Server"
import { options } from "./handler.ts"
import { hardDeadline, type Limits } from "./Limits.ts"
import { say } from "./rpc.ts"

const [limits, connections] = process.argv.slice(2).map((text) => JSON.parse(text)) as [Limits, number]

const server = Server.layer({
  ...options(limits, connections, () => say({ full: true })),
  onListening: (address) => Effect.sync(() => say({ port: (address as Tcp).port })),
  onDrained: (report) => Effect.sync(() => say({ report }))
})

const main = Layer.launch(server.pipe(Layer.provide(NodeNetwork.layer)))

NodeProcess.runMain(Effect.provideService(main, Logger.LogToStderr, true), {
  shutdown: { grace: hardDeadline(limits) + 3_000, margin: 2_000 }
})
