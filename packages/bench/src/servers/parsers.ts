/**
 * Framing as one writes it by hand: all messages of a chunk are answered in one piece.
 */
import type { Service } from "../rows.ts"

/** What a chunk is answered with, if anything. */
export const answering = (service: Service): ((chunk: Uint8Array) => Uint8Array | string | undefined) => {
  if (service === "sink") return () => undefined
  if (service !== "lines" && service !== "u32") return (chunk) => chunk
  const parse = service === "lines" ? lines() : u32()
  return (chunk) => {
    const answers = parse(chunk)
    return answers.length === 0 ? undefined : answers
  }
}

/** A chunk's answers, one by one. */
export const messages = (service: Service): ((chunk: Uint8Array) => ReadonlyArray<Uint8Array | string>) => {
  const answer = answering(service)
  return (chunk) => {
    const answers = answer(chunk)
    if (answers === undefined) return []
    if (typeof answers === "string") return answers.match(/[^\n]*\n/g) ?? []
    const view = new DataView(answers.buffer, answers.byteOffset, answers.byteLength)
    const each: Array<Uint8Array> = []
    for (let from = 0, end = 0; from < answers.length; from = end) {
      end = from + 4 + view.getUint32(from)
      each.push(answers.subarray(from, end))
    }
    return each
  }
}

/** Lines of text; the answer is the same lines. */
const lines = () => {
  const decoder = new TextDecoder()
  let rest = ""
  return (chunk: Uint8Array): string => {
    const text = rest + decoder.decode(chunk, { stream: true })
    let answers = ""
    let from = 0
    for (let end; (end = text.indexOf("\n", from)) >= 0; from = end + 1) answers += `${answer(text.slice(from, end))}\n`
    rest = text.slice(from)
    return answers
  }
}

/** Messages behind their length in four bytes, big endian; the answer is the same messages. */
const u32 = () => {
  let rest: Uint8Array | undefined
  return (chunk: Uint8Array): Uint8Array => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk])
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const answers: Array<Uint8Array> = []
    let from = 0
    while (bytes.length - from >= 4) {
      const end = from + 4 + view.getUint32(from)
      if (end > bytes.length) break
      const message = answer(bytes.subarray(from + 4, end))
      const header = Buffer.allocUnsafe(4)
      header.writeUInt32BE(message.length)
      answers.push(header, message)
      from = end
    }
    rest = from < bytes.length ? bytes.subarray(from) : undefined
    return Buffer.concat(answers)
  }
}

/** Where an application would do its work. */
const answer = <Message>(message: Message): Message => message
