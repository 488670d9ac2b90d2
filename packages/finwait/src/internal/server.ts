/**
 * The connections that a server has open, from accept to closed, and the limits on them. What happens to them at the
 * end is in `drain.ts`.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Socket from "effect/socket/Socket"
import * as Address from "../Address.ts"
import type { CloseOutcome } from "../CloseOutcome.ts"
import type { Connection } from "../Connection.ts"
import { ConnectionError } from "../ConnectionError.ts"
import { CurrentMaxFrameBytes, FrameError } from "../Framing.ts"
import { defaultWaitingMax, type Listener, type Receiver } from "../Listener.ts"
import { CurrentShutdown } from "../Shutdown.ts"
import type { ShutdownBudget } from "../ShutdownBudget.ts"
import { acceptErrorClass, CannotUpgrade } from "../Transport.ts"
import { Bag } from "./bag.ts"
import type { ConnectionImpl, Owner } from "./connection.ts"
import { type Draining, type DrainOptions, type Served, ServerDrain } from "./drain.ts"
import { sweepIdle } from "./idle.ts"
import { type Counters, countersOf } from "./counters.ts"
import { monotonicMillis } from "./monotonic.ts"
import { isTraced } from "./observe.ts"
import { type Begun, type Ending, Unfibered } from "./unfibered.ts"

/** What the server is asked to do; `Server.Options` says what each of these means. */
export interface Handling extends Pick<DrainOptions, "onDrained"> {
  /** What it requires is in the context that the server was made in. */
  readonly handler: (connection: Connection) => Effect.Effect<unknown, unknown, unknown>
  readonly connectionsMax?: number | undefined
  readonly connectionsPerPeerMax?: number | undefined
  readonly overflow?: "wait" | "refuse" | undefined
  readonly waitingMax?: number | undefined
  readonly idleTimeout?: Duration.Input | undefined
  readonly maxFrameBytes?: number | undefined
}

/** How long between two warnings of the same kind: enough to notice, too little to flood. */
const warningMillis = 5000

/** How long accepting rests when the system has no room: as Go's net/http, which backs off to one second. */
const backOff = Duration.seconds(1)

/** A handler that runs. */
type Interruptible = Pick<Begun, "interruptUnsafe">

/** One of its connections: in the registry until it is closed and its handler has ended. */
class ServedConnection implements Served, Owner, Ending<unknown> {
  readonly connection: ConnectionImpl
  readonly host: string | undefined
  place = -1
  handlerEnded = false
  outcome: CloseOutcome | undefined
  private readonly server: ServerImpl
  private handler: Interruptible | undefined
  private interrupted = false

  constructor(connection: ConnectionImpl, host: string | undefined, server: ServerImpl) {
    this.connection = connection
    this.host = host
    this.server = server
    connection.owner = this
  }

  /** The handler has taken its first steps. A drain may have begun, and been cut, inside of them. */
  begun(handler: Interruptible): void {
    this.handler = handler
    if (this.interrupted) handler.interruptUnsafe()
  }

  interrupt(): void {
    this.interrupted = true
    this.handler?.interruptUnsafe()
  }

  /** Its handler has. */
  ended(exit: Exit.Exit<unknown, unknown>): void {
    this.server.handlerEnded(this, exit)
  }

  closed(outcome: CloseOutcome): void {
    this.outcome = outcome
    this.server.settle(this)
    this.server.drain.look()
  }
}

export class ServerImpl implements Receiver, Draining {
  readonly listener: Listener
  readonly options: Handling
  readonly budget: ShutdownBudget
  readonly context: Context.Context<never>
  readonly drain: ServerDrain
  readonly served = new Bag<Served>()
  private readonly perHost = new Map<string, number>()
  private readonly handlerContext: Context.Context<never>
  private readonly isTraced: boolean
  private readonly counters: Counters
  private warnedAt = -Infinity
  private refusals = 0
  private resting = false
  private idleSweep: Fiber.Fiber<void> | undefined
  private restFiber: Fiber.Fiber<void> | undefined
  private unbegin: (() => void) | undefined
  private uncut: (() => void) | undefined

