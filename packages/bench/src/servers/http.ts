/** `node:http`, or `node:http2`, and nothing else; or the same in a process that has loaded what a Finwait server loads. */
import type * as Http from "node:http"
import { bodyOf, keepAliveMillis, workMillis } from "../http.ts"
import { backlog, command, onCommand, ready } from "./command.ts"

if (command.variant === "loaded") {
  await Promise.all(
    [
      "@finwait/node/NodeHttpServer",
      "@finwait/node/NodeProcess",
      "effect/http/HttpRouter",
      "effect/http/HttpServerResponse"
    ].map((name) => import(name))
  )
}

const body = bodyOf(command.service, command.size)
const headers = { "content-type": "text/plain", "content-length": body.length }
let isClosing = false

const answer = (response: Http.ServerResponse): void => {
  // What Node does not say for itself, and without which a client that keeps asking is never rid of.
  if (isClosing && response.req.httpVersionMajor === 1) response.setHeader("connection", "close")
  response.writeHead(200, headers).end(body)
}

/** Takes an upload as the others do: in one piece. */
const receive = (request: Http.IncomingMessage, response: Http.ServerResponse): void => {
  const chunks: Array<Buffer> = []
  request
    .on("data", (chunk: Buffer) => chunks.push(chunk))
    .on("end", () => {
      Buffer.concat(chunks)
      answer(response)
    })
}

const listeners: Record<string, Http.RequestListener> = {
  text: (_, response) => answer(response),
  work: (_, response) => void setTimeout(answer, workMillis, response),
  upload: receive
}
const listener = listeners[command.service]!

const plain = async (): Promise<Http.Server> =>
  (await import("node:http")).createServer({ keepAliveTimeout: keepAliveMillis }, listener)
/** By its interface of `node:http`'s. */
const second = async (): Promise<Http.Server> =>
  (await import("node:http2")).createServer(listener as never) as unknown as Http.Server

const server = await (command.transport === "h2" ? second() : plain())
server.listen({ host: "127.0.0.1", port: 0, backlog }, () => {
  const address = server.address()
  ready(address !== null && typeof address === "object" ? address.port : 0)
})
onCommand(() => {
  isClosing = true
  // Ends who is idle as well; sessions of HTTP/2 are told.
  server.close()
})
