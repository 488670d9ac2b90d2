/** Finwait as its users write it: a server as a layer, with the close policy it has when nobody says otherwise. */
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { Connection } from "finwait/Connection"
import * as Framing from "finwait/Framing"
import * as Server from "finwait/Server"
import { backlog, block, command, onCommand, ready } from "./command.ts"

/**
 * Reads until the end; `Effect.forever` would yield to other fibers after every message. One generator function for all
 * connections, as `Effect.fn` has: `Effect.gen` with a new one for each leaves behind what only a marking of the heap
 * takes away.
 */
const pulling = Effect.fnUntraced(function* <A, E, E2>(
  pull: Pull.Pull<A, E>,
  answer: (message: A) => Effect.Effect<unknown, E2>
) {
  while (true) yield* answer(yield* pull)
})

const filling = Effect.fnUntraced(function* (connection: Connection) {
  while (true) yield* connection.write(block)
})

const pull = {
  echo: (connection: Connection) => pulling(connection.pull, (chunk) => connection.write(chunk)),
  sink: (connection: Connection) => pulling(connection.pull, () => Effect.void),
  source: filling,
  lines: (connection: Connection) => {
    const framed = Framing.lines(connection)
    return pulling(framed.pull, (line) => Framing.write(framed, line))
  },
  u32: (connection: Connection) => {
    const framed = Framing.lengthPrefixed(connection)
    return pulling(framed.pull, (message) => Framing.write(framed, message))
  }
}
const variants = {
  pull,
  each: {
    ...pull,
    echo: (connection: Connection) => connection.each((chunk) => connection.write(chunk)),
    sink: (connection: Connection) => connection.each(() => Effect.void),
    lines: (connection: Connection) => Framing.respond(Framing.lines(connection), (line) => Effect.succeed(line)),
    u32: (connection: Connection) =>
      Framing.respond(Framing.lengthPrefixed(connection), (message) => Effect.succeed(message))
  },
  stream: {
    echo: (connection: Connection) => Stream.runForEach(connection.stream, (chunk) => connection.write(chunk)),
    sink: (connection: Connection) => Stream.runDrain(connection.stream),
    source: (connection: Connection) =>
      Stream.runForEach(Stream.forever(Stream.succeed(block)), (bytes) => connection.write(bytes)),
    lines: (connection: Connection) => {
      const framed = Framing.lines(connection)
      return Stream.runForEach(Framing.stream(framed), (line) => Framing.write(framed, line))
    },
    u32: (connection: Connection) => {
      const framed = Framing.lengthPrefixed(connection)
      return Stream.runForEach(Framing.stream(framed), (message) => Framing.write(framed, message))
    }
  }
}

const handler = variants[command.variant as keyof typeof variants][command.service]
const server = Server.layer({
  listen: command.path === undefined ? "tcp://127.0.0.1:0" : `unix://${command.path}`,
  backlog,
  handler: (connection) => handler(connection) as Effect.Effect<void>,
  onListening: (address) => Effect.sync(() => ready(address._tag === "Tcp" ? address.port : 0))
})
const running = Effect.runFork(
  Layer.launch(Layer.provide(server, NodeNetwork.layer)).pipe(Effect.provideService(Logger.LogToStderr, true))
)
onCommand(() => void Effect.runFork(Fiber.interrupt(running)))
