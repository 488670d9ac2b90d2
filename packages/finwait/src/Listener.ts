/**
 * A listening socket that hands out connections. `Server` is what most programs want; this is what it stands on.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Address } from "./Address.ts"
import type { ClosePolicy } from "./ClosePolicy.ts"
import type { Connection } from "./Connection.ts"
import { ConnectionImpl } from "./internal/connection.ts"
import { Environment } from "./internal/environment.ts"
import type { Acceptor, AcceptReceiver, Transport } from "./Transport.ts"

/**
 * The one who is given what a listener accepts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Receiver {
  /** Whoever takes a connection owns it, and has to close it. */
  readonly onConnection: (connection: Connection) => void
  /** A connection was turned away: too many were waiting, or the process's file limit was near. */
  readonly onRefused: (limit: "waitingMax" | "fileLimit") => void
  /** An accept failed, with the system's code; see `Transport.acceptErrorClass`. */
  readonly onError: (code: string) => void
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Listener {
  /** Where it listens, with the port that the system chose. */
  readonly address: Address
  /** Begins to hand out connections, to one receiver for good. */
  readonly attach: (receiver: Receiver) => void
  /**
   * Hands out nothing until `resume`. Connections are still accepted, because an operating system's backlog cannot be
   * suspended through Node, but no more than the first bytes are read from them: the peer is held back. One whose peer
   * gives up gives up its place. Beyond `waitingMax` they are refused.
   */
  readonly suspend: () => void
  readonly resume: () => void
  /** How many accepted connections wait. */
  readonly waiting: number
  /** Hands over those who wait, to be turned away. */
  readonly takeWaiting: () => ReadonlyArray<Connection>
  /** Stops listening. Who waits in the backlog is handed over first. */
  readonly stop: Effect.Effect<void>
  /** Stops listening at once. Who waits in the backlog is reset. */
  readonly abort: () => void
}

/**
 * How a listener makes connections.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly policy: ClosePolicy
  readonly context: Context.Context<never>
  readonly waitingMax: number
}

/**
 * How many accepted connections may wait when nobody says otherwise: as many as may wait to be accepted, 511, which is
 * what Node and nginx ask the system for.
 *
 * @category models
 * @since 0.1.0
 */
export const defaultWaitingMax = 511

class ListenerImpl implements Listener, AcceptReceiver {
  readonly acceptor: Acceptor
  readonly options: Options
  readonly environment: Environment
  private receiver: Receiver | undefined
  private expectNoMore = () => {}
  private suspended = false
  private handingOver = false
  private readonly queue: Array<ConnectionImpl> = []

  constructor(acceptor: Acceptor, options: Options) {
    this.acceptor = acceptor
    this.options = options
    this.environment = new Environment(options.policy, options.context)
  }

  get address() {
    return this.acceptor.address
  }

  get waiting() {
    return this.queue.length
  }

  attach(receiver: Receiver): void {
    this.receiver = receiver
    this.expectNoMore = this.environment.expectCloses()
    this.acceptor.attach(this)
  }

  suspend(): void {
    this.suspended = true
  }

  resume(): void {
    this.suspended = false
    // Whoever is handed a connection may resume again: one loop does it for all.
    if (this.handingOver) return
    this.handingOver = true
    while (!this.suspended && this.queue.length > 0) this.receiver!.onConnection(this.next())
    this.handingOver = false
  }

  takeWaiting(): ReadonlyArray<Connection> {
    const taken: Array<Connection> = []
    while (this.queue.length > 0) taken.push(this.next())
    return taken
  }

  readonly stop: Effect.Effect<void> = Effect.callback((resume) => {
    this.expectNoMore()
    this.acceptor.stop(() => resume(Exit.void))
  })

  abort(): void {
    this.expectNoMore()
    this.acceptor.abort()
  }

  onAccept(transport: Transport): void {
    if (this.suspended && this.queue.length >= this.options.waitingMax) {
      transport.reset()
      this.receiver!.onRefused("waitingMax")
      return
    }
    const connection = new ConnectionImpl(transport, this.environment)
    if (this.suspended) this.keepWaiting(connection)
    else this.receiver!.onConnection(connection)
  }

  private keepWaiting(connection: ConnectionImpl): void {
    this.queue.push(connection)
    connection.onLost = () => {
      const index = this.queue.indexOf(connection)
      if (index >= 0) this.queue.splice(index, 1)
      connection.onLost = undefined
      connection.beginClose()
    }
    connection.input.prefetch()
  }

  private next(): ConnectionImpl {
    const connection = this.queue.shift()!
    connection.onLost = undefined
    return connection
  }

  onAcceptError(code: string): void {
    this.receiver!.onError(code)
  }

  onOverflow(): void {
    this.receiver!.onRefused("fileLimit")
  }
}

/**
 * A listener over a provider's listening socket.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (acceptor: Acceptor, options: Options): Listener => new ListenerImpl(acceptor, options)
