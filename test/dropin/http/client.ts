/** Clients that share no code with what they ask: Node's own, and one that sees the bytes. */
import { Effect } from "effect"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import type { Readable } from "node:stream"
import { RawClient } from "../../tools/RawClient.ts"
import { certificate } from "../contract/certificate.ts"
import { host, type Listening } from "./world.ts"

export interface Question {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Uint8Array
}

export interface Answer {
  readonly status: number
  /** Without those in which the protocols differ, and the date. */
  readonly headers: Record<string, unknown>
  readonly body: string
  /** What broke the answer off, when it is not whole. */
  readonly broken?: string
}

const ofProtocol = new Set(["date", "connection", "keep-alive", "transfer-encoding", ":status"])

const shown = (headers: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !ofProtocol.has(name)))

const answerOf = (status: number, headers: object, body: Readable): Promise<Answer> =>
  new Promise((resolve) => {
    const chunks: Array<Buffer> = []
    let broken: string | undefined
    body.on("data", (chunk: Buffer) => chunks.push(chunk))
    body.on("error", (error: NodeJS.ErrnoException) => {
      broken = error.code ?? error.message
    })
    body.on("close", () => {
      const answer = { status, headers: shown(headers), body: Buffer.concat(chunks).toString() }
      resolve(broken === undefined ? answer : { ...answer, broken })
    })
  })

/** An agent of Node's, with one connection. */
export const agent = ({ protocol }: Pick<Listening, "protocol">) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const options = { keepAlive: true, maxSockets: 1 }
      return protocol === "http" ? new Http.Agent(options) : new Https.Agent({ ...options, ca: certificate.cert })
    }),
    (agent) => Effect.sync(() => agent.destroy())
  )

/** Asks over HTTP/1.1. */
export const askVia = (agent: Http.Agent, { port, protocol }: Listening, path: string, question: Question = {}) =>
  Effect.promise(
    () =>
      new Promise<Answer>((resolve, reject) => {
        const { request } = protocol === "http" ? Http : Https
        const { body, headers = {}, method = "GET" } = question
        const asked = request({ host, port, path, method, headers, agent }, (response) => {
          // An error of what follows is the body's to tell.
          asked.on("error", () => {})
          resolve(answerOf(response.statusCode!, response.headers, response))
        })
        asked.on("error", reject).end(body)
      })
  )

/** A session of HTTP/2. */
export const session = ({ port, protocol }: Listening) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<Http2.ClientHttp2Session>((resolve, reject) => {
          const scheme = protocol === "h2c" ? "http" : "https"
          const session = Http2.connect(`${scheme}://${host}:${port}`, { ca: certificate.cert }, () => resolve(session))
          session.on("error", reject)
        })
    ),
    (session) => Effect.sync(() => session.destroy())
  )

/** Asks over HTTP/2. */
export const askIn = (session: Http2.ClientHttp2Session, path: string, question: Question = {}) =>
  Effect.promise(
    () =>
      new Promise<Answer>((resolve, reject) => {
        const { body, headers = {}, method = "GET" } = question
        const stream = session.request({ ...headers, ":path": path, ":method": method }, { endStream: false })
        stream.on("error", reject)
        stream.on("response", (headers) => resolve(answerOf(headers[":status"]!, headers, stream)))
        stream.end(body)
      })
  )

/** Asks once, over the protocol of the server. */
export const ask = (listening: Listening, path: string, question?: Question): Effect.Effect<Answer> =>
  Effect.scoped(
    listening.protocol === "http" || listening.protocol === "https"
      ? Effect.flatMap(agent(listening), (agent) => askVia(agent, listening, path, question))
      : Effect.flatMap(session(listening), (session) => askIn(session, path, question))
  )

/** A client that sees the bytes. */
export const raw = ({ port }: Pick<Listening, "port">, options?: { readonly answersFin?: boolean }) =>
  Effect.acquireRelease(
    Effect.promise(() => RawClient.connect(`tcp://${host}:${port}`, options)),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** What has come over the wire, on any day. */
export const wire = ({ text }: RawClient): string => text.replaceAll(/^Date: .*$/gm, "Date: today")

/** The head of an answer, in the order of the alphabet: nobody may rely on another, nor on how Node writes a name. */
export const inOrder = (wire: string): string => {
  const [head = "", ...rest] = wire.split("\r\n\r\n")
  const [status = "", ...headers] = head.split("\r\n")
  return [
    [status, ...headers.map((line) => line.replace(/^Connection/, "connection")).toSorted()].join("\r\n"),
    ...rest
  ].join("\r\n\r\n")
}

export const lines = (...lines: ReadonlyArray<string>): string => lines.join("\r\n")

/** A request without a body. */
export const get = (path: string, ...headers: ReadonlyArray<string>): string =>
  lines(`GET ${path} HTTP/1.1`, "Host: a", ...headers, "", "")

export const post = (path: string, body: string, ...headers: ReadonlyArray<string>): string =>
  lines(`POST ${path} HTTP/1.1`, "Host: a", `Content-Length: ${body.length}`, ...headers, "", body)

/** Sends this, and hears all until the end. */
export const exchange = (listening: Pick<Listening, "port">, bytes: string | Uint8Array) =>
  Effect.scoped(
    Effect.flatMap(raw(listening), (client) =>
      Effect.promise(async () => {
        await client.send(bytes)
        const end = await client.ended()
        return { wire: wire(client), end }
      })
    )
  )

export const hears = (client: RawClient, what: string | number) => Effect.promise(() => client.hears(what))
export const sends = (client: RawClient, bytes: string | Uint8Array) => Effect.promise(() => client.send(bytes))
export const ends = (client: RawClient) => Effect.promise(() => client.ended())

/** A client of this process and its server do all they can without each other's help: nothing moves any more. */
export const standstill = (count: () => number) =>
  Effect.promise(async () => {
    let last = -1
    for (let same = 0; same < 100; same++) {
      const now = count()
      if (now !== last) same = 0
      last = now
      await new Promise((resolve) => setImmediate(resolve))
    }
    return last
  })
