/**
 * A man in the middle of a TLS connection, who cannot read it and need not: records have their type and their length in
 * the clear. He notes what passes, and can truncate what one side hears.
 */
import * as Effect from "effect/Effect"
import * as net from "node:net"
import { until } from "./network.ts"

export interface Record {
  readonly type: number
  readonly length: number
}

const headerBytes = 5
const alert = 21
const applicationData = 23

/** An alert is two bytes. TLS 1.3 says neither that it is one nor its length: with its type and its tag it has 19. */
const isAlert = ({ length, type }: Record): boolean => type === alert || (type === applicationData && length === 19)

const nothing: Buffer = Buffer.alloc(0)

/** One of the two. */
export class Direction {
  readonly records: Array<Record> = []
  /** How it has ended: `FIN`, or the code of what broke it. */
  ending: string | undefined
  /** Drops close_notify, and passes the FIN behind it on. */
  stripsAlerts = false
  /** Keeps what comes, and passes it on in one piece with the end, or when it is let go. */
  isHeld = false
  private readonly to: net.Socket
  /** The first record of so many bytes is cut in the middle, with a FIN there that nobody has sent. */
  cutsRecordOf = Infinity
  private isCut = false
  private partial = nothing
  private readonly held: Array<Buffer> = []

  constructor(from: net.Socket, to: net.Socket) {
    this.to = to
    from.on("data", (bytes) => {
      if (!this.take(bytes)) from.pause()
    })
    to.on("drain", () => from.resume())
    from.on("end", () => {
      this.ending ??= "FIN"
      if (!this.isCut) to.end(Buffer.concat(this.held))
    })
    from.on("error", (error: NodeJS.ErrnoException) => {
      this.ending ??= error.code ?? error.message
      if (!to.destroyed) to.resetAndDestroy()
    })
  }

  /** Whether the last that was said before the end is an alert: close_notify. */
  get saidGoodbye(): boolean {
    const last = this.records.at(-1)
    return this.ending === "FIN" && last !== undefined && isAlert(last)
  }

  letGo(): void {
    this.isHeld = false
    this.to.write(Buffer.concat(this.held.splice(0)))
  }

  private take(bytes: Buffer): boolean {
    let all = this.partial.length === 0 ? bytes : Buffer.concat([this.partial, bytes])
    let hasRoom = true
    while (all.length >= headerBytes) {
      const record = { type: all[0]!, length: all.readUInt16BE(3) }
      const whole = headerBytes + record.length
      if (all.length < whole) break
      this.records.push(record)
      if (!this.stripsAlerts || !isAlert(record)) hasRoom = this.pass(all.subarray(0, whole))
      all = all.subarray(whole)
    }
    this.partial = all
    return hasRoom
  }

  private pass(bytes: Buffer): boolean {
    if (this.isHeld) return this.held.push(bytes) > 0
    if (this.isCut) return true
    if (bytes.length < this.cutsRecordOf) return this.to.write(bytes)
    this.isCut = true
    this.to.end(bytes.subarray(0, bytes.length / 2))
    return true
  }
}

export interface Conversation {
  readonly fromClient: Direction
  readonly fromServer: Direction
}

export interface Wire {
  /** For clients to dial. */
  readonly url: string
  readonly conversations: ReadonlyArray<Conversation>
  /** The conversation of whoever has connected last. */
  readonly last: Effect.Effect<Conversation>
}

/** Before a server, at an address of its own, until the end of the scope. */
export const wire = (target: string, prepare: (conversation: Conversation) => void = () => {}) =>
  Effect.acquireRelease(
    Effect.callback<Wire & { readonly close: () => void }>((resume) => {
      const { hostname, port } = new URL(target)
      const conversations: Array<Conversation> = []
      const sockets: Array<net.Socket> = []
      const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
        const onwards = net.connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true })
        sockets.push(client, onwards)
        const conversation = {
          fromClient: new Direction(client, onwards),
          fromServer: new Direction(onwards, client)
        }
        prepare(conversation)
        conversations.push(conversation)
      })
      const last = Effect.suspend(() =>
        Effect.map(
          until(() => conversations.length > 0, "somebody is connected"),
          () => conversations.at(-1)!
        )
      )
      const close = () => {
        server.close()
        for (const socket of sockets) socket.destroy()
      }
      server.listen({ host: "127.0.0.1", port: 0 }, () => {
        const url = `tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`
        resume(Effect.succeed({ url, conversations, last, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )
