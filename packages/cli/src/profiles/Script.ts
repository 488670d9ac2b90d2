/**
 * A protocol in a small file: what is sent, and what is to come back. For servers that speak neither HTTP nor anything
 * else that is known here.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ScriptAsk } from "../clients/ScriptDialect.ts"
import { messageOf } from "../messageOf.ts"
import { whatIsWrong } from "./scriptErrors.ts"

const Bytes = Schema.Union([
  Schema.String,
  Schema.Struct({ base64: Schema.String }),
  /** So many bytes of a text, again and again. */
  Schema.Struct({ repeat: Schema.NonEmptyString, bytes: Schema.Int })
])
type Bytes = typeof Bytes.Type

/** What makes an answer whole: one of these, or several in this order. */
const Expect = Schema.Struct({
  /** These bytes, and no others. */
  text: Schema.optionalKey(Schema.String),
  /** So many lines, whatever they say. */
  lines: Schema.optionalKey(Schema.Int),
  /** So many bytes, whatever they are. */
  bytes: Schema.optionalKey(Schema.Int)
})

const Exchange = Schema.Struct({
  send: Schema.Union([Bytes, Schema.Array(Bytes)]),
  expect: Schema.optionalKey(Expect)
})

/**
 * The requests of a server, by what they are good for. Only `quick` is needed; scenarios whose request is missing are not
 * run, and say so.
 */
export const Script = Schema.Struct({
  /** Answered at once. */
  quick: Exchange,
  /** Answered after a second or more. */
  slow: Schema.optionalKey(Exchange),
  /** Answered with so much (16 MB or more) that it does not fit into the kernel's buffers. */
  large: Schema.optionalKey(Exchange),
  /** Answered, and the connection ended, without reading the megabyte that is sent behind it. */
  upload: Schema.optionalKey(Exchange),
  /** After it the connection has something to do at its end that takes a second. */
  finalizer: Schema.optionalKey(Exchange),
  /** Makes the server end the connection with megabytes that are not sent yet. */
  drop: Schema.optionalKey(Exchange)
})
export type Script = typeof Script.Type

const bytesOf = (part: Bytes): Buffer =>
  typeof part === "string"
    ? Buffer.from(part)
    : "base64" in part
      ? Buffer.from(part.base64, "base64")
      : Buffer.alloc(part.bytes, part.repeat)

const isList = (send: (typeof Exchange.Type)["send"]): send is ReadonlyArray<Bytes> => Array.isArray(send)

export const askOf = ({ expect = {}, send }: typeof Exchange.Type): ScriptAsk => ({
  send: Buffer.concat((isList(send) ? send : [send]).map(bytesOf)),
  expect
})

/** What a request of a script, and what is expected of it, may say. */
const known = {
  script: Object.keys(Script.fields),
  exchange: Object.keys(Exchange.fields),
  expect: Object.keys(Expect.fields)
}

/** What is wrong, and where. */
export class WrongScript extends Error {
  readonly _tag = "WrongScript"
}

/** From a file's text. Fails with what is wrong, and where. */
export const decode = (text: string): Effect.Effect<Script, WrongScript> =>
  Effect.gen(function* () {
    const json = yield* Effect.try({
      try: () => JSON.parse(text) as unknown,
      catch: (cause) => new WrongScript(`it is no JSON: ${messageOf(cause)}`)
    })
    return yield* Effect.mapError(
      Schema.decodeUnknownEffect(Script)(json, { onExcessProperty: "error", errors: "all" }),
      ({ issue }) => new WrongScript(whatIsWrong(issue, json, known))
    )
  })

/** For servers of lines that answer any line by one: an echo. */
export const anyLine: Script = { quick: { send: "finwait\n", expect: { lines: 1 } } }
