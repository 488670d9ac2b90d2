/**
 * What an Effect application does while its connections end: its event streams, its requests that have no more time, and
 * the two things of Effect's own handlers that are about connections, which they may leave to us.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpBody from "effect/http/HttpBody"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Http from "node:http"
import { connectionOf } from "./httpConnection.ts"

/** A comment, which clients of event streams read over (WHATWG HTML, 9.2.6): those who look see why it ends. */
const lastComment = new TextEncoder().encode(": the server is going away\n\n")

const endsEvent = (bytes: Uint8Array | undefined): boolean =>
  bytes === undefined || /(?:\n\n|\r\r|\r\n\r\n)$/.test(Buffer.from(bytes.subarray(-4)).toString("latin1"))

/** Ends streams of events when their connection is told that the server drains, with a last comment. */
export const endingEvents = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest> =>
  Effect.flatMap(app, (response) => {
    const { body, headers } = response
    if (body._tag !== "Stream") return Effect.succeed(response)
    const type = headers["content-type"] ?? body.contentType
    if (!/^text\/event-stream\b/i.test(type) || headers["content-encoding"] !== undefined)
      return Effect.succeed(response)
    return HttpServerRequest.useSync((request) => {
      const connection = connectionOf(NodeHttpServerRequest.toIncomingMessage(request).socket)
      if (connection === undefined) return response
      const announced = Effect.callback<void>((resume) => {
        const forget = connection.onAnnounced(() => resume(Exit.void))
        return Effect.sync(forget)
      })
      let last: Uint8Array | undefined
      const told = Stream.map(body.stream, (bytes) => (last = bytes))
      // Behind half an event it would become a part of it.
      const comment = Stream.suspend(() => (endsEvent(last) ? Stream.make(lastComment) : Stream.empty))
      const events = Stream.concat(Stream.interruptWhen(told, announced), comment)
      return HttpServerResponse.setBody(response, HttpBody.stream(events, type))
    })
  })

/**
 * Has `100 Continue` said when the application begins to read the body, and not before: who is refused sends none. Node ends
 * the connection behind an answer that was given without it, because it is not known whether a body follows.
 */
export const continueWhenRead = (request: Http.IncomingMessage, response: Http.ServerResponse): void => {
  const { read, resume } = request
  const goOn = (): void => {
    request.read = read
    request.resume = resume
    if (!response.headersSent) response.writeContinue()
  }
  request.read = (size) => {
    goOn()
    return request.read(size)
  }
  request.resume = () => {
    goOn()
    return request.resume()
  }
}

/** How much of a body that nobody wants is read for the sake of the next request on its connection; as Effect has it. */
const unreadBytesMax = 256 * 1024

/**
 * An answer that was given before the body of its request had come: the rest is read and thrown away, for as long as it is
 * short, and else the connection ends, with a linger behind the answer. Effect's own handler destroys the socket half a
 * second after the answer, which takes it away from a client that is still sending; it leaves alone a request that is
 * complete.
 */
export const discardRest = (request: Http.IncomingMessage, response: Http.ServerResponse): void => {
  const { headers } = request
  const hasBody = headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined
  if (hasBody) response.prependListener("finish", onAnswered)
}

/**
 * Has a short answer leave in one write with its head. Effect has Node compare what is written with the length that was
 * declared (`strictContentLength`), and Node writes what it compares in pieces, which costs a sixth of all that a small
 * answer costs. A body that is given whole can be compared here.
 */
export const inOneWrite = (response: Http.ServerResponse): void => {
  // Somebody else looks at what is written.
  if (Object.hasOwn(response, "end") || Object.hasOwn(response, "writeHead")) return
  response.writeHead = writeHead as Http.ServerResponse["writeHead"]
  response.end = end as Http.ServerResponse["end"]
}

const declared = Symbol("finwait/declared")

interface Declaring extends Http.ServerResponse {
  [declared]?: unknown
}

/** As its class has it. */
const prototypeOf = (response: Http.ServerResponse): Http.ServerResponse => Object.getPrototypeOf(response)

type Heading = (status: number, reason?: string | Head, headers?: Head) => Http.ServerResponse

type Ending = (body?: unknown, encoding?: never, callback?: () => void) => Http.ServerResponse

type Head = Http.OutgoingHttpHeaders | undefined

function writeHead(this: Declaring, status: number, reason?: string | Head, headers?: Head): Http.ServerResponse {
  this[declared] = (typeof reason === "object" ? reason : headers)?.["content-length"]
  return (prototypeOf(this).writeHead as Heading).call(this, status, reason, headers)
}

function end(this: Declaring, body?: unknown, encoding?: never, callback?: () => void): Http.ServerResponse {
  const isWhole = encoding === undefined && callback === undefined && this.strictContentLength
  if (isWhole && this[declared] === String(lengthOf(body))) this.strictContentLength = false
  return (prototypeOf(this).end as Ending).call(this, body, encoding, callback)
}

const lengthOf = (body: unknown): number | undefined =>
  typeof body === "string" ? Buffer.byteLength(body) : body instanceof Uint8Array ? body.length : undefined

function onAnswered(this: Http.ServerResponse): void {
  const request = this.req
  if (request.complete || request.destroyed) return
  request.complete = true
  const connection = connectionOf(request.socket)
  request.once("end", () => connection?.onRest())
  let bytes = 0
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= unreadBytesMax) return
    request.pause()
    connection?.over()
  })
  request.resume()
}

/** How long a request may go on behind its answer, once the connection that it came on has ended. */
const restMillis = 1000
const lookMillis = 5

const isBusy = ({ state }: Scope.Closeable): boolean =>
  state._tag === "Open" && (state.finalizer !== undefined || (state.finalizers?.size ?? 0) > 0)

/** Waits for what requests still do behind their answers, and for those who have just heard that their socket is gone. */
export const ended = (scope: Scope.Closeable): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const until = performance.now() + restMillis
    const look = (): void => {
      if (!isBusy(scope) || performance.now() >= until) return resume(Exit.void)
      timer = setTimeout(look, lookMillis)
    }
    let timer: NodeJS.Timeout | undefined
    look()
    return Effect.sync(() => clearTimeout(timer))
  })
