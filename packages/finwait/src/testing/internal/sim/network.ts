/**
 * The simulated machines and what connects them: who listens, who is connected to whom, and what goes wrong when.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Address from "../../../Address.ts"
import type { CloseOutcome, Stage } from "../../../CloseOutcome.ts"
import { AddressInUse, NetworkError, type Reason, reasonFromCode, Refused } from "../../../NetworkError.ts"
import type * as Transport from "../../../Transport.ts"
import * as Fault from "../../Fault.ts"
import type { Event, Kind } from "../../History.ts"
import type { Snapshot } from "../../Netstat.ts"
import { type Port, SimAcceptor } from "./acceptor.ts"
import { Endpoint, type Host } from "./endpoint.ts"
import { collide, Ports, reaches } from "./names.ts"
import { listenerState, socketState } from "./snapshot.ts"
import { Timeline } from "./timeline.ts"
import { strike, strikeListener } from "./trouble.ts"
import { type Link, Wire } from "./wire.ts"

export interface Settings {
  readonly seed: number | string
  readonly sendBufferBytes: number
  readonly receiveBufferBytes: number
  readonly pieceBytes: number
  readonly historyMax: number
  readonly faults: Fault.Schedule
  link(from: Address.Address, to: Address.Address): Link
}

/** As many connections as Node and nginx ask the system to let wait. */
const defaultBacklog = 511

/**
 * A SYN that finds the backlog full is dropped, and repeated after 1, 2, 4 … seconds, six times: Linux with its default
 * `tcp_syn_retries`, which gives up after 127 seconds.
 */
const synRepeats = 6

const failure = (operation: "connect" | "listen", address: Address.Address, reason: Reason): NetworkError =>
  new NetworkError({ operation, address: Address.describe(address), reason })

export class World implements Host, Port {
  readonly timeline: Timeline
  readonly sendBufferBytes: number
  readonly receiveBufferBytes: number
  private readonly history: Array<Event> = []
  socketsOpen = 0
  private readonly settings: Settings
  private readonly acceptors = new Set<SimAcceptor>()
  private readonly endpoints = new Set<Endpoint>()
  private readonly ports = new Ports()
  private established = 0
  private readonly begun: number

  constructor(context: Context.Context<never>, settings: Settings) {
    this.timeline = new Timeline(context, settings.seed)
    this.settings = settings
    this.sendBufferBytes = settings.sendBufferBytes
    this.receiveBufferBytes = settings.receiveBufferBytes
    this.begun = this.timeline.now()
    for (const { afterMillis, connection, fault } of settings.faults) {
      if (connection !== "listener") continue
      if (afterMillis === 0) this.standing.push(fault)
      else this.timeline.at(this.begun + afterMillis, () => this.inject(fault, "listener", "server"))
    }
  }

  private noted = 0
  /** A listener's faults from the very beginning, when nobody listens yet. */
  private readonly standing: Array<Fault.Fault> = []

  // Who is there ------------------------------------------------------------------------------------------------------

  acceptorAt(address: Address.Address): SimAcceptor | undefined {
    return [...this.acceptors].find((acceptor) => reaches(address, acceptor.address))
  }

  get events(): ReadonlyArray<Event> {
    const events = this.history.slice(-this.settings.historyMax)
    const dropped = this.noted - events.length
    const [first] = events
    if (dropped === 0 || first === undefined) return events
    return [{ millis: first.millis, connection: 0, side: "listener", kind: "dropped", detail: dropped }, ...events]
  }

  get netstat(): Snapshot {
    return {
      millis: this.timeline.now(),
      listeners: [...this.acceptors].map(listenerState),
      sockets: [...this.endpoints].map(socketState),
      eventsPending: this.timeline.pending
    }
  }

  provider(host: string): Transport.Provider {
    return {
      connect: (address, made) => this.connect(host, address, made),
      listen: (address, options) => this.listen(address, options)
    }
  }

  private freePort(): number {
    return this.ports.free((port) =>
      [...this.acceptors].some(({ address }) => address._tag === "Tcp" && address.port === port)
    )
  }

  // Dialling and listening --------------------------------------------------------------------------------------------

  private readonly connect = Effect.fnUntraced(
    { self: this },
    function* (this: World, host: string, address: Address.Address, made: (transport: Transport.Transport) => void) {
      const from = address._tag === "Tcp" ? Address.tcp(host, this.freePort()) : Address.unix("")
      const link = this.settings.link(from, address)
      const begun = this.timeline.now()
      for (let attempt = 0; ; attempt++) {
        // A handshake is one way there and one back.
        if (link.latencyMillis > 0) yield* Effect.sleep(Duration.millis(2 * link.latencyMillis))
        const acceptor = this.acceptorAt(address)
        if (acceptor === undefined || acceptor.refuses) {
          if (acceptor !== undefined) this.note(acceptor, "refused", Address.describe(from))
          return yield* failure("connect", address, new Refused())
        }
        if (!acceptor.isFull) {
          const [client, server] = this.pair(from, address, link)
          made(client)
          acceptor.arrive(server)
          return client
        }
        this.note(acceptor, "overflow", Address.describe(from))
        // Who dials a Unix socket is told; a SYN is dropped without a word.
        if (address._tag === "Unix") {
          return yield* failure("connect", address, reasonFromCode("EAGAIN", "the backlog is full"))
        }
        const repeatedAt = begun + 1000 * (2 ** (attempt + 1) - 1)
        yield* Effect.sleep(Duration.millis(Math.max(0, repeatedAt - this.timeline.now())))
        if (attempt === synRepeats) {
          return yield* failure("connect", address, reasonFromCode("ETIMEDOUT", "no answer"))
        }
      }
    }
  )

