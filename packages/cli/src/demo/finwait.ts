/** On Finwait: the same program, with another import; and times for the drain that a demo has the patience for. */
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as NodeSocketServer from "@finwait/node/NodeSocketServer"
import * as Effect from "effect/Effect"
import { listen, serve } from "./app.ts"

const times = {
  drain: { deadline: "1500 millis", close: "500 millis" },
  close: { lingerIdleTimeout: "1 second" }
} as const

NodeProcess.runMain(Effect.provide(serve, NodeSocketServer.layer({ ...listen, ...times })))
