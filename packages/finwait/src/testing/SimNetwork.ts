/**
 * A network in memory, for tests: TCP as a program can observe it, under Effect's `TestClock`.
 *
 * Each direction of a connection has a send buffer at the writer and a receive buffer at the reader, so that a reader
 * who stalls holds the writer back; FIN follows the last byte; a reset overtakes everything and destroys what was not
 * read, and so does a close with unread input, as in a kernel. Bytes take `latency` to arrive. Nothing happens by itself
 * except through the clock, so a test decides when time passes.
 *
 * All hosts are on one machine. `localhost`, `127.0.0.1` and `::1` are the same host; a listener on `0.0.0.0` or `::`
 * is on every host.
 *
 * **Example**
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Connection from "finwait/Connection"
 * import * as Network from "finwait/Network"
 * import * as Server from "finwait/Server"
 * import * as SimNetwork from "finwait/testing/SimNetwork"
 *
 * const program = Effect.gen(function*() {
 *   yield* Server.make({ listen: "tcp://127.0.0.1:7000", handler: (connection) => connection.write("welcome") })
 *   const client = yield* Network.connect("tcp://127.0.0.1:7000")
 *   return yield* Connection.readText(client)
 * })
 *
 * const text = await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(SimNetwork.layer())))
 * console.log(text) // => welcome
 * ```
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Address from "../Address.ts"
import { AddressInUse, NetworkError, Refused } from "../NetworkError.ts"
import * as Network from "../Network.ts"
import type * as Transport from "../Transport.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How long bytes, FIN, RST and a handshake take to arrive. Default 0: in the next turn. */
  readonly latency?: Duration.Input | undefined
  /** What the sending side's system holds. Default 64 KiB. */
  readonly sendBufferBytes?: number | undefined
  /** What the receiving side's system holds before it closes the window. Default 64 KiB. */
  readonly receiveBufferBytes?: number | undefined
}

/** Sends things in order, each arriving a latency later. */
class Wire {
  private readonly run: (effect: Effect.Effect<void>) => unknown
  private readonly latency: Duration.Duration
  private readonly underway: Array<() => void> = []

  constructor(context: Context.Context<never>, latency: Duration.Duration) {
    this.run = Effect.runForkWith(context)
    this.latency = latency
  }

  carry(arrive: () => void): void {
    this.underway.push(arrive)
    const travel = Duration.isZero(this.latency) ? Effect.yieldNow : Effect.sleep(this.latency)
    this.run(
      Effect.andThen(
        travel,
        Effect.sync(() => this.underway.shift()!())
      )
    )
  }

  /** What a system does for its own program takes no time, but is never done inside the program's own call. */
  soon(act: () => void): void {
    this.run(Effect.andThen(Effect.yieldNow, Effect.sync(act)))
  }
}

/** One end of a connection: the socket as the program has it, and what its system does for it. */
class Endpoint implements Transport.Transport {
  readonly capabilities = { reset: true }
  readonly localAddress: Address.Address
  readonly remoteAddress: Address.Address
  peer!: Endpoint
  private readonly wire: Wire
  private readonly sendBufferBytes: number
  private readonly receiveBufferBytes: number
  private receiver: Transport.Receiver | undefined
  // sending
  private sending: Array<Uint8Array> = []
  private sendingBytes = 0
  private finAsked = false
  private finSent = false
  private flushed = false
  private full = false
  // receiving
  private received: Array<Uint8Array> = []
  private receivedBytes = 0
  private travellingBytes = 0
  private finReceived = false
  private endTold = false
  private flowing = false
  /** `released`: the program is done with it, its system is not. `gone`: nothing is left of it. */
  state: "open" | "released" | "gone" = "open"

  constructor(local: Address.Address, remote: Address.Address, wire: Wire, options: Options) {
    this.localAddress = local
    this.remoteAddress = remote
    this.wire = wire
    this.sendBufferBytes = options.sendBufferBytes ?? 64 * 1024
    this.receiveBufferBytes = options.receiveBufferBytes ?? 64 * 1024
  }

  // The program's acts ------------------------------------------------------------------------------------------------

  attach(receiver: Transport.Receiver): void {
    this.receiver = receiver
  }

  resume(): void {
    this.flowing = true
    this.wire.soon(() => this.deliver())
  }

  pause(): void {
    this.flowing = false
  }

  catchUp(callback: () => void): void {
    this.wire.soon(callback)
  }

  /** Bytes that do not fit the system's send buffer are still the program's. */
  get unsentBytes(): number {
    return Math.max(0, this.sendingBytes - this.sendBufferBytes)
  }

