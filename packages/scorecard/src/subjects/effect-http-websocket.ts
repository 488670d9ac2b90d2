/** The job server through `HttpRouter.serve`, on Effect's own `NodeHttpServer` and `NodeRuntime.runMain`, over HTTP/1.1, upgraded to WebSockets. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { createServer } from "node:http"
import { serve } from "../jobs/http.ts"
import { listen } from "../jobs/listen.ts"
import { countedBy } from "../jobs/opened.ts"

NodeRuntime.runMain(
  serve(
    "router",
    "upgrade",
    NodeHttpServer.layer(() => countedBy(createServer()), listen)
  )
)
