/**
 * What metrics learn of connections. Plain numbers, which a metric reads when somebody asks for it: to count costs an
 * addition, and to be read by nobody costs nothing.
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { type CloseOutcome, tags } from "../CloseOutcome.ts"
import * as Metrics from "../Metrics.ts"

export class Counters {
  open = 0
  accepted = 0
  refused = 0
  handlersFailed = 0
  bytesRead = 0
  bytesWritten = 0
  readonly closed: Record<CloseOutcome["_tag"], number> = { Graceful: 0, LingerExpired: 0, ResetByPeer: 0, Aborted: 0 }

  /** A connection has closed. */
  close({ _tag, bytesRead, bytesWritten }: CloseOutcome): void {
    this.open--
    this.closed[_tag]++
    this.bytesRead += bytesRead
    this.bytesWritten += bytesWritten
  }
}

/** One for each registry and set of attributes, which is how series are told apart. */
const made = new WeakMap<object, Map<string, Counters>>()

/** Those that the context's metrics read. */
export const countersOf = (context: Context.Context<never>): Counters => {
  const registry = Context.get(context, Metric.MetricRegistry)
  let ofRegistry = made.get(registry)
  if (ofRegistry === undefined) made.set(registry, (ofRegistry = new Map()))
  const attributes = Object.entries(Context.get(context, Metric.CurrentMetricAttributes))
  const key = JSON.stringify(attributes.toSorted(([one], [other]) => (one < other ? -1 : 1)))
  let counters = ofRegistry.get(key)
  if (counters === undefined) ofRegistry.set(key, (counters = register(new Counters(), context)))
  return counters
}

const register = (counters: Counters, context: Context.Context<never>): Counters => {
  const counts = (metric: Metric.Counter<number>, count: () => number) =>
    Metric.registerUnsafe(metric, context, { get: () => ({ count: count(), incremental: true }), ...readOnly })
  Metric.registerUnsafe(Metrics.connectionsOpen, context, { get: () => ({ value: counters.open }), ...readOnly })
  counts(Metrics.connectionsAccepted, () => counters.accepted)
  counts(Metrics.connectionsRefused, () => counters.refused)
  counts(Metrics.handlersFailed, () => counters.handlersFailed)
  counts(Metrics.bytesRead, () => counters.bytesRead)
  counts(Metrics.bytesWritten, () => counters.bytesWritten)
  for (const outcome of tags) {
    counts(Metric.withAttributes(Metrics.connectionsClosed, { outcome }), () => counters.closed[outcome])
  }
  return counters
}

const readOnly = { update: () => {}, modify: () => {} }
