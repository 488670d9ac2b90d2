/** Finwait's `NodeSocketServer`, in place of Effect's. */
import * as NodeSocketServer from "@finwait/node/NodeSocketServer"
import { listening } from "./listening.ts"
import { serveSockets } from "./sockets.ts"

serveSockets(listening(NodeSocketServer))
