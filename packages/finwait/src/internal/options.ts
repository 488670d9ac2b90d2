/**
 * What an option may be. One that is something else is a programming error: a `RangeError` that names the option, what
 * it is and what is allowed, before anything has been opened. What is left out is always allowed.
 */
import * as Duration from "effect/Duration"

const show = (value: unknown): string => {
  if (typeof value === "number") return String(value)
  if (typeof value === "bigint") return `${value}n`
  return Duration.isDuration(value) ? Duration.format(value) : JSON.stringify(value)
}

const must = (name: string, allowed: string, value: unknown) =>
  new RangeError(`${name} must be ${allowed}, not ${show(value)}`)

/** A limit: a whole number, or `Infinity` for none. */
export const limit = (name: string, value: number | undefined, least: number): void => {
  if (value !== Infinity) whole(name, value, least)
}

export const whole = (name: string, value: number | undefined, least: number): void => {
  if (value === undefined || (Number.isInteger(value) && value >= least)) return
  throw must(name, `a whole number of at least ${least}`, value)
}

/** Permissions of a file. */
export const mode = (name: string, value: number | undefined): void => {
  if (value === undefined || (Number.isInteger(value) && value >= 0 && value <= 0o777)) return
  throw must(name, "a whole number from 0 to 0o777", value)
}

export const oneOf = (name: string, value: string | undefined, values: ReadonlyArray<string>): void => {
  if (value === undefined || values.includes(value)) return
  throw must(name, values.map(show).join(" or "), value)
}

const decode = (name: string, input: Duration.Input): Duration.Duration => {
  const decoded = Number.isNaN(input) ? undefined : Duration.fromInput(input)
  if (decoded?._tag === "Some") return decoded.value
  throw new RangeError(`${name} ${show(input)} is not a duration`)
}

/** A time that may be none. */
export const duration = (name: string, input: Duration.Input): Duration.Duration => {
  const decoded = decode(name, input)
  if (Duration.isNegative(decoded)) throw must(name, "a duration of at least 0", input)
  return decoded
}

export const positiveDuration = (name: string, input: Duration.Input | undefined): void => {
  if (input !== undefined && !Duration.isPositive(decode(name, input))) throw must(name, "a positive duration", input)
}

/** A time that ends. */
export const finite = (name: string, value: Duration.Duration, why: string): void => {
  if (!Duration.isFinite(value)) throw new RangeError(`${name} must be finite, not ${show(value)}: ${why}`)
}
