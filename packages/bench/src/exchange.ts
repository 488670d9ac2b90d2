/**
 * What a row's connections say and hear, to the byte: made once, in files that both load generators read, so that they
 * know of lengths and of nothing else.
 */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Http from "./http.ts"
import type { Row, Service } from "./rows.ts"

export interface Exchange {
  /** Requests of one length, which a connection sends in turn. */
  readonly requests: Buffer
  /** One answer: all have its length, its first byte and its last one. */
  readonly answer: Buffer
  /** Another, which says that the connection ends behind it, and after which it does; nothing where none says so. */
  readonly lastAnswer: Buffer
  /** What comes before the first request, and is answered with 101 and an empty line; nothing on most transports. */
  readonly hello: Buffer
  /** What is said before the end, by both sides; nothing where the end of the stream says it. */
  readonly goodbye: Buffer
}

const names = ["requests", "answer", "lastAnswer", "hello", "goodbye"] as const

const message = (service: Service, size: number): Buffer => {
  const bytes = Buffer.alloc(size, "a")
  if (service === "lines") bytes[size - 1] = 10
  if (service === "u32") bytes.writeUInt32BE(size - 4)
  return bytes
}

/** Of equal length, and more of them than are under way at a time. */
const callIds = Array.from({ length: 64 }, (_, index) => String(index + 10))
const line = (value: object): Buffer => Buffer.from(`${JSON.stringify(value)}\n`)

/** A unary call of Effect's RPC and its answer, as NDJSON has them. */
const call = (id: string, size: number): Buffer =>
  line({ _tag: "Request", id, tag: "Echo", payload: { text: "a".repeat(size) }, headers: [] })
const returned = (id: string, size: number): Buffer =>
  line({ _tag: "Exit", requestId: id, exit: { _tag: "Success", value: "a".repeat(size) } })

interface Said {
  readonly requests: ReadonlyArray<Buffer>
  readonly answer: Buffer
  readonly lastAnswer?: Buffer
}

const said = ({ service, size, transport }: Row): Said => {
  if (service === "rpc") return { requests: callIds.map((id) => call(id, size)), answer: returned(callIds[0]!, size) }
  if (service !== "text" && service !== "work" && service !== "upload")
    return { requests: [message(service, size)], answer: message(service, size) }
  const requests = [Http.request(service, size)]
  const body = Http.bodyOf(service, size)
  // The frames of HTTP/2 are for its client to know.
  if (transport === "h2") return { requests, answer: Buffer.from(body) }
  return { requests, answer: Http.answer(body), lastAnswer: Http.lastAnswer(body) }
}

const text = 1
const binary = 2
const close = 8

/** The mask of the RFC's example. One of zeros would save the servers that look for it their work. */
const mask = [0x37, 0xfa, 0x21, 0x3d] as const

/** A WebSocket frame (RFC 6455, 5.2); those of clients are masked. */
const frame = (opcode: number, payload: Buffer, isMasked: boolean): Buffer => {
  const short = payload.length < 126 ? payload.length : payload.length < 65_536 ? 126 : 127
  const head = Buffer.from([0x80 | opcode, (isMasked ? 0x80 : 0) | short])
  const length = Buffer.alloc(short === 126 ? 2 : short === 127 ? 8 : 0)
  if (length.length > 0) length.writeUIntBE(payload.length, Math.max(0, length.length - 6), Math.min(6, length.length))
  const body = isMasked ? payload.map((byte, index) => byte ^ mask[index % 4]!) : payload
  return Buffer.concat([head, length, Buffer.from(isMasked ? mask : []), body])
}

const upgrade = [
  "GET / HTTP/1.1",
  "Host: 127.0.0.1",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "\r\n"
].join("\r\n")

const goingAway = Buffer.from([1001 >> 8, 1001 & 255])

export const exchangeOf = (row: Row): Exchange & { readonly requestBytes: number } => {
  const nothing = Buffer.alloc(0)
  const { answer, lastAnswer = nothing, requests } = said(row)
  if (row.transport !== "ws" && row.transport !== "upgraded") {
    const all = Buffer.concat(requests)
    return { requests: all, answer, lastAnswer, hello: nothing, goodbye: nothing, requestBytes: requests[0]!.length }
  }
  const kind = row.service === "rpc" ? text : binary
  const framed = requests.map((request) => frame(kind, request, true))
  return {
    requests: Buffer.concat(framed),
    answer: frame(kind, answer, false),
    lastAnswer,
    hello: Buffer.from(upgrade),
    goodbye: frame(close, goingAway, true),
    requestBytes: framed[0]!.length
  }
}

/** Its files, in a new folder. */
export const writeExchange = (exchange: Exchange): string => {
  const folder = mkdtempSync(join(tmpdir(), "finwait-bench-"))
  for (const name of names) writeFileSync(join(folder, name), exchange[name])
  return folder
}

export const readExchange = (folder: string): Exchange => {
  const read = (name: (typeof names)[number]) => readFileSync(join(folder, name))
  return {
    requests: read("requests"),
    answer: read("answer"),
    lastAnswer: read("lastAnswer"),
    hello: read("hello"),
    goodbye: read("goodbye")
  }
}

/** The first byte of a close frame of the other side's. */
export const closeFrame = 0x80 | close