  write(bytes: Uint8Array): boolean {
    if (this.state !== "open" || this.finAsked) return true
    this.sending.push(bytes)
    this.sendingBytes += bytes.length
    this.send()
    this.full = this.sendingBytes > this.sendBufferBytes
    return !this.full
  }

  closeWrite(): void {
    if (this.state !== "open" || this.finAsked) return
    this.finAsked = true
    this.send()
    this.wire.soon(() => this.tellFlushed())
  }

  reset(): void {
    if (this.state === "gone") return
    this.vanish()
    this.wire.carry(() => this.peer.broken("ECONNRESET"))
    this.wire.soon(() => this.receiver?.onReleased())
  }

  release(): void {
    if (this.state !== "open") return
    // A close with unread input is a reset: RFC 1122, 4.2.2.13.
    if (this.receivedBytes > 0) return this.reset()
    this.state = "released"
    this.finAsked = true
    this.send()
  }

  // The system's acts -------------------------------------------------------------------------------------------------

  /** Gives the wire what the peer's window allows; FIN behind the last byte. */
  send(): void {
    if (this.state === "gone") return
    let room = this.peer.receiveBufferBytes - this.peer.receivedBytes - this.peer.travellingBytes
    while (room > 0 && this.sending.length > 0) {
      const head = this.sending[0]!
      const part = head.length <= room ? head : head.subarray(0, room)
      if (part === head) this.sending.shift()
      else this.sending[0] = head.subarray(room)
      room -= part.length
      this.sendingBytes -= part.length
      this.peer.travellingBytes += part.length
      this.wire.carry(() => this.peer.arrive(part))
    }
    if (this.finAsked && !this.finSent && this.sending.length === 0) {
      this.finSent = true
      this.wire.carry(() => this.peer.arriveFin())
    }
  }

  private arrive(bytes: Uint8Array): void {
    this.travellingBytes -= bytes.length
    if (this.state === "gone") return
    if (this.state === "released") return this.reset()
    this.received.push(bytes)
    this.receivedBytes += bytes.length
    this.deliver()
  }

  private arriveFin(): void {
    this.finReceived = true
    this.deliver()
  }

  private deliver(): void {
    while (this.flowing && this.state === "open" && this.received.length > 0) {
      const bytes = this.received.shift()!
      this.receivedBytes -= bytes.length
      this.receiver!.onData(bytes)
      // The window opens: the peer may send on.
      this.peer.windowOpened()
    }
    if (this.flowing && this.state === "open" && this.finReceived && !this.endTold && this.received.length === 0) {
      this.endTold = true
      this.receiver!.onEnd()
    }
  }

  private windowOpened(): void {
    this.send()
    if (this.state !== "open") return
    if (this.full && this.sendingBytes <= this.sendBufferBytes) {
      this.full = false
      this.wire.soon(() => {
        // Nobody asks for room behind a FIN, and Node says nothing of it.
        if (this.state === "open" && !this.full && !this.finAsked) this.receiver!.onWritable()
      })
    }
    this.tellFlushed()
  }

  private tellFlushed(): void {
    if (this.state !== "open" || !this.finAsked || this.flushed || this.unsentBytes > 0) return
    this.flushed = true
    this.receiver!.onFlushed()
  }

  private broken(code: string): void {
    const wasOpen = this.state === "open"
    if (this.state === "gone") return
    this.vanish()
    if (!wasOpen || this.receiver === undefined) return
    this.receiver.onBroken(code)
    this.receiver.onReleased()
  }

  private vanish(): void {
    this.state = "gone"
    this.sending = []
    this.received = []
    this.receivedBytes = 0
  }
}

/** One spelling for all that mean the same host. */
const hostOf = (host: string): string => {
  const written = host.includes(":") && URL.canParse(`tcp://[${host}]`) ? new URL(`tcp://[${host}]`).hostname : host
  const name = written.toLowerCase()
  if (["127.0.0.1", "[::1]", "[::ffff:7f00:1]"].includes(name)) return "localhost"
  return name === "0.0.0.0" || name === "[::]" ? everyHost : name
}

const everyHost = "*"

/** Whether a connection to one address comes to a listener on the other. Who dials a wildcard means this machine. */
const reaches = (dialled: Address.Address, listening: Address.Address): boolean => {
  if (dialled._tag === "Unix" || listening._tag === "Unix") return Address.format(dialled) === Address.format(listening)
  const [to, at] = [hostOf(dialled.host), hostOf(listening.host)]
  return dialled.port === listening.port && (at === everyHost || at === (to === everyHost ? "localhost" : to))
}

/** Whether two listeners would take each other's connections. */
const collide = (one: Address.Address, other: Address.Address): boolean => reaches(one, other) || reaches(other, one)

