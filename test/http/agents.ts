/**
 * Clients that programs use, as a process: `ask` has so many ask one after the other, each until nobody listens any more.
 */
import * as Undici from "@effect/platform-node/Undici"
import { Buffer } from "node:buffer"
import * as Http from "node:http"
import { ca } from "../../packages/node/test/support/certificates.ts"
import { answer } from "../kernel/rpc.ts"
import { isBodyOf } from "./filler.ts"

export type Who = "undici" | "undici HTTP/2" | "node:http"

export interface Asking {
  readonly who: Who
  readonly url: string
  readonly loops: number
}

export interface Heard {
  readonly whole: number
  readonly wrong: number
  /** Those that have failed, by their codes. */
  readonly failed: Readonly<Record<string, number>>
}

interface Answer {
  readonly status: number
  readonly body: Buffer
}

/** Asks for a path, with a body or without. */
type Ask = (path: string, posted: string | undefined) => Promise<Answer>

const undici = (url: string, options: Undici.Agent.Options): Ask => {
  const dispatcher = new Undici.Agent(options)
  return async (path, posted) => {
    const asked = { dispatcher, method: posted === undefined ? "GET" : "POST", body: posted ?? null } as const
    const { body, statusCode } = await Undici.request(url + path, asked)
    return { status: statusCode, body: Buffer.from(await body.arrayBuffer()) }
  }
}

const nodes = (url: string): Ask => {
  const agent = new Http.Agent({ keepAlive: true })
  return (path, posted) =>
    new Promise((resolve, reject) => {
      const method = posted === undefined ? "GET" : "POST"
      const request = Http.request(url + path, { agent, method }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () => resolve({ status: response.statusCode!, body: Buffer.concat(chunks) }))
        response.on("error", reject)
      })
      request.on("error", reject).end(posted)
    })
}

const askerOf = (who: Who, url: string): Ask => {
  switch (who) {
    case "undici":
      return undici(url, { allowH2: false })
    case "undici HTTP/2":
      return undici(url, { allowH2: true, connections: 4, connect: { ca, servername: "localhost" } })
    case "node:http":
      return nodes(url)
  }
}

const bytes = 2_000

/** Those whom nobody hears any more. */
const isOver = (code: string): boolean => code === "ECONNREFUSED"

const ask = async ({ loops, url, who }: Asking): Promise<Heard> => {
  const asks = askerOf(who, url)
  const failed: Record<string, number> = {}
  let [id, whole, wrong] = [0, 0, 0]
  const loop = async () => {
    for (;;) {
      const mine = ++id
      try {
        const answer = await asks(`/${mine}/${mine % 4}/${bytes}`, mine % 5 === 0 ? "x".repeat(bytes) : undefined)
        if (answer.status === 200 && isBodyOf(answer.body, mine, bytes)) whole++
        else wrong++
      } catch (error) {
        const code = codeOf(error)
        failed[code] = (failed[code] ?? 0) + 1
        if (isOver(code)) return
      }
    }
  }
  await Promise.all(Array.from({ length: loops }, loop))
  return { whole, wrong, failed }
}

const codeOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException
  return code ?? message
}

answer({ ask })
