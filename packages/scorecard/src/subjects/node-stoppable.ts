/** The job server on `node:http`, stopped by stoppable. */
import stoppable from "stoppable"
import { drainMillis, onStop, started } from "../jobs/nodeHttp.ts"

const server = stoppable(started(), drainMillis)
onStop(() => server.stop())
