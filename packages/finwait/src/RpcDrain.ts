/**
 * Effect's RPC server over sockets, with a drain: calls that are under way are finished and answered, and no client sees
 * an `Interrupt` that it has not asked for.
 *
 * ```ts no-run
 * import * as NodeProcess from "@finwait/node/NodeProcess"
 * import * as NodeSocketServer from "@finwait/node/NodeSocketServer"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Schema from "effect/Schema"
 * import * as Rpc from "effect/rpc/Rpc"
 * import * as RpcGroup from "effect/rpc/RpcGroup"
 * import * as RpcSerialization from "effect/rpc/RpcSerialization"
 * import * as RpcServer from "effect/rpc/RpcServer"
 * import * as RpcDrain from "finwait/RpcDrain"
 *
 * const Jobs = RpcGroup.make(Rpc.make("Resize", { payload: { image: Schema.String }, success: Schema.String }))
 *
 * const jobs = Jobs.toLayer({ Resize: ({ image }) => Effect.delay(Effect.succeed(`small ${image}`), "2 seconds") })
 *
 * const server = RpcServer.layer(Jobs).pipe(
 *   Layer.provide(jobs),
 *   Layer.provide(RpcDrain.layerProtocolSocketServer), // in place of RpcServer.layerProtocolSocketServer
 *   Layer.provide(NodeSocketServer.layer({ host: "0.0.0.0", port: 7000, drain: { deadline: "20 seconds" } })),
 *   Layer.provide(RpcSerialization.layerNdjson)
 * )
 *
 * NodeProcess.runMain(Layer.launch(server))
 * ```
 *
 * **What stands in the way without it.** Two things of Effect's RPC server, neither of which a socket server can change
 * from outside. Its layer is built upon the protocol's, so at the end of the program its scope closes first, and the
 * first thing it does then is to interrupt every call; the sockets hear of the end only afterwards. And the end of a
 * socket's input is to it the end of the client, whose calls it interrupts, while the end of the input is just how a
 * drain tells a handler that nothing new will come. So the protocol has to know of calls: that is all this module adds.
 * It is Effect's own protocol, with a count of the calls of each connection.
 *
 * **What happens in a drain.** What had arrived before the announcement is served. The connection of a client without
 * calls under way is closed. Another's is read on, for what its calls need (acknowledgements of streams, interrupts,
 * pings), until the last one is answered; then it is closed as well. A call that comes after the announcement is not
 * begun, and is ended by that close: the client fails it with an `RpcClientError` (reason `SocketCloseError`), never with
 * an `Interrupt`, and connects anew. It is safe to be made again, for nothing of it was done:
 * `Effect.retry({ while: (error) => error._tag === "RpcClientError", schedule })`.
 *
 * Calls that take longer than the drain's deadline are interrupted then, and their clients are told so. A stream that
 * never ends is such a call.
 *
 * **What it cannot do.** A notification, or a call that is made with `discard`, has no answer that would tell of its end:
 * those are not waited for.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as RpcMessage from "effect/rpc/RpcMessage"
import type * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import { isConnection } from "./Connection.ts"
import type { ConnectionImpl } from "./internal/connection.ts"
import { type Pulled, Read } from "./internal/input.ts"
import {
  closedWith,
  type Frames,
  FrameTaker,
  type FrameWriter,
  type PullFrames,
  readerOf,
  told
} from "./internal/socket.ts"

type Receive = (clientId: number, message: RpcMessage.FromClientEncoded) => Effect.Effect<void>

/** What a client says besides its calls. */
const tags: ReadonlySet<string> = new Set(["Ack", "Interrupt", "Ping", "Eof"])

/** The calls of one connection, and how it is read: to the announcement, and from there on while calls are under way. */
class Calls extends FrameTaker {
  readonly socket: Socket.Socket
  /** By which number the protocol knows its client, once that has called. */
  clientId: number | undefined
  private readonly underWay = new Set<string | number>()
  /** Calls that have died, of which the protocol does not say which they were. */
  private defects = 0
  /** Messages are being received that are no calls: a defect is about them. */
  private unknown = 0
  /** What comes now has come after the announcement. */
  private late = false
  private readonly read: PullFrames
  private readonly readRest: PullFrames
  /** What the protocol is making a frame of. */
  private sending: RpcMessage.FromServerEncoded | undefined

  constructor(connection: ConnectionImpl) {
    super(connection)
    this.read = new Read(connection.input, true, this) as unknown as PullFrames
    this.readRest = new Read(connection.input, false, this) as unknown as PullFrames
    const writer = Effect.map(connection.writer, (writer) => {
      const { write, writeAll } = writer as FrameWriter
      return { write: this.writing(writer as FrameWriter, write), writeAll }
    })
    this.socket = Socket.make({ reader: readerOf(connection, this, () => this.pull), writer })
  }

  private get pull(): PullFrames {
    if (!this.late) return this.read
    return this.isWorking ? this.readRest : Exit.fail(closedWith(1001, "going away"))
  }

  get isWorking(): boolean {
    return this.underWay.size > this.defects
  }

  /** The end of the input, which a drain brings before the peer does. */
  override ended(): Pulled<Frames, Socket.SocketError> {
    if (this.connection.input.isOver) return super.ended()
    this.late = true
    return this.pull
  }

