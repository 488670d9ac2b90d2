/**
 * What a row's connections say and hear, to the byte: made once, in files that both load generators read, so that they
 * know of lengths and of nothing else.
 */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Row, Service } from "./rows.ts"

export interface Exchange {
  /** Requests of one length, which a connection sends in turn. */
  readonly requests: Buffer
  /** One answer: all have its length, its first byte and its last one. */
  readonly answer: Buffer
  /** What comes before the first request, and is answered with 101 and an empty line; nothing on most transports. */
  readonly hello: Buffer
  /** What is said before the end, by both sides; nothing where the end of the stream says it. */
  readonly goodbye: Buffer
}

const names = ["requests", "answer", "hello", "goodbye"] as const

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

const said = ({ service, size }: Row): { requests: ReadonlyArray<Buffer>; answer: Buffer } =>
  service === "rpc"
    ? { requests: callIds.map((id) => call(id, size)), answer: returned(callIds[0]!, size) }
    : { requests: [message(service, size)], answer: message(service, size) }

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
  const { answer, requests } = said(row)
  if (row.transport !== "ws") {
    const nothing = Buffer.alloc(0)
    const all = Buffer.concat(requests)
    return { requests: all, answer, hello: nothing, goodbye: nothing, requestBytes: requests[0]!.length }
  }
  const kind = row.service === "rpc" ? text : binary
  const framed = requests.map((request) => frame(kind, request, true))
  return {
    requests: Buffer.concat(framed),
    answer: frame(kind, answer, false),
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
  const [requests, answer, hello, goodbye] = names.map((name) => readFileSync(join(folder, name)))
  return { requests: requests!, answer: answer!, hello: hello!, goodbye: goodbye! }
}

/** The first byte of a close frame of the other side's. */
export const closeFrame = 0x80 | close
