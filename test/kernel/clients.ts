/**
 * All clients, on `node:net` alone, and their books: what each was to hear, byte by byte, and what it heard.
 *
 *     open { group, host, port, peers }    when all are connected, and then all are in position: what they asked has
 *                                          arrived
 *     tell group                           the drain has been announced: who waited for that goes on
 *     collect { group, millis }            what became of them; who still waits after so long is cut off
 */
import * as net from "node:net"
import { Latch, settles } from "../../packages/cli/src/Waiting.ts"
import { body, expectedBytes, greeting, type Role, type RoleName, roleOf } from "./Roles.ts"
import { answer } from "./rpc.ts"

export interface Peer {
  readonly role: RoleName
  /** Its own address, by which the link knows it. */
  readonly address: string
  /** Where in the pattern its answer begins. */
  readonly from: number
  /** Before a slow one goes on reading, or a half request on asking. */
  readonly pauseMillis: number
}

export interface Open {
  readonly group: number
  readonly host: string
  readonly port: number
  readonly peers: ReadonlyArray<Peer>
}

export interface ClientRecord {
  readonly role: RoleName
  readonly address: string
  readonly port: number
  readonly expectedBytes: number
  readonly receivedBytes: number
  /** Where it first heard another byte than the one it was to hear, or one too many. */
  readonly wrongAt: number | null
  /** `FIN`, the code of what broke it, or `open`. */
  readonly ending: string
}

const uploadChunk = new Uint8Array(64 * 1024)

class Client {
  readonly connected = new Latch()
  readonly inPosition = new Latch()
  readonly ended = new Latch()
  private readonly role: Role
  private readonly peer: Peer
  private readonly socket: net.Socket
  private readonly expected: number
  private readonly greeting: Buffer
  private port = 0
  private received = 0
  private wrongAt: number | null = null
  private ending = "open"
  private slow = false

  constructor(peer: Peer, host: string, port: number) {
    this.peer = peer
    this.role = roleOf(peer.role)
    this.expected = expectedBytes(this.role)
    this.greeting = Buffer.from(greeting(this.role))
    const localAddress = peer.address
    this.socket = net.connect({ host, port, localAddress, allowHalfOpen: true, noDelay: true })
    this.socket.on("connect", () => {
      this.port = this.socket.localPort!
      this.connected.open()
    })
    this.socket.on("data", (chunk) => this.hear(chunk))
    this.socket.on("end", () => {
      this.end("FIN")
      if (this.role.answersFin) this.socket.end()
    })
    this.socket.on("error", (error: NodeJS.ErrnoException) => this.end(error.code ?? error.message))
    this.socket.on("close", () => this.ended.open())
  }

  ask(): void {
    if (this.greeting.length === 0) this.inPosition.open()
    else this.socket.write(this.role.opening(this.peer.from))
  }

  /** The drain has begun. */
  tell(): void {
    setTimeout(() => {
      const { reads, rest } = this.role
      if (rest !== undefined) this.socket.write(rest(this.peer.from))
      if (reads === "slowly") {
        this.slow = true
        this.socket.resume()
      }
    }, this.peer.pauseMillis)
  }

  get record(): ClientRecord {
    return {
      role: this.peer.role,
      address: this.peer.address,
      port: this.port,
      expectedBytes: this.expected,
      receivedBytes: this.received,
      wrongAt: this.wrongAt,
      ending: this.ending
    }
  }

  /** Whether its end is to be waited for: nobody tells one anything whose link is gone, and one that stays, stays. */
  get ends(): boolean {
    const { answersFin, link } = this.role
    return answersFin && link !== "downBefore" && link !== "downDuring"
  }

  /** The server has ended. Who never read looks at last, and must not find a FIN behind half an answer. */
  look(): void {
    this.slow = true
    this.socket.resume()
  }

  cutOff(): void {
    if (!this.socket.destroyed) this.socket.resetAndDestroy()
  }

  private hear(chunk: Buffer): void {
    this.check(chunk)
    this.received += chunk.length
    if (this.received < this.greeting.length) return
    if (this.role.reads !== "all" && !this.slow) this.socket.pause()
    if (this.slow) {
      this.socket.pause()
      setTimeout(() => this.socket.resume(), 10)
    }
    if (this.role.uploadBytes !== undefined && !this.uploading) this.upload(this.role.uploadBytes)
    this.inPosition.open()
  }

  private check(chunk: Buffer): void {
    if (this.wrongAt !== null) return
    const hello = this.greeting.subarray(this.received, this.received + chunk.length)
    const first = chunk.subarray(0, hello.length)
    const rest = chunk.subarray(hello.length)
    const at = this.received + hello.length
    const place = this.peer.from + at - this.greeting.length
    const whole = at + rest.length <= this.expected
    if (!first.equals(hello) || !whole || !rest.equals(body(rest.length, place))) this.wrongAt = this.received
  }

  private uploading = false

  /** As fast as the server, or its kernel, lets it; begins to read some time after the last byte was taken. */
  private upload(left: number): void {
    this.uploading = true
    if (left > 0) {
      const chunk = uploadChunk.subarray(0, Math.min(left, uploadChunk.length))
      this.socket.write(chunk, (error) => {
        if (error === undefined || error === null) this.upload(left - chunk.length)
      })
      return
    }
    setTimeout(() => {
      this.slow = true
      this.socket.resume()
    }, this.peer.pauseMillis)
  }

  private end(how: string): void {
    this.ending = how
  }
}

const groups = new Map<number, ReadonlyArray<Client>>()

answer({
  open: async ({ group, host, peers, port }: Open) => {
    const clients = peers.map((peer) => new Client(peer, host, port))
    groups.set(group, clients)
    // A SYN that is lost takes a second. Who asked before that would have waited for so long at a closed window, and the
    // kernel would look after it as rarely.
    await Promise.all(clients.map((client) => client.connected.opened))
    for (const client of clients) client.ask()
    await Promise.all(clients.map((client) => client.inPosition.opened))
  },
  tell: (group: number) => groups.get(group)!.forEach((client) => client.tell()),
  collect: async ({ group, millis }: { readonly group: number; readonly millis: number }) => {
    const clients = groups.get(group)!
    groups.delete(group)
    for (const client of clients) client.look()
    await settles(millis, Promise.all(clients.filter(({ ends }) => ends).map(({ ended }) => ended.opened)))
    const records = clients.map(({ record }) => record)
    for (const client of clients) client.cutOff()
    return records
  }
})
