/** On Effect's own `NodeSocketServer`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Effect from "effect/Effect"
import { listen, serve } from "./app.ts"

NodeRuntime.runMain(Effect.provide(serve, NodeSocketServer.layer(listen)))
