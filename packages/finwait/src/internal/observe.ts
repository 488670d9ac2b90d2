/**
 * What metrics, logs and traces learn of a connection. Two updates when it opens and closes each, nothing per message;
 * a log line and a span only where somebody reads them.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { type CloseOutcome, tags } from "../CloseOutcome.ts"
import * as Metrics from "../Metrics.ts"

const closedBy = Object.fromEntries(
  tags.map((tag) => [tag, Metric.withAttributes(Metrics.connectionsClosed, { outcome: tag })])
) as Record<CloseOutcome["_tag"], Metric.Counter<number>>

export const recordOpen = (context: Context.Context<never>): void => Metrics.connectionsOpen.modifyUnsafe(1, context)

export const recordClose = (context: Context.Context<never>, name: string, outcome: CloseOutcome): void => {
  Metrics.connectionsOpen.modifyUnsafe(-1, context)
  closedBy[outcome._tag].updateUnsafe(1, context)
  Metrics.bytesRead.updateUnsafe(outcome.bytesRead, context)
  Metrics.bytesWritten.updateUnsafe(outcome.bytesWritten, context)
  const level = Context.get(context, References.MinimumLogLevel)
  if (level === "All" || level === "Trace" || level === "Debug") {
    Effect.runForkWith(context)(Effect.logDebug(`closed ${name}: ${outcome._tag}`, outcome))
  }
}

const nobody = Tracer.Tracer.defaultValue()

/** A span around a connection's handler, where a tracer is installed. */
export const traced = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  context: Context.Context<never>,
  name: string,
  attributes: () => Record<string, unknown>
): Effect.Effect<A, E, R> =>
  Context.get(context, Tracer.Tracer) === nobody
    ? effect
    : (Effect.withSpan(effect, name, { attributes: attributes() }) as Effect.Effect<A, E, R>)

/** Says something that is worth saying, and not worth failing for: a logger is somebody else's code. */
export const quietly = (log: Effect.Effect<void>): Effect.Effect<void> => Effect.catchCause(log, () => Effect.void)
