/**
 * The job server as Effect's RPC, on Finwait's `NodeSocketServer`, `RpcDrain` and `NodeProcess.runMain`, over WebSocket:
 * `effect-rpc-websocket.ts` with other imports.
 */
import * as NodeSocketServer from "@finwait/node/NodeSocketServer"
import * as RpcDrain from "finwait/RpcDrain"
import { serve } from "../jobs/calls.ts"
import { options, runMain } from "../jobs/finwait.ts"
import { listen } from "../jobs/listen.ts"

runMain(serve(NodeSocketServer.layerWebSocket({ ...listen, ...options }), RpcDrain.layerProtocolSocketServer))
