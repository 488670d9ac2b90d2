/** Where a server listens, and who is served. */
import { Context, Effect, Exit } from "effect"
import { HttpServer, HttpServerError, HttpServerResponse } from "effect/http"
import { existsSync, statSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { RawClient } from "../../tools/RawClient.ts"
import { both, differ } from "../contract/Row.ts"
import { how, turns } from "../contract/world.ts"
import { ask, ends, exchange, get, raw, sends, standstill, wire } from "./client.ts"
import { all, type Row } from "./Row.ts"
import { answering, host, nodeServer, socketPath } from "./world.ts"

const url = answering((request) => Effect.succeed(HttpServerResponse.text(request.url)))
const text = (text: string) => Effect.succeed(HttpServerResponse.text(text))

export const serving: ReadonlyArray<Row> = [
  {
    what: "its address is known before it serves",
    over: all,
    see: (world) =>
      Effect.map(world.listen(), ({ server: { address } }) =>
        "port" in address ? [address._tag, String(address.address), address.port > 0] : [address._tag]
      ),
    expected: both(["InetAddressV4", "127.0.0.1", true])
  },
  {
    what: "its address in words",
    over: ["http"],
    see: (world) =>
      Effect.map(world.listen(), ({ port, server }) =>
        HttpServer.formatAddress(server.address).replace(String(port), "0")
      ),
    expected: both("http://127.0.0.1:0")
  },
  {
    what: "no host is every address",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url, { options: { host: undefined } })
        const address = (listening.node.address() as AddressInfo).address
        return [address, (yield* ask(listening, "/v4")).body]
      }),
    expected: both(["::", "/v4"])
  },
  {
    what: "a socket file",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const path = yield* socketPath
        const listening = yield* world.serve(url, { options: { path } })
        const client = yield* Effect.acquireRelease(
          Effect.promise(() => RawClient.connect(`unix://${path}`)),
          ({ socket }) => Effect.sync(() => socket.destroy())
        )
        yield* sends(client, get("/unix", "Connection: close"))
        const end = yield* ends(client)
        const { address } = listening.server
        return [wire(client).split("\r\n\r\n")[1], end, address._tag, "path" in address && address.path === path]
      }),
    expected: both(["/unix", "FIN", "UnixPathAddress", true])
  },
  {
    what: "a port beside a socket file: the port it is",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const path = yield* socketPath
        const { server } = yield* world.listen({ options: { path, host, port: 0 } })
        return [server.address._tag, existsSync(path)]
      }),
    expected: both(["InetAddressV4", false])
  },
  {
    what: "a socket file that everybody may use",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const path = yield* socketPath
        yield* world.serve(url, { options: { path, readableAll: true, writableAll: true } })
        return (statSync(path).mode & 0o666).toString(8)
      }),
    expected: both("666")
  },
  {
    what: "a port that is in use",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const { port } = yield* world.listen()
        const exit = yield* Effect.exit(Effect.scoped(world.listen({ options: { port } })))
        return Exit.isFailure(exit) && exit.cause.reasons.map((reason) => reason._tag === "Fail" && reason.error._tag)
      }),
    expected: both(["ServeError"])
  },
  {
    what: "an address that is not here",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(world.listen({ options: { host: "192.0.2.1" } }))
        return error instanceof HttpServerError.ServeError
      }),
    expected: both(true)
  },
  {
    what: "who asks before it serves",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.listen()
        const client = yield* raw(listening)
        yield* sends(client, get("/early"))
        yield* turns
        yield* listening.serve(url)
        yield* ask(listening, "/later")
        yield* standstill(() => client.bytes.length)
        // Who is not answered is waited for by the end of Effect's.
        client.socket.destroy()
        return client.text.includes("/early") ? "is answered when it serves" : "is never answered"
      }),
    expected: differ(
      "who comes before it serves waits, as with all servers here",
      "is never answered",
      "is answered when it serves"
    )
  },
  {
    what: "a second application on it: both are asked, the first answers",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(text("first"))
        yield* listening.serve(Effect.as(turns, HttpServerResponse.text("second")))
        return (yield* ask(listening, "/")).body
      }),
    expected: both("first")
  },
  {
    what: "middleware is around all, and sees what was answered",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const listening = yield* world.serve(url, {
          middleware: (app) =>
            Effect.tap(app, ({ status }) => {
              seen.push(`answered ${status}`)
              return Effect.void
            })
        })
        const { body } = yield* ask(listening, "/a")
        yield* turns
        return { body, seen }
      }),
    expected: both({ body: "/a", seen: ["answered 200"] })
  },
  {
    what: "middleware that answers instead",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url, { middleware: () => text("instead") as never })
        return (yield* ask(listening, "/a")).body
      }),
    expected: both("instead")
  },
  {
    what: "middleware that fails",
    over: all,
    see: (world) =>
      Effect.gen(function* () {
        const listening = yield* world.serve(url, { middleware: () => Effect.die("on purpose") as never })
        return (yield* ask(listening, "/a")).status
      }),
    expected: both(500)
  },
  {
    what: "handlers have the services of who serves",
    over: ["http"],
    see: (world) =>
      Effect.gen(function* () {
        class Name extends Context.Service<Name, string>()("test/Name") {}
        const listening = yield* world.listen()
        const app = Effect.map(Effect.serviceOption(Name), (name) => HttpServerResponse.jsonUnsafe(name))
        yield* Effect.provideService(listening.serve(app), Name, "ada")
        return JSON.parse((yield* ask(listening, "/")).body)
      }),
    expected: both({ _id: "Option", _tag: "Some", value: "ada" })
  },
  {
    what: "a certificate that cannot be used",
    over: ["https"],
    see: ({ protocol, servers }) =>
      Effect.scoped(servers.module.make(() => nodeServer(protocol, { key: "no key" }), { host, port: 0 })).pipe(how),
    expected: both("Die")
  },
  {
    what: "the certificate of who asks",
    over: ["https"],
    see: (world) =>
      Effect.gen(function* () {
        const app = answering(({ source }) =>
          Effect.succeed(
            HttpServerResponse.text(String((source as { socket: { encrypted: boolean } }).socket.encrypted))
          )
        )
        return (yield* ask(yield* world.serve(app), "/")).body
      }),
    expected: both("true")
  },
  {
    what: "plain HTTP at a server with TLS",
    over: ["https"],
    see: (world) =>
      Effect.gen(function* () {
        const { end, wire } = yield* exchange(yield* world.serve(url), get("/"))
        return { end, answered: wire.includes("200") }
      }),
    expected: both({ end: "FIN", answered: false })
  }
]
