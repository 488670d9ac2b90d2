/** The job server as Effect's RPC, on Effect's own `NodeSocketServer` and `NodeRuntime.runMain`, over WebSocket. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as RpcServer from "effect/rpc/RpcServer"
import { serve } from "../jobs/calls.ts"
import { listen } from "../jobs/listen.ts"

NodeRuntime.runMain(serve(NodeSocketServer.layerWebSocket(listen), RpcServer.layerProtocolSocketServer))