  receive(clientId: number, message: RpcMessage.FromClientEncoded, receive: Receive): Effect.Effect<void> {
    if (message._tag !== "Request") return this.receiveOther(clientId, message, receive)
    if (this.late) return Effect.logDebug(`call ${message.tag} came after the announcement: not begun`)
    if (message.isNotification !== true) this.underWay.add(message.id)
    return receive(clientId, message)
  }

  private receiveOther(clientId: number, message: RpcMessage.FromClientEncoded, receive: Receive): Effect.Effect<void> {
    if (tags.has(message._tag)) return receive(clientId, message)
    return Effect.ensuring(
      Effect.suspend(() => {
        this.unknown++
        return receive(clientId, message)
      }),
      Effect.sync(() => this.unknown--)
    )
  }

  /** A call has ended when its answer is written, not before: the connection might be closed in between. */
  send(response: RpcMessage.FromServerEncoded, send: () => Effect.Effect<void>): Effect.Effect<void> {
    this.sending = response
    const sent = send()
    if (this.sending === undefined) return sent
    // No frame was made of it in this moment: behind whatever becomes of it.
    this.sending = undefined
    return Effect.ensuring(
      sent,
      Effect.sync(() => this.answered(response))
    )
  }

  private writing(writer: FrameWriter, write: Socket.Writer["write"]): Socket.Writer["write"] {
    return (frame) => {
      const response = this.sending
      if (response === undefined || Socket.isCloseEvent(frame)) return write(frame)
      this.sending = undefined
      return Effect.suspend(() => {
        const written = writer.put(frame)
        this.answered(response)
        return told(written)
      })
    }
  }

  private answered(response: RpcMessage.FromServerEncoded): void {
    if (response._tag === "Exit") this.underWay.delete(response.requestId)
    // The call that has brought it about gets no other answer, and those beside it go on.
    else if (response._tag === "Defect" && this.unknown === 0) this.defects++
    if (this.late && !this.isWorking) this.connection.input.dismiss(this)
  }
}

const CurrentCalls = Context.Reference<Calls | undefined>("finwait/RpcDrain/Calls", { defaultValue: () => undefined })

/**
 * Effect's RPC protocol over the `SocketServer` of the context, with a drain; in place of
 * `RpcServer.makeProtocolSocketServer`.
 *
 * Over a socket server that is not Finwait's it is Effect's own.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeProtocolSocketServer: Effect.Effect<
  RpcServer.Protocol["Service"],
  never,
  RpcSerialization.RpcSerialization | SocketServer.SocketServer | Scope.Scope
> = Effect.gen(function* () {
  const server = yield* SocketServer.SocketServer
  const byClient = new Map<number, Calls>()
  let serving: Fiber.Fiber<never, SocketServer.SocketServerError> | undefined

  const counting = SocketServer.SocketServer.of({
    address: server.address,
    run: (handler) =>
      Effect.flatMap(
        Effect.forkChild(
          server.run((socket) => {
            if (!isConnection(socket)) return handler(socket)
            const calls = new Calls(socket as ConnectionImpl)
            const handled = Effect.provideService(handler(calls.socket), CurrentCalls, calls)
            return Effect.ensuring(
              handled,
              Effect.sync(() => calls.clientId !== undefined && byClient.delete(calls.clientId))
            )
          })
        ),
        (fiber) => {
          serving = fiber
          return Effect.onInterrupt(Fiber.join(fiber), () => Fiber.interrupt(fiber))
        }
      )
  })

  const protocol = yield* Effect.provideService(RpcServer.makeProtocolSocketServer, SocketServer.SocketServer, counting)

  const receiveBy =
    (receive: Receive): Receive =>
    (clientId, message) =>
      byClient.get(clientId)?.receive(clientId, message, receive) ??
      // The first of a client: the handler that it comes from knows its connection.
      Effect.withFiber((fiber) => {
        const calls = Context.get(fiber.context, CurrentCalls)
        // One that has left before its first message was looked at is not kept.
        if (calls === undefined || calls.over) return receive(clientId, message)
        byClient.set((calls.clientId = clientId), calls)
        return calls.receive(clientId, message, receive)
      })

  /** Who runs the protocol interrupts all calls when it is over: so it is over when the server has drained. */
  const stopServing = Effect.suspend(() => (serving === undefined ? Effect.void : Fiber.interrupt(serving)))

  return {
    ...protocol,
    run: (receive) =>
      Effect.flatMap(Effect.forkChild(protocol.run(receiveBy(receive))), (fiber) =>
        Effect.onInterrupt(Fiber.join(fiber), () => Effect.andThen(stopServing, Fiber.interrupt(fiber)))
      ),
    send: (clientId, response, transferables) => {
      const send = () => protocol.send(clientId, response, transferables)
      return byClient.get(clientId)?.send(response, send) ?? send()
    }
  }
})

/**
 * The same as a layer, in place of `RpcServer.layerProtocolSocketServer`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerProtocolSocketServer: Layer.Layer<
  RpcServer.Protocol,
  never,
  RpcSerialization.RpcSerialization | SocketServer.SocketServer
> = Layer.effect(RpcServer.Protocol, makeProtocolSocketServer)
