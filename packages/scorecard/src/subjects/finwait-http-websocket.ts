/**
 * The job server through `HttpRouter.serve`, on Finwait's `NodeHttpServer` and `NodeProcess.runMain`, over HTTP/1.1, upgraded to WebSockets: `effect-http-websocket.ts` with other imports.
 */
import * as NodeHttpServer from "@finwait/node/NodeHttpServer"
import { createServer } from "node:http"
import { httpOptions, runMain } from "../jobs/finwait.ts"
import { serve } from "../jobs/http.ts"
import { listen } from "../jobs/listen.ts"
import { countedBy } from "../jobs/opened.ts"

runMain(
  serve(
    "router",
    "upgrade",
    NodeHttpServer.layer(() => countedBy(createServer()), { ...listen, ...httpOptions })
  )
)
