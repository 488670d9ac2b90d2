/**
 * A simulated listening socket: a backlog of a size, from which the program is handed one connection a turn, as libuv
 * hands them out.
 */
import type { Address } from "../../../Address.ts"
import type { Acceptor, AcceptReceiver } from "../../../Transport.ts"
import type { Kind } from "../../History.ts"
import type { Endpoint } from "./endpoint.ts"
import type { Timeline } from "./timeline.ts"

/** What an acceptor needs of its network. */
export interface Port {
  readonly timeline: Timeline
  note(acceptor: SimAcceptor, kind: Kind, detail?: string | number): void
  accepted(endpoint: Endpoint): void
  /** Nobody comes to it any more. */
  forget(acceptor: SimAcceptor): void
}

export class SimAcceptor implements Acceptor {
  readonly address: Address
  readonly backlogMax: number
  accepted = 0
  state: "listening" | "closed" = "listening"
  refusesUntil = 0
  /** The next accepts fail. */
  readonly failures: Array<string> = []
  private readonly port: Port
  private readonly waiting: Array<Endpoint> = []
  private stopping: Array<() => void> | undefined
  private receiver: AcceptReceiver | undefined
  private armed = false

  constructor(address: Address, backlogMax: number, port: Port) {
    this.address = address
    this.backlogMax = backlogMax
    this.port = port
    port.note(this, "listen")
  }

  get backlog(): number {
    return this.waiting.length
  }

  get isFull(): boolean {
    return this.waiting.length >= this.backlogMax
  }

  /** Whether the system refuses who dials. */
  get refuses(): boolean {
    return !this.port.timeline.isPast(this.refusesUntil)
  }

  attach(receiver: AcceptReceiver): void {
    this.receiver = receiver
    this.poll()
  }

  /** A connection is established; the program has not got it yet. */
  arrive(endpoint: Endpoint): void {
    this.port.note(this, "backlog", this.waiting.push(endpoint))
    this.poll()
  }

  fail(code: string): void {
    if (this.receiver === undefined) return
    this.port.note(this, "acceptError", code)
    this.receiver.onAcceptError(code)
  }

  private poll(): void {
    if (this.armed || this.receiver === undefined) return
    if (this.waiting.length === 0 && this.stopping === undefined) return
    this.armed = true
    this.port.timeline.soon(this.acceptOne)
  }

  private readonly acceptOne = (): void => {
    this.armed = false
    if (this.state === "closed") return
    // What waits goes on waiting: a failed accept says nothing about it.
    const code = this.waiting.length === 0 ? undefined : this.failures.shift()
    if (code !== undefined) this.fail(code)
    else this.handOver()
    this.poll()
  }

  private handOver(): void {
    const endpoint = this.waiting.shift()
    if (endpoint === undefined) {
      if (this.stopping !== undefined) this.close()
      return
    }
    this.accepted++
    this.port.accepted(endpoint)
    this.receiver!.onAccept(endpoint)
  }

  stop(callback: () => void): void {
    if (this.state === "closed") return callback()
    if (this.stopping !== undefined) return void this.stopping.push(callback)
    this.stopping = [callback]
    this.port.note(this, "stop")
    this.port.forget(this)
    if (this.receiver === undefined) this.port.timeline.soon(() => this.close())
    else this.poll()
  }

  abort(): void {
    if (this.state === "closed") return
    this.port.note(this, "abort")
    this.port.forget(this)
    this.close()
  }

  private close(): void {
    this.state = "closed"
    for (const endpoint of this.waiting.splice(0)) endpoint.reset()
    for (const callback of this.stopping?.splice(0) ?? []) callback()
  }
}
