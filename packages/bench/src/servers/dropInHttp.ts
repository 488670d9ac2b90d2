/** Finwait's `NodeHttpServer`, in place of Effect's. */
import * as NodeHttpServer from "@finwait/node/NodeHttpServer"
import { serveApp } from "./apps.ts"

serveApp(NodeHttpServer)