class SimAcceptor implements Transport.Acceptor {
  readonly address: Address.Address
  private readonly wire: Wire
  private readonly forget: () => void
  private readonly backlog: Array<Endpoint> = []
  receiver: Transport.AcceptReceiver | undefined

  constructor(address: Address.Address, wire: Wire, forget: () => void) {
    this.address = address
    this.wire = wire
    this.forget = forget
  }

  attach(receiver: Transport.AcceptReceiver): void {
    this.receiver = receiver
    this.wire.soon(() => this.accept())
  }

  arrive(endpoint: Endpoint): void {
    this.backlog.push(endpoint)
    if (this.receiver !== undefined) this.accept()
  }

  private accept(): void {
    for (const endpoint of this.backlog.splice(0)) this.receiver!.onAccept(endpoint)
  }

  stop(callback: () => void): void {
    this.forget()
    this.wire.soon(() => {
      if (this.receiver !== undefined) this.accept()
      else this.abort()
      callback()
    })
  }

  abort(): void {
    this.forget()
    for (const endpoint of this.backlog.splice(0)) endpoint.reset()
  }
}

/**
 * What a test can see and do besides using the network.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sim {
  readonly network: Network.Network["Service"]
  /** Sockets, of both sides, that programs hold open. */
  readonly socketsOpen: Effect.Effect<number>
  /** Makes an accept fail with the system's code, as with a machine that has no descriptors left. */
  readonly failAccept: (address: Address.Address, code: string) => Effect.Effect<void>
}

/** Ports that are given to who names none: those that the IANA leaves for it. */
const firstPort = 49152
const lastPort = 65535

/**
 * A network of its own.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (options: Options = {}): Effect.fn.Return<Sim> {
  const context = yield* Effect.context<never>()
  const latency = Duration.fromInputUnsafe(options.latency ?? 0)
  const wire = () => new Wire(context, latency)
  const acceptors = new Set<SimAcceptor>()
  const endpoints = new Set<Endpoint>()
  let nextPort = firstPort
  const freePort = (): number => {
    const port = nextPort
    nextPort = port === lastPort ? firstPort : port + 1
    const taken = [...acceptors].some(({ address }) => address._tag === "Tcp" && address.port === port)
    return taken ? freePort() : port
  }

  const pair = (from: Address.Address, to: Address.Address): readonly [Endpoint, Endpoint] => {
    const here = new Endpoint(from, to, wire(), options)
    const there = new Endpoint(to, from, wire(), options)
    here.peer = there
    there.peer = here
    endpoints.add(here).add(there)
    return [here, there]
  }

  const acceptorAt = (address: Address.Address) => [...acceptors].find((acceptor) => reaches(address, acceptor.address))

  const provider: Transport.Provider = {
    connect: Effect.fnUntraced(function* (address, made) {
      // A handshake is one way there and one back.
      if (!Duration.isZero(latency)) yield* Effect.sleep(Duration.times(latency, 2))
      const acceptor = acceptorAt(address)
      if (acceptor === undefined) {
        return yield* new NetworkError({
          operation: "connect",
          address: Address.describe(address),
          reason: new Refused()
        })
      }
      const from = address._tag === "Tcp" ? Address.tcp("127.0.0.1", freePort()) : Address.unix("")
      const [client, server] = pair(from, address)
      made(client)
      acceptor.arrive(server)
      return client
    }),
    listen: Effect.fnUntraced(function* (address) {
      const bound = address._tag === "Tcp" && address.port === 0 ? Address.tcp(address.host, freePort()) : address
      if ([...acceptors].some((acceptor) => collide(bound, acceptor.address))) {
        return yield* new NetworkError({
          operation: "listen",
          address: Address.describe(bound),
          reason: new AddressInUse()
        })
      }
      return yield* Effect.acquireRelease(
        Effect.sync(() => {
          const acceptor = new SimAcceptor(bound, wire(), () => acceptors.delete(acceptor))
          acceptors.add(acceptor)
          return acceptor
        }),
        (acceptor) => Effect.sync(() => acceptor.stop(() => {}))
      )
    })
  }

  return {
    network: Network.make(provider),
    socketsOpen: Effect.sync(() => [...endpoints].filter((endpoint) => endpoint.state === "open").length),
    failAccept: (address, code) => Effect.sync(() => acceptorAt(address)?.receiver?.onAcceptError(code))
  }
})

/**
 * Provides the `Network` from a network of its own.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<Network.Network> =>
  Layer.effect(
    Network.Network,
    Effect.map(make(options), (sim) => sim.network)
  )
