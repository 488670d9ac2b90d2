/** Effect's RPC on Finwait's `NodeSocketServer`, with Effect's own protocol or with the one that drains. */
import * as NodeSocketServer from "@finwait/node/NodeSocketServer"
import * as RpcServer from "effect/rpc/RpcServer"
import * as RpcDrain from "finwait/RpcDrain"
import { serveCalls } from "./calls.ts"
import { command } from "./command.ts"
import { listening } from "./listening.ts"

serveCalls(
  listening(NodeSocketServer),
  command.variant === "drain" ? RpcDrain.layerProtocolSocketServer : RpcServer.layerProtocolSocketServer
)
