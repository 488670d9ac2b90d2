/** The job server through `HttpRouter.serve`, on Effect's own `NodeHttpServer` and `NodeRuntime.runMain`, over HTTP/2. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { createServer } from "node:http2"
import { serve } from "../jobs/http.ts"
import { listen } from "../jobs/listen.ts"
import { countedBy } from "../jobs/opened.ts"

NodeRuntime.runMain(
  serve(
    "router",
    "answer",
    NodeHttpServer.layer(() => countedBy(createServer()), listen)
  )
)
