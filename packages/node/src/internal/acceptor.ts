/**
 * A `net.Server` as an acceptor.
 */
import type * as Address from "finwait/Address"
import type { Acceptor, AcceptReceiver } from "finwait/Transport"
import type * as Net from "node:net"
import { type Known, NodeTransport } from "./transport.ts"
import { onNextTurns } from "./turns.ts"

/**
 * How many turns in a row without a new connection mean that the backlog is empty. libuv accepts from a listener in
 * every turn in which one waits; one quiet turn may still be the one before the poll.
 */
const quietTurns = 2

/** A listener that is connected to faster than it accepts must stop all the same: 64 times the default backlog. */
const handoverTurnsMax = 32_768

/**
 * Whoever connects between the last look into the backlog and the close is reset by the system, and there is no call that
 * does both. What can be chosen is the moment: behind a turn that was short, in which nothing else was done.
 */
const calmMillis = 0.25

/**
 * A server that is busy has no such turn. How often somebody connects is known by how long nobody has: a turn of a tenth of
 * that time is one in which somebody connects every tenth time, at most.
 */
const calmPart = 1 / 10

export class NodeAcceptor implements Acceptor, Known {
  readonly side = "local"
  /** As it was asked for, until it listens. */
  address: Address.Address
  readonly server: Net.Server
  readonly isAskedLater: boolean
  /**
   * Who is connected is told to end behind the stop, and not before: nobody connects again because of it, and what is known
   * from before holds.
   */
  tellsLater = false
  private withdraw = () => {}
  private receiver: AcceptReceiver | undefined
  private waiting: Array<NodeTransport> = []
  private accepted = 0
  private acceptedAt = performance.now()
  private stopping: Array<() => void> | undefined
  private stopped = false

  /** To be made before the server listens: whoever connects in that very moment must find somebody. */
  constructor(server: Net.Server, address: Address.Address, isAskedLater = false) {
    this.server = server
    this.isAskedLater = isAskedLater
    this.address = address
    server.on("connection", (socket) => {
      this.accepted++
      this.acceptedAt = performance.now()
      const transport = new NodeTransport(socket, this)
      // `maxConnections` knows only this listener's; the file limit is the whole process's.
      if (NodeTransport.open > server.maxConnections) {
        transport.reset()
        this.receiver?.onOverflow()
        return
      }
      if (this.receiver === undefined) this.waiting.push(transport)
      else this.receiver.onAccept(transport)
    })
    server.on("error", (error: NodeJS.ErrnoException) => this.receiver?.onAcceptError(error.code ?? error.message))
    server.on("drop", () => this.receiver?.onOverflow())
  }

  /** It listens; `withdraw` takes the name back under which it is found. */
  listening(address: Address.Address, withdraw: () => void): void {
    this.address = address
    this.withdraw = withdraw
  }

  attach(receiver: AcceptReceiver): void {
    this.receiver = receiver
    for (const transport of this.waiting.splice(0)) receiver.onAccept(transport)
  }

  /**
   * Closing a listening socket resets whoever waits in its backlog, so the backlog is accepted first, turn by turn,
   * until nobody comes any more. A Unix socket's name goes first: whoever comes later finds nobody, and tries again,
   * where he would have been accepted by the kernel and then reset.
   */
  stop(callback: () => void): void {
    if (this.stopped) return callback()
    if (this.stopping !== undefined) return void this.stopping.push(callback)
    this.stopping = [callback]
    this.withdraw()
    let quiet = 0
    let turns = 0
    let before = this.accepted
    const began = performance.now()
    let last = began
    let since = this.tellsLater ? this.acceptedAt : began
    const turn = () => {
      const now = performance.now()
      const isCalm = now - last < Math.max(calmMillis, (now - since) * calmPart)
      last = now
      if (this.accepted === before) quiet++
      else {
        quiet = 0
        since = began
      }
      before = this.accepted
      if (this.stopped) return false
      if (quiet < quietTurns && ++turns < handoverTurnsMax) return true
      if (!isCalm) return true
      this.abort()
      return false
    }
    onNextTurns({ turn })
  }

  abort(): void {
    if (this.stopped) return
    this.withdraw()
    for (const transport of this.waiting.splice(0)) transport.reset()
    // The callback of close() waits for every connection; the listening socket itself is gone at once.
    this.server.close()
    this.stopped = true
    for (const callback of this.stopping ?? []) callback()
  }
}
