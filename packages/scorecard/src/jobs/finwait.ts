/** What every subject on Finwait adds to the program: the scenario's limits, its account of the drain, and its own main. */
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import type * as Server from "finwait/Server"
import * as Limits from "../Limits.ts"

const limits = Limits.fromEnv(process.env)

export const options = {
  close: {
    lingerIdleTimeout: limits.LINGER_IDLE_MS,
    lingerTimeout: limits.LINGER_MS,
    deadline: limits.CLOSE_DEADLINE_MS
  },
  drain: {
    grace: Duration.minutes(2),
    deadline: limits.DRAIN_MS,
    close: limits.CLOSE_MS
  },
  onDrained: (report) => Console.log(JSON.stringify({ drained: report }))
} satisfies Partial<Server.Options>

/** Those of an HTTP server. */
export const httpOptions = { ...options, keepAliveGrace: limits.KEEP_ALIVE_GRACE_MS }

export const runMain = <E>(main: Effect.Effect<never, E>): void =>
  NodeProcess.runMain(Effect.provideService(main, Logger.LogToStderr, true), { shutdown: { grace: "2 minutes" } })
