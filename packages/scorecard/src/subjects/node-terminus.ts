/** The job server on `node:http`, stopped by @godaddy/terminus. */
import { createTerminus } from "@godaddy/terminus"
import { drainMillis, started } from "../jobs/nodeHttp.ts"

createTerminus(started(), { signal: "SIGTERM", timeout: drainMillis })
