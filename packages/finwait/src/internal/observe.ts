/**
 * What logs and traces learn of a connection: a line and a span, only where somebody reads them.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"

const nobody = Tracer.Tracer.defaultValue()

/** Whether a tracer is installed. */
export const isTraced = (context: Context.Context<never>): boolean => Context.get(context, Tracer.Tracer) !== nobody

/** Says something that is worth saying, and not worth failing for: a logger is somebody else's code. */
export const quietly = (log: Effect.Effect<void>): Effect.Effect<void> => Effect.catchCause(log, () => Effect.void)
