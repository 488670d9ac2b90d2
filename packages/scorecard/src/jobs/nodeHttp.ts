/** The job server as a listener of Node's `request` events: what libraries that stop servers of `node:http` are put on. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { generous } from "../Limits.ts"
import * as Protocol from "../Protocol.ts"
import { listen } from "./listen.ts"
import { countedBy, openCount } from "./opened.ts"

/** An answer: its body, and whether it ends its connection. */
export interface Answer {
  readonly body: string | Uint8Array
  readonly isLast?: true
}

/** `undefined` where nobody knows what was asked for. */
export const answerTo = async (url: string): Promise<Answer | undefined> => {
  const asked = Protocol.parsePath(url)
  if (asked === undefined) return undefined
  const { amount, verb } = asked
  switch (verb) {
    case "WORK":
      await new Promise((resolve) => setTimeout(resolve, amount))
      return { body: `DONE ${amount}\n` }
    case "GET":
    case "UNREAD":
      return { body: Protocol.sizedBody(amount) }
    case "REJECT":
      return { body: Protocol.sizedBody(amount), isLast: true }
    case "FINALIZER":
      setTimeout(() => {}, amount)
      return { body: "OK\n" }
    case "BLOCK":
      Protocol.blockLoop(amount)
      return { body: "OK\n" }
    case "STAT":
      return { body: `OPEN ${openCount()}\n` }
  }
}

const onRequest: http.RequestListener = async ({ url = "" }, response) => {
  const answer = await answerTo(url)
  if (answer === undefined) response.statusCode = 404
  if (answer?.isLast === true) response.setHeader("connection", "close")
  response.end(answer?.body)
}

export const announce = (server: http.Server): void => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ listening: `tcp://127.0.0.1:${port}` })}\n`)
}

/** Listens, and says so. */
export const started = (): http.Server => {
  const server = countedBy(http.createServer(onRequest))
  return server.listen(listen, () => announce(server))
}

/** What such a library gets as its only deadline: the scenario's, for the drain. */
export const drainMillis = Number(process.env["DRAIN_MS"] ?? generous.DRAIN_MS)

/** The wish to stop, which some hear only once. */
export const onStop = (stop: () => unknown): void => {
  process.on("SIGTERM", () => void stop())
}
