/**
 * The job server's line protocol, as both sides see it. Clients use {@link work} and its kind, which carry the exact
 * answer that a whole exchange must bring; subjects use {@link parse}.
 *
 *     WORK <ms>         DONE <ms>              after so many milliseconds
 *     GET <bytes>       SIZE <bytes> + body    in one write, so that all of it is queued at once
 *     REJECT <bytes>    SIZE <bytes> + body    at once, then the connection ends; what follows the request stays unread
 *     DROP <bytes>      body                   the write is only started, and the connection ends at once
 *     FINALIZER <ms>    OK                     and the connection's handler ends with a finalizer that takes so long
 *     BLOCK <ms>        OK                     after the event loop was blocked for so long
 *     STAT              OPEN <n>               the number of open connections
 */

/** A request and the answer that makes it whole: a line of text, then so many bytes of body. */
export interface Exchange {
  readonly request: string
  readonly text: string
  readonly bodyBytes: number
}

const exchange = (request: string, text: string, bodyBytes = 0): Exchange => ({
  request: `${request}\n`,
  text,
  bodyBytes
})

export const work = (millis: number) => exchange(`WORK ${millis}`, `DONE ${millis}\n`)
export const get = (bytes: number) => exchange(`GET ${bytes}`, `SIZE ${bytes}\n`, bytes)
export const reject = (bytes: number) => exchange(`REJECT ${bytes}`, `SIZE ${bytes}\n`, bytes)
export const drop = (bytes: number) => exchange(`DROP ${bytes}`, "", bytes)
export const finalizer = (millis: number) => exchange(`FINALIZER ${millis}`, "OK\n")
export const block = (millis: number) => exchange(`BLOCK ${millis}`, "OK\n")

export type Verb = "WORK" | "GET" | "REJECT" | "DROP" | "FINALIZER" | "BLOCK" | "STAT"

/** A request as the server sees it. `amount` is milliseconds or bytes, as the verb has it, and 0 for `STAT`. */
export interface Request {
  readonly verb: Verb
  readonly amount: number
}

const form = /^(?:(WORK|GET|REJECT|DROP|FINALIZER|BLOCK) (\d+)|(STAT))$/

/** Reads one line without its end. `undefined` is no request of this protocol. */
export const parse = (line: string): Request | undefined => {
  const match = form.exec(line)
  if (match === null) return undefined
  return { verb: (match[1] ?? match[3]) as Verb, amount: Number(match[2] ?? 0) }
}

/** So many bytes of answer. Slices of one allocation, so that a hundred answers cost the memory of the largest. */
export const body = (bytes: number): Uint8Array => {
  if (bytes > filler.length) filler = new Uint8Array(bytes).fill(0x2e)
  return filler.subarray(0, bytes)
}
let filler = new Uint8Array(0)

/** What `BLOCK` is: the loop turns no more, no timer fires, nothing is accepted. */
export const blockLoop = (millis: number): void => {
  const until = performance.now() + millis
  while (performance.now() < until);
}
