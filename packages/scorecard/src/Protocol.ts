/**
 * The job server's protocol, as both sides see it. Clients use {@link work} and its kind, which carry the answer that a
 * whole exchange must bring; subjects use {@link parse}. In lines of text, also as the messages of a WebSocket:
 *
 *     WORK <ms>         DONE <ms>              after so many milliseconds
 *     GET <bytes>       SIZE <bytes> + body    in one write, so that all of it is queued at once
 *     REJECT <bytes>    SIZE <bytes> + body    at once, then the connection ends; what follows the request stays unread
 *     DROP <bytes>      body                   the write is only started, and the connection ends at once
 *     FINALIZER <ms>    OK                     and the connection's handler ends with a finalizer that takes so long
 *     BLOCK <ms>        OK                     after the event loop was blocked for so long
 *     STAT              OPEN <n>               the number of open connections
 *
 * An RPC server has the same as calls. No REJECT and no DROP among them, since no call ends its connection; FINALIZER's
 * finalizer is the call's, which has been answered by then; and two more:
 *
 *     LATER <bytes>     body                   a second later
 *     NOTE <text>                              a notification, which is read and has no answer
 *
 * An HTTP server has the same as requests, `GET /WORK/2000`, and says in the body of its answer what it says in lines. No
 * DROP among them, and FINALIZER's finalizer is the request's; REJECT and one more are sent as `POST`, with a body of
 * {@link uploadBytes} that stays unread:
 *
 *     REJECT <bytes>    SIZE <bytes> + body    says that it is the last on its connection, where HTTP has words for that
 *     UNREAD <bytes>    SIZE <bytes> + body    says nothing of the connection
 */

/** What the server can be asked for in lines. */
export type Verb = "WORK" | "GET" | "REJECT" | "DROP" | "FINALIZER" | "BLOCK" | "STAT"

/** A request as the server sees it. `amount` is milliseconds or bytes, as the verb has it, and 0 for `STAT`. */
export interface Request {
  readonly verb: Verb
  readonly amount: number
}

/** A request and the answer that makes it whole: a line of text, then so many bytes of body. */
export interface Exchange {
  readonly verb: Verb | "LATER" | "UNREAD"
  readonly amount: number
  readonly text: string
  readonly bodyBytes: number
}

const exchange = (verb: Exchange["verb"], amount: number, text: string, bodyBytes = 0): Exchange => ({
  verb,
  amount,
  text,
  bodyBytes
})

export const work = (millis: number) => exchange("WORK", millis, `DONE ${millis}\n`)
export const get = (bytes: number) => exchange("GET", bytes, `SIZE ${bytes}\n`, bytes)
export const reject = (bytes: number) => exchange("REJECT", bytes, `SIZE ${bytes}\n`, bytes)
export const unread = (bytes: number) => exchange("UNREAD", bytes, `SIZE ${bytes}\n`, bytes)
export const drop = (bytes: number) => exchange("DROP", bytes, "", bytes)
export const finalizer = (millis: number) => exchange("FINALIZER", millis, "OK\n")
export const block = (millis: number) => exchange("BLOCK", millis, "OK\n")
export const later = (bytes: number) => exchange("LATER", bytes, "", bytes)

/** What is uploaded behind a request whose answer does not wait for it. */
export const uploadBytes = 1024 * 1024

/** How long `LATER` takes. */
export const laterMillis = 1000

/** What an RPC server takes for one message, at most; it ends the connection of whoever sends more. */
export const callBytesMax = 1024 * 1024

const form = /^(?:(WORK|GET|REJECT|DROP|FINALIZER|BLOCK) (\d+)|(STAT))$/

/** Reads one line without its end. `undefined` is no request of this protocol. */
export const parse = (line: string): Request | undefined => {
  const match = form.exec(line)
  if (match === null) return undefined
  return { verb: (match[1] ?? match[3]) as Verb, amount: Number(match[2] ?? 0) }
}

/** What an HTTP server can be asked for. */
export type HttpVerb = Exclude<Verb, "DROP"> | "UNREAD"

/** A request to an HTTP server. */
export interface HttpRequest {
  readonly verb: HttpVerb
  readonly amount: number
}

/** Where an HTTP server is asked for it. */
export const path = ({ amount, verb }: Pick<Exchange, "verb" | "amount">): string => `/${verb}/${amount}`

const paths = /^\/(WORK|GET|REJECT|UNREAD|FINALIZER|BLOCK|STAT)\/(\d+)$/

/** Reads the path of a request. `undefined` is no request of this protocol. */
export const parsePath = (path: string): HttpRequest | undefined => {
  const match = paths.exec(path)
  return match === null ? undefined : { verb: match[1] as HttpVerb, amount: Number(match[2]) }
}

/** What bodies are made of. */
const dot = "."

/** So many bytes of answer. Slices of one allocation, so that a hundred answers cost the memory of the largest. */
export const body = (bytes: number): Uint8Array => {
  if (bytes > filler.length) filler = new Uint8Array(bytes).fill(dot.charCodeAt(0))
  return filler.subarray(0, bytes)
}
let filler = new Uint8Array(0)

/** So many bytes behind their `SIZE`, in one piece. The last one is kept: a hundred clients ask for the same. */
export const sizedBody = (bytes: number): Uint8Array => {
  if (sized?.bytes !== bytes) sized = { bytes, body: Buffer.concat([Buffer.from(`SIZE ${bytes}\n`), body(bytes)]) }
  return sized.body
}
let sized: { readonly bytes: number; readonly body: Uint8Array } | undefined

/** The same as text. */
export const bodyText = (bytes: number): string => dot.repeat(bytes)

/** What `BLOCK` is: the loop turns no more, no timer fires, nothing is accepted. */
export const blockLoop = (millis: number): void => {
  const until = performance.now() + millis
  while (performance.now() < until);
}