  private pair(from: Address.Address, to: Address.Address, link: Link): readonly [client: Endpoint, server: Endpoint] {
    const connection = ++this.established
    const end = (side: Fault.Side, localAddress: Address.Address, remoteAddress: Address.Address) => {
      const wire = new Wire(this.timeline, link, this.settings.pieceBytes)
      const endpoint = new Endpoint(this, wire, {
        connection,
        side,
        localAddress,
        remoteAddress,
        reset: to._tag === "Tcp"
      })
      this.endpoints.add(endpoint)
      this.socketsOpen++
      return endpoint
    }
    const client = end("client", from, to)
    const server = end("server", to, from)
    client.peer = server
    server.peer = client
    this.note(client, "connected", Address.describe(to))
    if (this.settings.faults.length > 0) this.plan(client, server)
    return [client, server]
  }

  private readonly listen = Effect.fnUntraced(
    { self: this },
    function* (this: World, address: Address.Address, options: Transport.ListenOptions) {
      const bound = address._tag === "Tcp" && address.port === 0 ? Address.tcp(address.host, this.freePort()) : address
      if ([...this.acceptors].some((acceptor) => collide(bound, acceptor.address))) {
        return yield* failure("listen", bound, new AddressInUse())
      }
      return yield* Effect.acquireRelease(
        Effect.sync(() => {
          const acceptor = new SimAcceptor(bound, options.backlog ?? defaultBacklog, this)
          this.acceptors.add(acceptor)
          for (const fault of this.standing) this.befall(acceptor, fault, this.begun)
          return acceptor
        }),
        (acceptor) => Effect.sync(() => acceptor.stop(() => {}))
      )
    }
  )

  // What goes wrong ---------------------------------------------------------------------------------------------------

  private plan(client: Endpoint, server: Endpoint): void {
    const now = this.timeline.now()
    for (const { afterMillis, connection, fault, side } of this.settings.faults) {
      if (connection !== client.connection && connection !== "each") continue
      const end = side === "client" ? client : server
      if (afterMillis === 0) strike(end, fault)
      else this.timeline.at(now + afterMillis, () => strike(end, fault))
    }
  }

  inject(fault: Fault.Fault, connection: Fault.Planned["connection"], side: Fault.Side): void {
    if (Fault.isListenerFault(fault)) {
      for (const acceptor of this.acceptors) this.befall(acceptor, fault, this.timeline.now())
      return
    }
    if (typeof connection === "number" && connection > this.established) {
      throw new RangeError(`there is no connection ${connection} yet: ${this.established} have been established`)
    }
    for (const end of this.endpoints) {
      if (end.side === side && (connection === "each" || connection === end.connection)) strike(end, fault)
    }
  }

  private befall(acceptor: SimAcceptor, fault: Fault.Fault, since: number): void {
    if (fault._tag === "Refuse" && this.timeline.isPast(since + fault.millis)) return
    this.note(acceptor, "fault", Fault.describe(fault))
    strikeListener(acceptor, fault, since)
  }

  reached(end: Endpoint, stage: Stage): void {
    if (end.resetsAt === stage) this.timeline.soon(() => end.breakBoth())
  }

  // What is told ------------------------------------------------------------------------------------------------------

  note(who: Endpoint | SimAcceptor, kind: Kind, detail: string | number = "", outcome?: CloseOutcome): void {
    const { historyMax } = this.settings
    if (historyMax === 0) return
    const millis = this.timeline.now()
    const event: Event =
      who instanceof Endpoint
        ? { millis, connection: who.connection, side: who.side, kind, detail, ...(outcome && { outcome }) }
        : {
            millis,
            connection: 0,
            side: "listener",
            kind,
            detail: detail === "" ? Address.describe(who.address) : detail
          }
    this.noted++
    this.history.push(event)
    if (this.history.length >= 2 * historyMax) this.history.splice(0, this.history.length - historyMax)
  }

  changed(end: Endpoint): void {
    if (end.counted && end.state !== "open") {
      end.counted = false
      this.socketsOpen--
    }
    if (end.state === "gone") this.endpoints.delete(end)
  }

  accepted(end: Endpoint): void {
    this.note(end, "accepted")
  }

  forget(acceptor: SimAcceptor): void {
    this.acceptors.delete(acceptor)
  }
}
