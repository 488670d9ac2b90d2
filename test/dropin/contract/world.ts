/** A server, and clients of it, on Effect's own sockets or on Finwait's: the same constructors, the same options. */
import * as EffectNodeSocket from "@effect/platform-node/NodeSocket"
import * as EffectNodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as FinwaitNodeSocket from "@finwait/node/NodeSocket"
import * as FinwaitNodeSocketServer from "@finwait/node/NodeSocketServer"
import { Deferred, Effect, Exit, Logger, Queue, References, Scope } from "effect"
import { Socket, type SocketServer } from "effect/socket"
import { mkdtempSync, rmSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { certificate } from "./certificate.ts"

/** What a program imports. That both fit is the drop-in promise for types. */
export interface Sockets {
  readonly name: "Effect's" | "Finwait's"
  readonly client: Pick<typeof EffectNodeSocket, "makeNet" | "makeTls" | "layerWebSocket" | "NetSocket">
  readonly server: Pick<typeof EffectNodeSocketServer, "make" | "makeTls" | "makeWebSocket" | "IncomingMessage">
}

export const effects: Sockets = { name: "Effect's", client: EffectNodeSocket, server: EffectNodeSocketServer }
export const finwaits: Sockets = { name: "Finwait's", client: FinwaitNodeSocket, server: FinwaitNodeSocketServer }

export type Transport = "tcp" | "unix" | "tls" | "websocket"

type Server = SocketServer.SocketServer["Service"]
type Handler = (socket: Socket.Socket) => Effect.Effect<unknown, unknown>

export interface World {
  readonly sockets: Sockets
  readonly transport: Transport
  readonly server: Server
  /** Ends the server, as the end of its layer does. */
  readonly close: Effect.Effect<void>
  /** A client, which dials when its reader is acquired. */
  readonly client: Effect.Effect<Socket.Socket>
  /** Runs the server, until the end of the test or of the fiber. */
  readonly serve: (handler: Handler) => Effect.Effect<Fiber, never, Scope.Scope>
  /** What the log was told, of what is worth a warning. */
  readonly logged: ReadonlyArray<string>
}

type Fiber = ReturnType<typeof Effect.runFork<never, SocketServer.SocketServerError>>

const host = "127.0.0.1"

export const portOf = (server: Server): number => ("port" in server.address ? server.address.port : 0)

const listen = ({ server }: Sockets, transport: Transport, directory: string) => {
  switch (transport) {
    case "tcp":
      return server.make({ host, port: 0 })
    case "unix":
      return server.make({ path: join(directory, "server.sock") })
    case "tls":
      return server.makeTls({ host, port: 0, ...certificate })
    case "websocket":
      return server.makeWebSocket({ host, port: 0 })
  }
}

const socketOfContext = Socket.Socket.use((socket) => Effect.succeed(socket))

const dial = ({ client }: Sockets, transport: Transport, directory: string, port: number) => {
  switch (transport) {
    case "tcp":
      return client.makeNet({ host, port })
    case "unix":
      return client.makeNet({ path: join(directory, "server.sock") })
    case "tls":
      return client.makeTls({ host, port, ca: certificate.cert })
    case "websocket":
      return Effect.provide(socketOfContext, client.layerWebSocket(`ws://${host}:${port}`))
  }
}

export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "finwait-dropin-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

export const world = Effect.fnUntraced(function* (sockets: Sockets, transport: Transport) {
  const directory = yield* temporaryDirectory
  const scope = yield* Effect.flatMap(Effect.scope, Scope.fork)
  const server = yield* Effect.provideService(listen(sockets, transport, directory), Scope.Scope, scope)
  const logged: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn" || logLevel === "Error" || logLevel === "Fatal") logged.push(String(message))
  })
  const made: World = {
    sockets,
    transport,
    server,
    close: Scope.close(scope, Exit.void),
    client: dial(sockets, transport, directory, portOf(server)),
    serve: (handler) =>
      server
        .run(handler)
        .pipe(
          Effect.provideService(References.CurrentLoggers, new Set([logger])),
          Effect.forkScoped({ startImmediately: true })
        ),
    logged
  }
  return made
})

/** One end of a connection, with the scopes of its reader and of its writer. */
export interface End {
  readonly socket: Socket.Socket
  readonly reader: Socket.Reader
  readonly writer: Socket.Writer
  readonly closeReader: Effect.Effect<void>
  readonly closeWriter: Effect.Effect<void>
}

