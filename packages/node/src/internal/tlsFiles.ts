/**
 * A key and its certificate in two files, which somebody else renews whenever he likes.
 *
 * They are read and compared, not watched: see `NodeTls.fromFiles`. Between his two writes they do not belong together, which
 * is nothing to speak of. When they still do not at the next look, he has made a mistake, or has failed in the middle of it,
 * and the certificate that is served will end one day without another: so that is told.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { SystemFailure } from "finwait/NetworkError"
import * as Fs from "node:fs/promises"

/** A key and a certificate: where they are, or what is in there. */
export interface Pair {
  readonly key: string
  readonly cert: string
}

const unreadable = (error: unknown): SystemFailure => {
  const { code = "UNKNOWN", message } = error as NodeJS.ErrnoException
  return new SystemFailure({ code, detail: message.replace(`${code}: `, "") })
}

const readPair = (files: Pair): Effect.Effect<Pair, SystemFailure> =>
  Effect.tryPromise({
    try: async () => ({ cert: await Fs.readFile(files.cert, "utf8"), key: await Fs.readFile(files.key, "utf8") }),
    catch: unreadable
  })

const same = (one: Pair, other: Pair): boolean => one.cert === other.cert && one.key === other.key

/** Hears of each look, and says what can be used. */
class Looks {
  private readonly files: Pair
  private readonly problemOf: (pair: Pair) => string | undefined
  private last: Pair | undefined
  private isTold = false

  constructor(files: Pair, problemOf: (pair: Pair) => string | undefined) {
    this.files = files
    this.problemOf = problemOf
  }

  take(pair: Pair): Effect.Effect<Option.Option<Pair>> {
    const problem = this.problemOf(pair)
    const isOld = this.last !== undefined && same(this.last, pair)
    this.last = pair
    if (problem === undefined) return Effect.succeedSome(pair)
    const { isTold } = this
    this.isTold = isOld
    if (!isOld || isTold) return Effect.succeedNone
    const { cert, key } = this.files
    return Effect.as(Effect.logWarning(`TLS: ${key} and ${cert} cannot be used: ${problem}`), Option.none())
  }
}

/** What is in the files, now and whenever that has changed into something without a problem. */
export const pairsIn = (
  files: Pair,
  interval: Duration.Input,
  problemOf: (pair: Pair) => string | undefined
): Stream.Stream<Pair, SystemFailure> =>
  Stream.suspend(() => {
    const looks = new Looks(files, problemOf)
    const read = readPair(files)
    const later = read.pipe(
      Effect.flatMap((pair) => looks.take(pair)),
      Effect.catch((error) => Effect.as(Effect.logWarning(`TLS: ${error.message}`), Option.none<Pair>())),
      Effect.delay(interval)
    )
    const all = Stream.concat(Stream.fromEffect(Effect.asSome(read)), Stream.fromEffectRepeat(later))
    return all.pipe(
      Stream.filter(Option.isSome),
      Stream.map(({ value }) => value),
      Stream.changesWith(same)
    )
  })
