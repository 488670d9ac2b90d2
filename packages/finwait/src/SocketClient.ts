/**
 * Effect's own `Socket` for a client, on Finwait's connections: each acquisition of its reader dials, and the end of that
 * scope closes the connection as its `ClosePolicy` says.
 *
 * **Example** (A client of Effect's RPC, or of anything that takes a `Socket`)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Server from "finwait/Server"
 * import * as SocketClient from "finwait/SocketClient"
 * import * as SimNetwork from "finwait/testing/SimNetwork"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   yield* Server.make({
 *     listen: "tcp://127.0.0.1:7000",
 *     handler: (connection) => connection.each((chunk) => connection.write(chunk))
 *   })
 *   const socket = yield* SocketClient.make("tcp://127.0.0.1:7000")
 *   const { write } = yield* socket.writer
 *   const { pull } = yield* socket.reader
 *   yield* write("hello")
 *   return new TextDecoder().decode((yield* pull)[0] as Uint8Array)
 * }))
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(SimNetwork.layer())))) // => hello
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type * as Address from "./Address.ts"
import type { Connection } from "./Connection.ts"
import { endWriting, FrameWriter, socketReader } from "./internal/socket.ts"
import type { ConnectionImpl } from "./internal/connection.ts"
import { type ConnectOptions, Network } from "./Network.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options extends ConnectOptions {
  /** How long a dial may take. Default: as long as the network gives it, 10 seconds on Node. */
  readonly openTimeout?: Duration.Input | undefined
}

const openFailed = (kind: "Unknown" | "Timeout", cause: unknown) =>
  new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind, cause }) })

/**
 * A socket whose reader dials by the effect that is given, each time that it is acquired.
 *
 * **Details**
 *
 * Acquiring the reader fails with `SocketError`, reason `SocketOpenError`, when the dial does, or takes longer than
 * `openTimeout`. Acquiring the writer cannot fail; a write while nothing is connected waits for the next connection. The
 * end of the reader's scope fails a pull that waits, and is over when the connection is closed, at the close policy's
 * deadline at the latest.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromDial = <E, R>(
  dial: Effect.Effect<Connection, E, R>,
  options: Pick<Options, "openTimeout"> = {}
): Effect.Effect<Socket.Socket, never, Exclude<R, Scope.Scope>> =>
  Effect.map(Effect.context<never>(), (context) => {
    const connected = Latch.makeUnsafe(false)
    let current: { readonly connection: ConnectionImpl; readonly writer: Socket.Writer } | undefined

    const open = Effect.mapError(dial, (error) => openFailed("Unknown", error)) as Effect.Effect<
      Connection,
      Socket.SocketError,
      Scope.Scope
    >
    const openInTime =
      options.openTimeout === undefined
        ? open
        : Effect.timeoutOrElse(open, {
            duration: options.openTimeout,
            orElse: () => {
              const time = Duration.format(Duration.fromInputUnsafe(options.openTimeout!))
              return Effect.fail(openFailed("Timeout", new Error(`not connected within openTimeout ${time}`)))
            }
          })

    const reader: Socket.Socket["reader"] = Effect.gen(function* () {
      const connection = (yield* openInTime) as ConnectionImpl
      const reader = yield* socketReader(connection)
      // Before the reader's own finalizer: a write from then on is for the next connection.
      yield* Scope.addFinalizer(
        yield* Effect.scope,
        Effect.sync(() => {
          if (current?.connection !== connection) return
          current = undefined
          connected.closeUnsafe()
        })
      )
      current = { connection, writer: new FrameWriter(connection) }
      connected.openUnsafe()
      return reader
    }).pipe(Effect.updateContext((own: Context.Context<Scope.Scope>) => Context.merge(context, own)))

    /** Does it now, or when there is somebody to do it to. */
    const whenConnected = (
      act: (writer: Socket.Writer) => Effect.Effect<void, Socket.SocketError>
    ): Effect.Effect<void, Socket.SocketError> =>
      Effect.suspend(() => (current === undefined ? connected.whenOpen(whenConnected(act)) : act(current.writer)))

    const writer: Socket.Socket["writer"] = Effect.acquireRelease(
      Effect.succeed<Socket.Writer>({
        write: (chunk) => whenConnected((writer) => writer.write(chunk)),
        writeAll: (chunks) => whenConnected((writer) => writer.writeAll(chunks))
      }),
      () =>
        Effect.sync(() => {
          if (current !== undefined) endWriting(current.connection)
        })
    )
    return Socket.make({ reader, writer })
  })

/**
 * A socket that dials an address on the network of the context.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (address: Address.Input, options: Options = {}): Effect.Effect<Socket.Socket, never, Network> =>
  Network.use((network) => fromDial(network.connect(address, options), options))

/**
 * Effect's `Socket`, on the network of the context.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (address: Address.Input, options?: Options): Layer.Layer<Socket.Socket, never, Network> =>
  Layer.effect(Socket.Socket, make(address, options))
