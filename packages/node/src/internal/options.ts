/**
 * What an option may be. One that is something else is a programming error: a `RangeError` that names it, what it is and
 * what is allowed, before anything has been opened.
 */
import * as Duration from "effect/Duration"
import { inspect } from "node:util"

/** A time that may be none, or endless. */
export const millisOf = (name: string, input: Duration.Input): number => {
  // To Effect that is no time at all, and a server would have none because a variable of its environment is missing.
  const duration = Number.isNaN(input) ? undefined : Duration.fromInput(input)
  if (duration?._tag === "Some" && !Duration.isNegative(duration.value)) return Duration.toMillis(duration.value)
  throw new RangeError(`${name} must be a duration of at least 0, not ${inspect(input)}`)
}

/** One of the words that are known. */
export const wordOf = <Word extends string>(name: string, word: Word, words: ReadonlyArray<Word>): Word => {
  if (words.includes(word)) return word
  throw new RangeError(`${name} must be ${words.map((one) => inspect(one)).join(" or ")}, not ${inspect(word)}`)
}
