/**
 * A connection as Effect's own `Socket`: the same input and output, with the errors and the life cycle that its
 * contract asks for. Acquiring the reader does not dial, the connection is there already; the end of the reader's scope
 * fails a suspended pull but does not close, that is the connection's own scope's work.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type { ConnectionError } from "../ConnectionError.ts"
import type { Connection } from "../Connection.ts"
import type { Input } from "./input.ts"

// The codes are WebSocket's, because Effect's sockets speak in them: a normal end, and one without a goodbye.
const normal = 1000
const abnormal = 1006

const closed = (code: number) => new Socket.SocketError({ reason: new Socket.SocketCloseError({ code }) })

const readFailed = (cause: ConnectionError) =>
  cause.reason._tag === "Closed"
    ? closed(normal)
    : new Socket.SocketError({ reason: new Socket.SocketReadError({ cause }) })

const writeFailed = (cause: ConnectionError) =>
  new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause }) })

/** A connection, and the input behind it. */
interface Backed extends Pick<Connection, "write" | "closeWrite"> {
  readonly input: Input
}

export const socketReader = (connection: Backed): Socket.Socket["reader"] =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    let over = false
    yield* Scope.addFinalizer(
      scope,
      Effect.sync(() => {
        over = true
        connection.input.dismiss()
      })
    )
    const pull = connection.input.pull.pipe(
      Effect.map((chunk) => [chunk] as const),
      Effect.catchCause((cause) => {
        const error = Cause.findErrorOption(cause)
        if (Option.isNone(error)) return Effect.failCause(cause as Cause.Cause<never>)
        if (over) return Effect.fail(closed(abnormal))
        return Effect.fail(Cause.isDone(error.value) ? closed(normal) : readFailed(error.value))
      })
    )
    return {
      pull: Effect.suspend(() => (over ? Effect.fail(closed(abnormal)) : pull)),
      upgrade: Socket.SocketUpgradeError.unsupported
    }
  })

export const socketWriter = (connection: Backed): Socket.Socket["writer"] => {
  const write = (chunk: Uint8Array | string) => Effect.mapError(connection.write(chunk), writeFailed)
  const closeWrite = Effect.ignore(connection.closeWrite)
  return Effect.acquireRelease(
    Effect.succeed<Socket.Writer>({
      write: (chunk) => (Socket.isCloseEvent(chunk) ? closeWrite : write(chunk)),
      writeAll: (chunks) => Effect.forEach(chunks, write, { discard: true })
    }),
    () => closeWrite
  )
}
