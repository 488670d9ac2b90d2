/** What a capture says of each connection, seen from the server's own device: what it sent, lost on the way or not. */
import { readSegments, type Segment } from "./Pcap.ts"

export class Conversation {
  /** The server's FIN segments, those sent again among them. */
  fins = 0
  /** How many bytes the server sent before its FIN. */
  finAfterBytes: number | undefined
  resets = 0
  /** Bytes of the server's that the client had acknowledged when the server first sent RST. */
  ackedAtReset: number | undefined
  /** Bytes of the server's that the client has acknowledged, its FIN not counted. */
  acked = 0
  finAcked = false
  clientFins = 0
  clientResets = 0
  /** Segments with data, SYN or FIN that the server sent again. */
  sentAgain = 0
  private first: number | undefined
  private sentEnd = 0

  fromServer(segment: Segment): void {
    if (segment.syn) this.first ??= (segment.seq + 1) >>> 0
    if (segment.rst) {
      this.resets++
      this.ackedAtReset ??= this.acked
      return
    }
    // Counted from the first byte of data: SYN is the number before it.
    const from = segment.syn ? -1 : this.relative(segment.seq)
    const end = from + segment.payloadBytes + Number(segment.syn) + Number(segment.fin)
    if (segment.syn && this.synSent) this.sentAgain++
    else if (!segment.syn && end > from && end <= this.sentEnd) this.sentAgain++
    this.synSent ||= segment.syn
    this.sentEnd = Math.max(this.sentEnd, end)
    if (!segment.fin) return
    this.fins++
    this.finAfterBytes ??= from + segment.payloadBytes
  }

  private synSent = false

  fromClient(segment: Segment): void {
    if (segment.fin) this.clientFins++
    if (segment.rst) this.clientResets++
    if (!segment.hasAck || segment.syn || segment.rst || this.first === undefined) return
    const acked = this.relative(segment.ack)
    if (acked > this.sentEnd) return
    if (this.finAfterBytes !== undefined && acked > this.finAfterBytes) this.finAcked = true
    this.acked = Math.max(this.acked, Math.min(acked, this.finAfterBytes ?? acked))
  }

  private relative(seq: number): number {
    return (seq - (this.first ?? 0)) | 0
  }
}

export interface Conversations {
  readonly segments: number
  readonly sentAgain: number
  of(address: string, port: number, serverPort: number): Conversation | undefined
}

/** Reads a whole capture; `server` is the address of the server's side. */
export const readConversations = (path: string, server: string): Conversations => {
  const all = new Map<string, Conversation>()
  const serverNumber = numberOf(server)
  let segments = 0
  readSegments(path, (segment) => {
    segments++
    const sent = segment.source === serverNumber
    const key = sent
      ? `${segment.destination} ${segment.destinationPort} ${segment.sourcePort}`
      : `${segment.source} ${segment.sourcePort} ${segment.destinationPort}`
    let conversation = all.get(key)
    if (conversation === undefined) all.set(key, (conversation = new Conversation()))
    if (sent) conversation.fromServer(segment)
    else conversation.fromClient(segment)
  })
  let sentAgain = 0
  for (const conversation of all.values()) sentAgain += conversation.sentAgain
  return {
    segments,
    sentAgain,
    of: (address, port, serverPort) => all.get(`${numberOf(address)} ${port} ${serverPort}`)
  }
}

const numberOf = (address: string): number => Buffer.from(address.split(".").map(Number)).readUInt32BE()
