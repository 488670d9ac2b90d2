/** The job server on `node:http` alone, with the `close` of its server. It has no deadline. */
import { onStop, started } from "../jobs/nodeHttp.ts"

const server = started()
onStop(() => server.close())