  constructor(listener: Listener, options: Handling, budget: ShutdownBudget, context: Context.Context<never>) {
    this.listener = listener
    this.options = options
    this.budget = budget
    this.context = context
    this.handlerContext =
      options.maxFrameBytes === undefined ? context : Context.add(context, CurrentMaxFrameBytes, options.maxFrameBytes)
    this.isTraced = isTraced(context)
    this.counters = countersOf(context)
    this.drain = new ServerDrain(this)
  }

  get address(): Address.Address {
    return this.listener.address
  }

  readonly connections: Effect.Effect<number> = Effect.sync(() => this.served.size)

  start(): void {
    this.listener.attach(this)
    this.fork(Effect.logInfo(`listen ${Address.describe(this.address)}`))
    const shutdown = Context.get(this.context, CurrentShutdown)
    this.unbegin = shutdown.onBegin(() => this.fork(this.drain.begin))
    this.uncut = shutdown.onCut(() => this.cutNow())
    const { idleTimeout } = this.options
    if (idleTimeout !== undefined) this.idleSweep = this.fork(sweepIdle(this, Duration.fromInputUnsafe(idleTimeout)))
  }

  now(): number {
    return monotonicMillis(Context.get(this.context, Clock.Clock))
  }

  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.context)(effect)
  }

  // Accepting ---------------------------------------------------------------------------------------------------------

  readonly onConnection = (accepted: Connection): void => {
    const connection = accepted as ConnectionImpl
    if (this.drain.refusing) return this.turnAway(connection)
    const host = this.options.connectionsPerPeerMax === undefined ? undefined : hostOf(connection)
    if (host !== undefined) {
      const open = this.perHost.get(host) ?? 0
      if (open >= this.options.connectionsPerPeerMax!) {
        connection.cut("abort")
        return this.refused(`connectionsPerPeerMax ${this.options.connectionsPerPeerMax}, by ${host}`)
      }
      this.perHost.set(host, open + 1)
    }
    this.counters.accepted++
    this.serve(connection, host)
    this.admit()
  }

  /** Takes new connections as long as there is room for them. */
  private admit(): void {
    const { connectionsMax = Infinity } = this.options
    if (this.resting || this.served.size >= connectionsMax) this.listener.suspend()
    else this.listener.resume()
  }

  /** Rests from accepting, for a while; never so long that a drain would miss who waits. */
  private rest(): void {
    this.resting = true
    this.admit()
    this.restFiber?.interruptUnsafe()
    this.restFiber = this.fork(
      Effect.andThen(
        Effect.sleep(backOff),
        Effect.sync(() => this.rested())
      )
    )
  }

  rested(): void {
    this.resting = false
    this.admit()
  }

  /** The shutdown has no more time: those that are being closed are cut, and the others by the drain, if one has begun. */
  private cutNow(): void {
    for (const { connection } of this.served) if (connection.isClosing) connection.cut("shutdown")
    this.drain.cutNow()
  }

  drained(): void {
    this.unbegin?.()
    this.uncut?.()
    this.idleSweep?.interruptUnsafe()
    this.restFiber?.interruptUnsafe()
  }

  readonly onRefused = (limit: "waitingMax" | "fileLimit"): void => {
    if (limit === "fileLimit") return this.refused("the process's limit of open files")
    const { connectionsMax, overflow, waitingMax } = this.options
    const waiting = overflow === "refuse" ? "" : ` and waitingMax ${waitingMax ?? defaultWaitingMax}`
    this.refused(`connectionsMax ${connectionsMax}${waiting}`)
  }

  /** Counts one that was turned away. The log hears of the first at once, and of the others together. */
  private refused(limit: string): void {
    this.counters.refused++
    this.refusals++
    const where = Address.describe(this.address)
    if (this.warn(`accept ${where}: ${this.refusals} refused, ${limit} reached; ${this.served.size} open`)) {
      this.refusals = 0
    }
  }

  readonly onError = (code: string): void => {
    const where = `accept ${Address.describe(this.address)}: ${code}`
    switch (acceptErrorClass(code)) {
      case "retry":
        return void this.fork(Effect.logDebug(`${where}; going on`))
      case "backOff":
        this.warn(`${where}; resting for ${Duration.format(backOff)}, ${this.served.size} open`)
        return this.rest()
      case "stop":
      case "fatal":
        this.fork(Effect.logFatal(`${where}; the server cannot go on and drains`))
        Context.get(this.context, CurrentShutdown).request(where)
        return void this.fork(this.drain.begin)
    }
  }

  /** Warns, unless that has been done a moment ago. */
  private warn(message: string): boolean {
    const now = this.now()
    if (now - this.warnedAt < warningMillis) return false
    this.warnedAt = now
    this.fork(Effect.logWarning(message))
    return true
  }

  // Serving -----------------------------------------------------------------------------------------------------------

  turnWaitingAway(): void {
    for (const connection of this.listener.takeWaiting()) this.turnAway(connection as ConnectionImpl)
  }

  /** One that comes too late is told at once, and counted like everybody. */
  private turnAway(connection: ConnectionImpl): void {
    const served = this.enroll(connection, undefined)
    served.handlerEnded = true
    connection.cut("shutdown")
  }

  private enroll(connection: ConnectionImpl, host: string | undefined): ServedConnection {
    const served = new ServedConnection(connection, host, this)
    this.served.add(served)
    this.drain.joined()
    return served
  }

  private serve(connection: ConnectionImpl, host: string | undefined): void {
    const served = this.enroll(connection, host)
    if (this.drain.announced) connection.announce()
    const handler = this.handlerOf(connection)
    if (handler instanceof Unfibered) return served.begun(handler.begin(this.handlerContext, served))
    const fiber = Effect.runForkWith(this.handlerContext)(handler)
    served.begun(fiber)
    fiber.addObserver((exit) => served.ended(exit))
  }

  handlerEnded(served: ServedConnection, exit: Exit.Exit<unknown, unknown>): void {
    const { connection } = served
    served.handlerEnded = true
    if (exit._tag === "Failure") this.handlerFailed(connection, exit)
    connection.beginClose()
    this.settle(served)
  }

  private handlerOf(connection: Connection): Effect.Effect<unknown, unknown> {
    const handler = () => this.options.handler(connection) as Effect.Effect<unknown, unknown>
    if (this.isTraced) return this.traced(Effect.suspend(handler), connection)
    try {
      return handler()
    } catch (defect) {
      return Effect.die(defect)
    }
  }

  private traced<A, E>(handler: Effect.Effect<A, E>, connection: Connection): Effect.Effect<A, E> {
    const attributes = {
      "network.peer.address": Address.describe(connection.remoteAddress),
      "network.local.address": Address.describe(this.address)
    }
    return Effect.withSpan(handler, "finwait.connection", { attributes })
  }

  settle(served: Served): void {
    if (!served.handlerEnded || served.outcome === undefined) return
    if (!this.served.delete(served)) return
    if (served.host !== undefined) {
      const left = this.perHost.get(served.host)! - 1
      if (left === 0) this.perHost.delete(served.host)
      else this.perHost.set(served.host, left)
    }
    // In this order: who takes the place is there before anybody asks whether the server is empty.
    this.admit()
    this.drain.left(served)
  }

  /** One handler's failure is one connection's: it is told, counted, and the connection closes like any other. */
  private handlerFailed(connection: ConnectionImpl, exit: Exit.Failure<unknown, unknown>): void {
    if (Cause.hasInterruptsOnly(exit.cause)) return
    // Effect's own consumers of sockets make defects of errors: they are the same.
    const error = Cause.squash(exit.cause)
    // A loop that pulls ends so when the input does.
    if (Cause.isDone(error)) return
    const where = `handler of ${connection.name}`
    // What a peer can bring about at will must not fill the log.
    if (causedByPeer(error)) return void this.fork(Effect.logDebug(`${where}: ended`, exit.cause))
    this.counters.handlersFailed++
    this.drain.handlerFailed()
    this.fork(Effect.logError(`${where}: failed; the connection is closed`, exit.cause))
  }
}

const hostOf = ({ remoteAddress }: Connection): string | undefined =>
  remoteAddress._tag === "Unix" ? undefined : remoteAddress.host

const causedByPeer = (error: unknown): boolean => {
  if (error instanceof FrameError) return true
  if (Socket.isSocketError(error)) {
    const { reason } = error
    if (reason._tag === "SocketCloseError") return true
    // A handshake fails because of the peer, unless it could not even begin.
    if (reason._tag === "SocketUpgradeError")
      return reason.cause !== undefined && !(reason.cause instanceof CannotUpgrade)
    return causedByPeer(reason.cause)
  }
  // Two readers at once are a mistake in the handler.
  return error instanceof ConnectionError && error.reason._tag !== "Busy"
}
