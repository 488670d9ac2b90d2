/** Effect's own `NodeHttpServer`. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { serveApp } from "./apps.ts"

serveApp(NodeHttpServer)
