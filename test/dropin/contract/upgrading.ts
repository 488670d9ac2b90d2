/** The upgrade to TLS in place. */
import { Effect, Fiber, Redacted } from "effect"
import { certificate } from "./certificate.ts"
import { both, differ, type Row } from "./Row.ts"
import { accepting, how, pair, reads, type World } from "./world.ts"

const server = { key: Redacted.make(certificate.key), cert: certificate.cert }
const client = { servername: "localhost", ca: certificate.cert }

const connected = (world: World) => Effect.flatMap(accepting(world), (accept) => pair(world, accept))

export const upgrading: ReadonlyArray<Row> = [
  {
    what: "both sides, and what is written from then on is read",
    over: ["tcp", "unix"],
    see: (world) =>
      Effect.gen(function* () {
        const ends = yield* connected(world)
        const upgrades = [
          yield* Effect.forkChild(how(ends.server.reader.upgrade(server))),
          yield* Effect.forkChild(how(ends.client.reader.upgrade(client)))
        ]
        const ended = yield* Effect.forEach(upgrades, (fiber) => Fiber.join(fiber))
        yield* ends.client.writer.write("question")
        const question = yield* reads(ends.server, 8)
        yield* ends.server.writer.writeAll(["ans", "wer"])
        return { ended, question, answer: yield* reads(ends.client, 6) }
      }),
    expected: both({ ended: ["success", "success"], question: "question", answer: "answer" })
  },
  {
    what: "credentials that are not complete are an error, and the connection goes on",
    over: ["tcp", "unix"],
    see: (world) =>
      Effect.gen(function* () {
        const ends = yield* connected(world)
        const errors = {
          nothing: yield* how(ends.server.reader.upgrade()),
          keyOnly: yield* how(ends.server.reader.upgrade({ key: server.key })),
          certOnly: yield* how(ends.server.reader.upgrade({ cert: server.cert })),
          clientKeyOnly: yield* how(ends.client.reader.upgrade({ ...client, key: server.key })),
          clientCertOnly: yield* how(ends.client.reader.upgrade({ ...client, cert: server.cert }))
        }
        yield* ends.client.writer.write("hello")
        return { errors, goesOn: yield* reads(ends.server, 5) }
      }),
    expected: both({
      errors: {
        nothing: "SocketUpgradeError",
        keyOnly: "SocketUpgradeError",
        certOnly: "SocketUpgradeError",
        clientKeyOnly: "SocketUpgradeError",
        clientCertOnly: "SocketUpgradeError"
      },
      goesOn: "hello"
    })
  },
  {
    what: "credentials that are no credentials are an error, and the connection goes on",
    over: ["tcp"],
    see: (world) =>
      Effect.gen(function* () {
        const ends = yield* connected(world)
        const bad = { key: Redacted.make("no key"), cert: "no certificate" }
        const errors = [yield* how(ends.server.reader.upgrade(bad)), yield* how(ends.client.reader.upgrade(bad))]
        yield* ends.client.writer.write("hello")
        return { errors, goesOn: yield* reads(ends.server, 5) }
      }),
    expected: both({ errors: ["SocketUpgradeError", "SocketUpgradeError"], goesOn: "hello" })
  },
  {
    what: "a second one",
    over: ["tcp", "unix"],
    see: (world) =>
      Effect.gen(function* () {
        const ends = yield* connected(world)
        yield* Effect.all([ends.server.reader.upgrade(server), ends.client.reader.upgrade(client)], {
          concurrency: "unbounded"
        })
        return [yield* how(ends.server.reader.upgrade(server)), yield* how(ends.client.reader.upgrade(client))]
      }),
    expected: both(["SocketUpgradeError", "SocketUpgradeError"])
  },
  {
    what: "of a WebSocket",
    over: ["websocket"],
    see: (world) =>
      Effect.gen(function* () {
        const ends = yield* connected(world)
        return [yield* how(ends.server.reader.upgrade(server)), yield* how(ends.client.reader.upgrade(client))]
      }),
    expected: both(["SocketUpgradeError", "SocketUpgradeError"])
  },
  {
    what: "after the end of the reader's scope",
    over: ["tcp", "unix"],
    see: (world) =>
      Effect.gen(function* () {
        const ends = yield* connected(world)
        yield* Effect.forkChild(ends.client.closeReader, { startImmediately: true })
        yield* how(ends.server.reader.pull)
        yield* ends.server.closeReader
        return [yield* how(ends.server.reader.upgrade(server)), yield* how(ends.client.reader.upgrade(client))]
      }),
    expected: both(["SocketUpgradeError", "SocketUpgradeError"])
  },
  {
    what: "a certificate that is not trusted fails both sides",
    over: ["tcp"],
    see: (world) =>
      Effect.gen(function* () {
        const ends = yield* connected(world)
        const serving = yield* Effect.forkChild(how(ends.server.reader.upgrade(server)))
        const clientEnd = yield* how(ends.client.reader.upgrade({ servername: "localhost" }))
        return { client: clientEnd, server: yield* Fiber.join(serving) }
      }),
    expected: both({ client: "SocketUpgradeError", server: "SocketUpgradeError" })
  },
  {
    what: "a peer that speaks no TLS fails it",
    over: ["tcp"],
    see: (world) =>
      Effect.gen(function* () {
        const ends = yield* connected(world)
        yield* ends.client.writer.write("hello, is anybody there?\n")
        return { server: yield* how(ends.server.reader.upgrade(server)), pull: yield* how(ends.server.reader.pull) }
      }),
    expected: differ(
      "what is read of a connection that is broken is that it is broken",
      { server: "SocketUpgradeError", pull: "SocketUpgradeError" },
      { server: "SocketUpgradeError", pull: "SocketReadError" }
    )
  }
]
