/** Finwait as its users write it: a server as a layer, with the close policy it has when nobody says otherwise. */
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { Connection } from "finwait/Connection"
import * as Framing from "finwait/Framing"
import type { Network } from "finwait/Network"
import * as Server from "finwait/Server"
import { backlog, block, command, onCommand, ready } from "./command.ts"
import * as Parsers from "./parsers.ts"

const { service } = command

const source = Effect.fnUntraced(function* (connection: Connection) {
  while (true) yield* connection.write(block)
})

/**
 * One generator function for all connections, as `Effect.fn` has: `Effect.gen` with a new one for each leaves behind what
 * only a marking of the heap takes away. (`Effect.forever` would yield to other fibers after every message.)
 */
const pull = Effect.fnUntraced(function* (connection: Connection) {
  const answer = Parsers.answering(service)
  while (true) {
    const bytes = answer(yield* connection.pull)
    if (bytes !== undefined) yield* connection.write(bytes)
  }
})

const answered = (connection: Connection) => {
  const answer = Parsers.answering(service)
  return (chunk: Uint8Array) => {
    const bytes = answer(chunk)
    return bytes === undefined ? Effect.void : connection.write(bytes)
  }
}

const framing = (connection: Connection) =>
  service === "lines"
    ? Framing.respond(Framing.lines(connection), (line) => Effect.succeed(line))
    : Framing.respond(Framing.lengthPrefixed(connection), (message) => Effect.succeed(message))

const oneByOne = Effect.fnUntraced(function* <Message>(framed: Framing.Framed<Message, Message>) {
  while (true) yield* Framing.write(framed, yield* framed.pull)
})

const variants: Record<string, (connection: Connection) => Effect.Effect<unknown, unknown>> = {
  pull: service === "source" ? source : pull,
  each: (connection) => connection.each(answered(connection)),
  observed: (connection) => connection.each(answered(connection)),
  trusting: (connection) => connection.each(answered(connection)),
  stream:
    service === "source"
      ? (connection) => Stream.runForEach(Stream.forever(Stream.succeed(block)), (bytes) => connection.write(bytes))
      : (connection) => Stream.runForEach(connection.stream, answered(connection)),
  framing,
  messages: (connection) =>
    service === "lines" ? oneByOne(Framing.lines(connection)) : oneByOne(Framing.lengthPrefixed(connection))
}

const handler = variants[command.variant]!
const server = Server.layer({
  listen: command.path === undefined ? "tcp://127.0.0.1:0" : `unix://${command.path}`,
  backlog,
  handler,
  onListening: (address) => Effect.sync(() => ready(address._tag === "Tcp" ? address.port : 0))
})
/** The network of the transport; what TLS and WebSockets need is loaded by them alone. */
const network = async (): Promise<Layer.Layer<Network>> => {
  switch (command.transport) {
    case "tls": {
      const [NodeTls, { certificate }] = await Promise.all([
        import("@finwait/node/NodeTls"),
        import("./certificate.ts")
      ])
      const { cert, key, minVersion } = certificate()
      const server = { identity: { cert, key: Redacted.make(key) }, minVersion }
      return NodeTls.layer({ server, truncation: command.variant === "trusting" ? "end" : undefined })
    }
    case "ws":
      return (await import("@finwait/node/NodeWebSocket")).layer()
    default:
      return NodeNetwork.layer
  }
}
/** A tracer that keeps nothing, and metrics that are read ten times a second: the least that looking on costs. */
const tracer = Tracer.make({ span: (options) => new Tracer.NativeSpan(options) })
const observed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.raceFirst(effect, Effect.forever(Effect.andThen(Effect.sleep(100), Metric.snapshot))).pipe(
    Effect.provideService(Tracer.Tracer, tracer)
  )

const serving = Layer.launch(Layer.provide(server, await network())).pipe(
  Effect.provideService(Logger.LogToStderr, true)
)
const running = Effect.runFork(command.variant === "observed" ? observed(serving) : serving)
onCommand(() => void Effect.runFork(Fiber.interrupt(running)))
