/**
 * Dials with Node's own options.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Address from "finwait/Address"
import { type Reason, reasonFromCode } from "finwait/NetworkError"
import type * as Transport from "finwait/Transport"
import * as Net from "node:net"
import { NodeTransport } from "./transport.ts"

/** `address` is how the pipe will name the other side; `made` is told of it in the turn in which it comes about. */
export const dialOn = (
  address: Address.Address,
  options: Net.NetConnectOpts,
  onSocket: (socket: Net.Socket) => void,
  made: (transport: NodeTransport) => void
): Effect.Effect<NodeTransport, Reason> =>
  Effect.callback((resume) => {
    const socket = Net.connect({ ...options, allowHalfOpen: true })
    const onError = (error: NodeJS.ErrnoException) => {
      // A Unix socket file that nobody made yet is a server that is not there yet, like a port nobody listens on.
      const code = address._tag === "Unix" && error.code === "ENOENT" ? "ECONNREFUSED" : error.code
      resume(Exit.fail(reasonFromCode(code ?? "UNKNOWN", error.message)))
    }
    socket.once("error", onError)
    socket.once("connect", () => {
      socket.off("error", onError)
      onSocket(socket)
      const transport = new NodeTransport(socket, { side: "remote", address })
      made(transport)
      resume(Exit.succeed(transport))
    })
    return Effect.sync(() => {
      socket.destroy()
    })
  })

/** Takes a pipe that was dialled further, by a handshake. One that fails or is interrupted on the way leaves nothing open. */
export const thenUpgraded = <Raw extends Transport.Transport, Pipe, E>(
  dial: (made: (raw: Raw) => void) => Effect.Effect<Raw, E>,
  further: (raw: Raw) => Effect.Effect<Pipe, E>
): Effect.Effect<Pipe, E> =>
  Effect.suspend(() => {
    let raw: Raw | undefined
    const dialled = dial((pipe) => {
      raw = pipe
    })
    return Effect.onExit(Effect.flatMap(dialled, further), (exit) =>
      Effect.sync(() => (Exit.isFailure(exit) ? raw?.reset() : undefined))
    )
  })
