/**
 * The limits of a server, as its options say them.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Options } from "../Server.ts"
import { CurrentShutdown } from "../Shutdown.ts"
import * as ShutdownBudget from "../ShutdownBudget.ts"
import * as Check from "./options.ts"

type Limits = Pick<
  Options,
  | "connectionsMax"
  | "connectionsPerPeerMax"
  | "waitingMax"
  | "maxFrameBytes"
  | "backlog"
  | "mode"
  | "overflow"
  | "idleTimeout"
>

/** `close`, which others have as well, is checked where it is used. */
export const checkLimits = (options: Limits): void => {
  Check.limit("Server.Options.connectionsMax", options.connectionsMax, 1)
  Check.limit("Server.Options.connectionsPerPeerMax", options.connectionsPerPeerMax, 1)
  Check.limit("Server.Options.waitingMax", options.waitingMax, 0)
  Check.limit("Server.Options.maxFrameBytes", options.maxFrameBytes, 1)
  Check.whole("Server.Options.backlog", options.backlog, 1)
  Check.mode("Server.Options.mode", options.mode)
  Check.oneOf("Server.Options.overflow", options.overflow, ["wait", "refuse"])
  Check.positiveDuration("Server.Options.idleTimeout", options.idleTimeout)
}

/** The time for stopping, if its parts fit into each other and into the process's own. */
export const budgetOf = (
  drain: ShutdownBudget.Input | undefined
): Effect.Effect<ShutdownBudget.ShutdownBudget, ShutdownBudget.ShutdownBudgetError> =>
  Effect.contextWith((context: Context.Context<never>) =>
    ShutdownBudget.make(drain, Context.get(context, CurrentShutdown).budget)
  )
