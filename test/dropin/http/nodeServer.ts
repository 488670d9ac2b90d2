/** What Node's server says of itself, and what it is told. */
import { Deferred, Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import type { AddressInfo } from "node:net"
import { both } from "../contract/Row.ts"
import { turns } from "../contract/world.ts"
import { ask, ends, get, hears, raw, sends } from "./client.ts"
import { all, http1, type Row } from "./Row.ts"
import { answering } from "./world.ts"

const url = answering((request) => Effect.succeed(HttpServerResponse.text(request.url)))

export const nodeServer: ReadonlyArray<Row> = [
  {
    what: "Node's server says where it listens, and that it does",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const { close, node, port } = yield* world.listen()
        const address = node.address() as AddressInfo
        const before = [node.listening, address.address, address.family, address.port === port]
        yield* close
        return [...before, node.listening]
      }),
    expected: both([true, "127.0.0.1", "IPv4", true, false])
  },
  {
    what: "Node's server has no address behind its end",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const { close, node } = yield* world.listen()
        yield* close
        return node.address()
      }),
    expected: both(null)
  },
  {
    what: "Node's server tells listening, connection, request and close",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const events: Array<string> = []
        const listening = yield* world.serve(url, {
          prepare: (node) => {
            for (const event of ["listening", "connection", "request", "close"]) {
              node.on(event, () => events.push(event))
            }
          }
        })
        yield* ask(listening, "/")
        yield* listening.close
        yield* turns
        return events
      }),
    expected: both(["listening", "connection", "request", "close"])
  },
  {
    what: "who listens for connections once it listens hears of them, too",
    over: http1,
    see: (world) =>
      Effect.gen(function* () {
        const events: Array<string> = []
        const listening = yield* world.serve(url)
        listening.node.on("connection", () => events.push("connection"))
        listening.node.on("secureConnection", () => events.push("secureConnection"))
        listening.node.on("request", () => events.push("request"))
        yield* ask(listening, "/")
        return events
      }),
    expected: (protocol) => ({
      both: protocol === "http" ? ["connection", "request"] : ["connection", "secureConnection", "request"]
    })
  },
  {
    what: "Node's server counts its connections",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url)
        const client = yield* raw(listening)
        yield* sends(client, get("/"))
        yield* hears(client, "\r\n\r\n/")
        return yield* Effect.callback<number>((resume) => {
          listening.node.getConnections((_, count) => resume(Effect.succeed(count)))
        })
      }),
    expected: both(1)
  },
  {
    what: "Node's server can be told to close its idle connections",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url)
        const client = yield* raw(listening)
        yield* sends(client, get("/"))
        yield* hears(client, "\r\n\r\n/")
        listening.node.closeIdleConnections()
        return yield* ends(client)
      }),
    expected: both("FIN")
  },
  {
    what: "Node's server can be told to close all connections",
    over: http1,
    see: (world) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const over = yield* Deferred.make<string>()
        const app = Effect.interruptible(
          Effect.onExit(Effect.andThen(Deferred.succeed(begun, void 0), Effect.never), (exit) =>
            Deferred.succeed(over, exit._tag)
          )
        )
        const listening = yield* world.serve(app)
        yield* Effect.forkChild(ask(listening, "/"), { startImmediately: true })
        yield* Deferred.await(begun)
        listening.node.closeAllConnections()
        return yield* Deferred.await(over)
      }),
    expected: both("Failure")
  },
  {
    what: "Node's server can be closed by somebody else",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url)
        yield* ask(listening, "/")
        const error = yield* Effect.callback<Error | undefined>((resume) => {
          listening.node.close((error) => resume(Effect.succeed(error)))
        })
        const { listening: listens } = listening.node
        return [error === undefined ? "closed" : error.message, listens]
      }),
    expected: both(["closed", false])
  },
  {
    what: "a listener for requests beside it hears them",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const heard: Array<string | undefined> = []
        const listening = yield* world.serve(url, {
          prepare: (node) => node.on("request", ({ url }) => heard.push(url))
        })
        yield* ask(listening, "/a")
        return heard
      }),
    expected: both(["/a"])
  }
]
