/**
 * Time as limits need it: in milliseconds, and never set back by whoever corrects the wall clock.
 */
import type * as Clock from "effect/Clock"

export const monotonicMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
