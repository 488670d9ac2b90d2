/** Effect's RPC on Effect's own `NodeSocketServer`. */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as RpcServer from "effect/rpc/RpcServer"
import { serveCalls } from "./calls.ts"
import { listening } from "./listening.ts"

serveCalls(listening(NodeSocketServer), RpcServer.layerProtocolSocketServer)
