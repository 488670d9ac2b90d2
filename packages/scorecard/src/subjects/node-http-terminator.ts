/** The job server on `node:http`, stopped by http-terminator. */
import { createHttpTerminator } from "http-terminator"
import { drainMillis, onStop, started } from "../jobs/nodeHttp.ts"

const terminator = createHttpTerminator({ server: started(), gracefulTerminationTimeout: drainMillis })
onStop(() => terminator.terminate())
