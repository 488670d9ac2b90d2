/** The TCP segments of a capture file, as tcpdump writes it: classic pcap, IPv4, with or without Ethernet. */
import { closeSync, openSync, readSync } from "node:fs"

export interface Segment {
  /** Seconds of the epoch. */
  readonly time: number
  readonly source: number
  readonly sourcePort: number
  readonly destination: number
  readonly destinationPort: number
  readonly seq: number
  readonly ack: number
  readonly fin: boolean
  readonly syn: boolean
  readonly rst: boolean
  readonly hasAck: boolean
  readonly payloadBytes: number
}

const fileHeaderBytes = 24
const recordHeaderBytes = 16
const chunkBytes = 4 * 1024 * 1024

/** How much comes before the IP header, by the link types of Ethernet devices and TUN devices. */
const linkHeaderBytes: Record<number, number> = { 1: 14, 12: 0, 101: 0, 228: 0 }

/** Calls back for every segment, in the order in which they were captured. */
export const readSegments = (path: string, onSegment: (segment: Segment) => void): void => {
  const file = openSync(path, "r")
  try {
    const chunk = Buffer.alloc(chunkBytes)
    let rest = Buffer.alloc(0)
    let format: Format | undefined
    for (let bytes; (bytes = readSync(file, chunk)) > 0;) {
      const buffer = Buffer.concat([rest, chunk.subarray(0, bytes)])
      let at = 0
      if (format === undefined) {
        format = formatOf(buffer)
        at = fileHeaderBytes
      }
      while (at + recordHeaderBytes <= buffer.length) {
        const captured = format.u32(buffer, at + 8)
        const end = at + recordHeaderBytes + captured
        if (end > buffer.length) break
        const time = format.u32(buffer, at) + format.u32(buffer, at + 4) * format.fraction
        const segment = parse(buffer.subarray(at + recordHeaderBytes + format.skip, end), time)
        if (segment !== undefined) onSegment(segment)
        at = end
      }
      rest = Buffer.from(buffer.subarray(at))
    }
  } finally {
    closeSync(file)
  }
}

interface Format {
  readonly u32: (buffer: Buffer, at: number) => number
  /** Seconds in one unit of the smaller half of a time. */
  readonly fraction: number
  readonly skip: number
}

const formatOf = (buffer: Buffer): Format => {
  const magic = buffer.readUInt32LE(0)
  const little = magic === 0xa1b2c3d4 || magic === 0xa1b23c4d
  const u32 = (from: Buffer, at: number) => (little ? from.readUInt32LE(at) : from.readUInt32BE(at))
  const sized = u32(buffer, 0)
  const fraction = sized === 0xa1b2c3d4 ? 1e-6 : sized === 0xa1b23c4d ? 1e-9 : undefined
  const skip = linkHeaderBytes[u32(buffer, 20)]
  if (fraction === undefined || skip === undefined) throw new Error("no capture that can be read here")
  return { u32, fraction, skip }
}

const parse = (packet: Buffer, time: number): Segment | undefined => {
  if (packet.length < 40 || packet[0]! >>> 4 !== 4 || packet[9] !== 6) return undefined
  const ipBytes = (packet[0]! & 15) * 4
  const tcpBytes = (packet[ipBytes + 12]! >>> 4) * 4
  const flags = packet[ipBytes + 13]!
  return {
    time,
    source: packet.readUInt32BE(12),
    destination: packet.readUInt32BE(16),
    sourcePort: packet.readUInt16BE(ipBytes),
    destinationPort: packet.readUInt16BE(ipBytes + 2),
    seq: packet.readUInt32BE(ipBytes + 4),
    ack: packet.readUInt32BE(ipBytes + 8),
    fin: (flags & 1) !== 0,
    syn: (flags & 2) !== 0,
    rst: (flags & 4) !== 0,
    hasAck: (flags & 16) !== 0,
    // The header's own word for its length: only the beginning of a packet is captured.
    payloadBytes: packet.readUInt16BE(2) - ipBytes - tcpBytes
  }
}
