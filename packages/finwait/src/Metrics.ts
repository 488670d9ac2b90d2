/**
 * What is counted, as Effect metrics: read them with `Metric.snapshot`, or export them with Effect's Prometheus and
 * OTLP modules.
 *
 * Bytes and outcomes are counted once per connection, when it has closed; nothing is counted per message.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"

/**
 * Connections that are open now, on both ends: accepted and dialled.
 *
 * @category metrics
 * @since 0.1.0
 */
export const connectionsOpen = Metric.gauge("finwait_connections_open", {
  description: "Connections that are open now"
})

/**
 * Connections that servers have accepted.
 *
 * @category metrics
 * @since 0.1.0
 */
export const connectionsAccepted = Metric.counter("finwait_connections_accepted_total", {
  description: "Connections accepted by servers",
  incremental: true
})

/**
 * Connections that servers have turned away because a limit was reached.
 *
 * @category metrics
 * @since 0.1.0
 */
export const connectionsRefused = Metric.counter("finwait_connections_refused_total", {
  description: "Connections turned away by a limit",
  incremental: true
})

/**
 * Closed connections, by the attribute `outcome`.
 *
 * Those that `connectionsPerPeerMax` refuses are among them: they are opened and closed (`Aborted`) and counted by
 * {@link connectionsRefused}, without having been accepted.
 *
 * @category metrics
 * @since 0.1.0
 */
export const connectionsClosed = Metric.counter("finwait_connections_closed_total", {
  description: "Connections closed, by outcome",
  incremental: true
})

/**
 * Handlers that ended with a failure or a defect of their own.
 *
 * @category metrics
 * @since 0.1.0
 */
export const handlersFailed = Metric.counter("finwait_handlers_failed_total", {
  description: "Connection handlers that failed",
  incremental: true
})

/**
 * Bytes read by connections that have closed.
 *
 * @category metrics
 * @since 0.1.0
 */
export const bytesRead = Metric.counter("finwait_bytes_read_total", {
  description: "Bytes read by closed connections",
  incremental: true
})

/**
 * Bytes written by connections that have closed.
 *
 * @category metrics
 * @since 0.1.0
 */
export const bytesWritten = Metric.counter("finwait_bytes_written_total", {
  description: "Bytes written by closed connections",
  incremental: true
})

/**
 * How long drains took, in milliseconds.
 *
 * @category metrics
 * @since 0.1.0
 */
export const drainDuration = Metric.histogram("finwait_drain_duration_milliseconds", {
  description: "Duration of server drains in milliseconds",
  boundaries: [10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 20_000, 30_000, 60_000]
})
