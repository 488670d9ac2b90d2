/**
 * How to say goodbye, and how long to wait for the other side to do the same.
 *
 * A policy is a value in the context (`Context.Reference`): it has defaults, a layer or `Effect.provideService` changes
 * them for everything below, and a server or a single connection overrides them by its own option.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type { Connection } from "./Connection.ts"
import * as Check from "./internal/options.ts"

/**
 * What a protocol says last, written to the connection that is about to close. It may fail: a goodbye that cannot be
 * said never stops the close.
 *
 * @category models
 * @since 0.1.0
 */
export type Farewell = (connection: Connection) => Effect.Effect<unknown, unknown>

/**
 * A policy whose every limit is known.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClosePolicy {
  /**
   * The last words. Default: none, because free text would corrupt a protocol that does not expect it.
   *
   * A connection whose write side was already half-closed cannot say them: they are not tried, and the outcome's
   * `farewell` is `failed`.
   */
  readonly farewell: Farewell | undefined
  /**
   * When a farewell that failed is said again, as long as the connection can still be written to. Default: twice more,
   * 100 ms apart, which is enough for a passing fault and not worth a user's wait.
   */
  readonly farewellRetry: Schedule.Schedule<unknown, unknown>
  /**
   * How long the farewell may take, with its retries. Default 1 second. Bytes need no time here (sending them is the
   * flush's work): this bounds what else a farewell may wait for.
   */
  readonly farewellTimeout: Duration.Duration
  /**
   * How long to wait for the peer's FIN after ours was sent, in all. Default 30 seconds, as nginx `lingering_time` and
   * httpd `MAX_SECS_TO_LINGER`.
   */
  readonly lingerTimeout: Duration.Duration
  /**
   * How long the peer may stay silent while we wait for its FIN. Default 5 seconds, as nginx `lingering_timeout`
   * (httpd waits 2 seconds, Go's net/http 500 ms in all).
   */
  readonly lingerIdleTimeout: Duration.Duration
  /**
   * How many bytes are read and thrown away while waiting, from the moment the close begins to flush. Default 64 MiB:
   * a client that is still uploading when it is answered early usually sends its whole upload before it reads, and
   * cutting it off would cost it the answer. nginx has no such limit.
   */
  readonly lingerBytesMax: number
  /**
   * How long the whole close may take; then the connection is reset. Default 60 seconds, as nginx `send_timeout`: it is
   * what a peer that reads nothing can cost. While a server drains, the drain's own limits cut it shorter.
   */
  readonly deadline: Duration.Duration
}

/**
 * Some limits of a policy, to lay over another one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The last words. Default: none. See {@link ClosePolicy.farewell}. */
  readonly farewell?: Farewell | undefined
  /** When a farewell that failed is said again. Default: twice, 100 ms apart. See {@link ClosePolicy.farewellRetry}. */
  readonly farewellRetry?: Schedule.Schedule<unknown, unknown> | undefined
  /** How long the farewell may take, with its retries. Default 1 second. See {@link ClosePolicy.farewellTimeout}. */
  readonly farewellTimeout?: Duration.Input | undefined
  /** How long to wait for the peer's FIN, in all. Default 30 seconds. See {@link ClosePolicy.lingerTimeout}. */
  readonly lingerTimeout?: Duration.Input | undefined
  /** How long the peer may be silent meanwhile. Default 5 seconds. See {@link ClosePolicy.lingerIdleTimeout}. */
  readonly lingerIdleTimeout?: Duration.Input | undefined
  /** Bytes that are thrown away meanwhile, at most. Default 64 MiB. See {@link ClosePolicy.lingerBytesMax}. */
  readonly lingerBytesMax?: number | undefined
  /** How long the whole close may take, then it resets; finite. Default 60 seconds. See {@link ClosePolicy.deadline}. */
  readonly deadline?: Duration.Input | undefined
}

/**
 * The defaults, each with its reason where it is declared.
 *
 * @category constructors
 * @since 0.1.0
 */
export const defaults: ClosePolicy = {
  farewell: undefined,
  farewellRetry: Schedule.max([Schedule.spaced("100 millis"), Schedule.recurs(2)]),
  farewellTimeout: Duration.seconds(1),
  lingerTimeout: Duration.seconds(30),
  lingerIdleTimeout: Duration.seconds(5),
  lingerBytesMax: 64 * 1024 * 1024,
  deadline: Duration.seconds(60)
}

/**
 * The policy of everything that does not say otherwise.
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentClosePolicy: Context.Reference<ClosePolicy> = Context.Reference("finwait/ClosePolicy", {
  defaultValue: () => defaults
})

/**
 * Lays options over a policy; what is not named stays. A time that is negative or no duration is a programming error
 * (`RangeError`), and so is an endless `deadline`: every close ends.
 *
 * **Example**
 *
 * ```ts
 * import * as Duration from "effect/Duration"
 * import * as ClosePolicy from "finwait/ClosePolicy"
 *
 * const policy = ClosePolicy.override(ClosePolicy.defaults, { deadline: "3 seconds" })
 * console.log(Duration.toMillis(policy.deadline)) // => 3000
 * console.log(Duration.toMillis(policy.lingerIdleTimeout)) // => 5000
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const override = (policy: ClosePolicy, options: Options | undefined): ClosePolicy => {
  if (options === undefined) return policy
  const duration = (name: "farewellTimeout" | "lingerTimeout" | "lingerIdleTimeout" | "deadline") => {
    const input = options[name]
    return input === undefined ? policy[name] : Check.duration(`ClosePolicy.${name}`, input)
  }
  const deadline = duration("deadline")
  Check.finite("ClosePolicy.deadline", deadline, "a close always ends")
  Check.limit("ClosePolicy.lingerBytesMax", options.lingerBytesMax, 0)
  return {
    farewell: options.farewell ?? policy.farewell,
    farewellRetry: options.farewellRetry ?? policy.farewellRetry,
    farewellTimeout: duration("farewellTimeout"),
    lingerTimeout: duration("lingerTimeout"),
    lingerIdleTimeout: duration("lingerIdleTimeout"),
    lingerBytesMax: options.lingerBytesMax ?? policy.lingerBytesMax,
    deadline
  }
}

/**
 * Changes the policy of everything that the layer is provided to.
 *
 * **Example**
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as ClosePolicy from "finwait/ClosePolicy"
 *
 * const program = Effect.map(ClosePolicy.CurrentClosePolicy, (policy) => policy.lingerBytesMax)
 * const bytes = Effect.runSync(Effect.provide(program, ClosePolicy.layer({ lingerBytesMax: 1024 })))
 * console.log(bytes) // => 1024
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<never> =>
  Layer.effect(
    CurrentClosePolicy,
    CurrentClosePolicy.useSync((policy) => override(policy, options))
  )
