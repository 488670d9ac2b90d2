/** Effect's own `NodeSocketServer`. */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { listening } from "./listening.ts"
import { serveSockets } from "./sockets.ts"

serveSockets(listening(NodeSocketServer))