const endOf = Effect.fnUntraced(function* (socket: Socket.Socket) {
  const scope = yield* Effect.scope
  // The writer's scope ends first, as that of what was acquired last.
  const readerScope = yield* Scope.fork(scope)
  const reader = yield* Scope.provide(socket.reader, readerScope)
  const writerScope = yield* Scope.fork(scope)
  const writer = yield* Scope.provide(socket.writer, writerScope)
  const end: End = {
    socket,
    reader,
    writer,
    closeReader: Scope.close(readerScope, Exit.void),
    closeWriter: Scope.close(writerScope, Exit.void)
  }
  return end
})

/** The sockets that a server accepts, whose handlers last as long as the test. */
export const accepting = Effect.fnUntraced(function* ({ serve }: World) {
  const accepted = yield* Queue.unbounded<Socket.Socket>()
  const done = yield* Deferred.make<void>()
  yield* serve((socket) => Effect.andThen(Queue.offer(accepted, socket), Deferred.await(done)))
  yield* Effect.addFinalizer(() => Deferred.succeed(done, void 0))
  return Queue.take(accepted)
})

/** Both ends of a connection. */
export const pair = Effect.fnUntraced(function* (world: World, accept: Effect.Effect<Socket.Socket>) {
  const client = yield* endOf(yield* world.client)
  const server = yield* endOf(yield* accept)
  return { client, server }
})

/** What is seen from the client's end of a connection, and from the server's end of another. */
export const fromBothEnds =
  <A, E>(see: (near: End, far: End, world: World) => Effect.Effect<A, E, Scope.Scope>) =>
  (world: World): Effect.Effect<Record<"client" | "server", A>, E | Socket.SocketError, Scope.Scope> =>
    Effect.gen(function* () {
      const accept = yield* accepting(world)
      const connected = pair(world, accept)
      const client = yield* Effect.scoped(Effect.flatMap(connected, ({ client, server }) => see(client, server, world)))
      const server = yield* Effect.scoped(Effect.flatMap(connected, ({ client, server }) => see(server, client, world)))
      return { client, server }
    })

/** A connection whose peer is a socket of Node's own, which can reset it. */
export const resettable = Effect.fnUntraced(function* (world: World) {
  const accept = yield* accepting(world)
  const peer = yield* Effect.callback<Net.Socket>((resume) => {
    const socket = Net.connect({ host, port: portOf(world.server) }, () => resume(Effect.succeed(socket)))
    socket.on("error", () => {})
  })
  const server = yield* accept
  const reset = Effect.callback<void>((resume) => {
    peer.once("close", () => resume(Effect.void)).resetAndDestroy()
  })
  return { server, reset }
})

/** How something ended, in a word. */
export const word = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const error = exit.cause.reasons.map((reason) => (reason._tag === "Fail" ? reason.error : reason._tag))
  return error.map((error) => (Socket.isSocketError(error) ? reasonOf(error) : String(error))).join(", ")
}

const reasonOf = ({ reason }: Socket.SocketError): string => {
  if (reason._tag === "SocketCloseError") return `${reason._tag} ${reason.code}`
  return reason._tag === "SocketOpenError" ? `${reason._tag} ${reason.kind}` : reason._tag
}

export const how = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<string, never, R> =>
  Effect.map(Effect.exit(effect), word)

const decoder = new TextDecoder()

export const textOf = (frames: ReadonlyArray<Uint8Array | string>): string =>
  frames.map((frame) => (typeof frame === "string" ? frame : decoder.decode(frame))).join("")

/** Reads so much. */
export const reads = Effect.fnUntraced(function* ({ reader }: Pick<End, "reader">, length: number) {
  let text = ""
  while (text.length < length) text += textOf(yield* reader.pull)
  return text
})

/** Reads all, and tells how it ended. */
export const readsAll = Effect.fnUntraced(function* ({ reader }: Pick<End, "reader">) {
  let text = ""
  const end = yield* how(
    Effect.forever(
      Effect.map(reader.pull, (frames) => {
        text += textOf(frames)
      })
    )
  )
  return { text, end }
})

/** Some turns of the event loop: what Node tells later in the same turn, or in the next, has been told after them. */
export const turns = Effect.promise(async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
})
