/**
 * A byte pipe that does nothing by itself and remembers what it was told: for what a real one, or the simulated one,
 * never does.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Address from "finwait/Address"
import type * as ClosePolicy from "finwait/ClosePolicy"
import type * as Connection from "finwait/Connection"
import * as Network from "finwait/Network"
import type * as NetworkError from "finwait/NetworkError"
import type * as Transport from "finwait/Transport"

export class FakeTransport implements Transport.Transport {
  readonly capabilities = { reset: true, halfClose: true }
  readonly localAddress: Address.Address = Address.tcp("127.0.0.1", 1)
  readonly remoteAddress: Address.Address = Address.tcp("127.0.0.1", 2)
  /** The acts, in order: `write 5`, `closeWrite`, `reset`, `release`, `resume`, `pause`. */
  readonly acts: Array<string> = []
  readonly written: Array<Uint8Array> = []
  receiver!: Transport.Receiver
  unsentBytes = 0
  /** What `write` answers. */
  hasRoom = true
  /** A well-behaved pipe flushes at once, and is released when it is told to reset. */
  flushes = true
  releases = true
  throwsIn: string | undefined
  caughtUp: (() => void) | undefined

  private act(name: string, detail = ""): void {
    this.acts.push(name + detail)
    if (this.throwsIn === name) throw new Error(`${name} is broken`)
  }

  attach(receiver: Transport.Receiver): void {
    this.receiver = receiver
  }

  resume(): void {
    this.act("resume")
  }

  pause(): void {
    this.act("pause")
  }

  catchUp(callback: () => void): void {
    this.caughtUp = callback
  }

  write(chunk: Uint8Array): boolean {
    this.written.push(chunk)
    this.act("write", ` ${chunk.length}`)
    return this.hasRoom
  }

  closeWrite(): void {
    this.act("closeWrite")
    if (this.flushes) this.receiver.onFlushed()
  }

  reset(): void {
    this.act("reset")
    if (this.releases) this.receiver.onReleased()
  }

  release(): void {
    this.act("release")
  }

  /** The acts that matter to a peer. */
  get told(): ReadonlyArray<string> {
    return this.acts.filter((act) => act !== "resume" && act !== "pause")
  }
}

/** A network on which every dial gives the connection over this pipe. */
export const networkOf = (transport: Transport.Transport): Network.Network["Service"] =>
  Network.make({
    connect: () => Effect.succeed(transport),
    listen: () => Effect.die("a fake pipe does not listen")
  })

/** A connection over a fake pipe; aborted at the end of the test unless it has closed. */
export const connected = (
  transport: Transport.Transport,
  close?: ClosePolicy.Options
): Effect.Effect<Connection.Connection, NetworkError.NetworkError, Scope.Scope> =>
  Effect.tap(networkOf(transport).connect("tcp://127.0.0.1:2", { close }), (connection) =>
    Effect.addFinalizer(() => connection.abort)
  )
