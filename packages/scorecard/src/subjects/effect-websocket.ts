/** The job server on Effect's own `NodeSocketServer` and `NodeRuntime.runMain`, over WebSocket. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Effect from "effect/Effect"
import { serve } from "../jobs/lines.ts"
import { listen } from "../jobs/listen.ts"

NodeRuntime.runMain(Effect.provide(serve, NodeSocketServer.layerWebSocket(listen)))
