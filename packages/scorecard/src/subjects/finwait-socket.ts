/** The job server on Finwait's `NodeSocketServer` and `NodeProcess.runMain`, over TCP: `effect.ts` with other imports. */
import * as NodeSocketServer from "@finwait/node/NodeSocketServer"
import * as Effect from "effect/Effect"
import { options, runMain } from "../jobs/finwait.ts"
import { serve } from "../jobs/lines.ts"
import { listen } from "../jobs/listen.ts"

runMain(Effect.provide(serve, NodeSocketServer.layer({ ...listen, ...options })))
