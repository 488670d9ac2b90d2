/**
 * A private key is in Node's own objects, in the clear, a few steps below every connection that speaks TLS. What a program
 * logs are connections.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NodeTls from "@finwait/node/NodeTls"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { format } from "effect/Formatter"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Address from "finwait/Address"
import type { Connection } from "finwait/Connection"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import * as Transport from "finwait/Transport"
import { inspect } from "node:util"
import { ca, identity } from "./support/certificates.ts"
import { until } from "./support/network.ts"
import { givenAway } from "./support/tls.ts"

/** What nobody else's key has: the middle of it. Also as the bytes that it is, which is how JSON shows a buffer. */
const secretOf = (name: "server" | "client") => {
  const secret = (Redacted.value(identity(name).key) as string).split("\n")[1]!.slice(20, 50)
  return [secret, [...Buffer.from(secret)].join(",")]
}

const secrets = [...secretOf("server"), ...secretOf("client")]

const assertNoKey = (text: string) => {
  for (const secret of secrets) assert.isFalse(text.includes(secret), text.slice(0, 500))
}

const chosen: NodeTls.Options = {
  server: { identity: identity("server"), clientCertificates: "require", ca },
  client: { ca, identity: identity("client") }
}

/** Both ends of a connection, and what they belong to. */
const everything = Effect.gen(function* () {
  const { handler, next } = givenAway()
  const listener = yield* Network.listen("tcp://127.0.0.1:0")
  const server = yield* Server.make({ listen: "tcp://127.0.0.1:0", handler })
  const client = yield* Network.connect(server.address)
  const { connection, leave } = yield* next
  yield* Effect.addFinalizer(() => Effect.sync(leave))
  const pipes = [client, connection].map(Transport.of)
  return { client, connection, pipes, listener, server, network: yield* Network.Network }
})

/** Everything that was written to the console. */
const overheard = Effect.gen(function* () {
  const lines: Array<string> = []
  const console: Console.Console = new Proxy(globalThis.console, {
    get:
      () =>
      (...words: Array<unknown>) =>
        lines.push(words.map((word) => (typeof word === "string" ? word : inspect(word, { depth: 20 }))).join(" "))
  })
  return { lines, console }
})

describe("what is logged of a connection over TLS", () => {
  for (const [name, logger] of [
    ["JSON", Logger.consoleJson],
    ["logfmt", Logger.consoleLogFmt],
    ["structured", Logger.consoleStructured],
    ["pretty", Logger.consolePretty({ colors: false })]
  ] as const) {
    it.live(`has no private key in it: ${name}`, () =>
      Effect.gen(function* () {
        const { console, lines } = yield* overheard
        yield* Effect.gen(function* () {
          const all = yield* everything
          for (const one of Object.values(all)) yield* Effect.logInfo("here it is:", one)
          yield* Effect.annotateLogs(Effect.logInfo("annotated"), all)
        }).pipe(
          Effect.scoped,
          Effect.provide(Layer.merge(NodeTls.layer(chosen), Logger.layer([logger]))),
          Effect.provideService(Console.Console, console)
        )
        assert.isAtLeast(lines.filter((line) => line.includes("here it is:")).length, 5, lines.join("\n"))
        assertNoKey(lines.join("\n"))
      })
    )
  }

  it.live("nor what is inspected, printed or made JSON of; it says who it is", () =>
    Effect.gen(function* () {
      const all = yield* everything
      for (const one of Object.values(all)) {
        assertNoKey(inspect(one, { depth: Infinity, maxArrayLength: null, maxStringLength: null, showHidden: true }))
        assertNoKey(format(one))
      }
      const shown = (connection: Connection) => JSON.parse(JSON.stringify(connection))
      const [local, remote] = [all.client.localAddress, all.client.remoteAddress].map(Address.describe)
      assert.deepStrictEqual(shown(all.client), { _id: "Connection", local, remote, stage: "Open" })
      assert.deepStrictEqual(shown(all.connection), { _id: "Connection", local: remote, remote: local, stage: "Open" })
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(NodeTls.layer(chosen), Logger.layer([]))))
  )
})

describe("a stream of certificates", () => {
  const warnings = (more: Stream.Stream<never, string>) =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel === "Warn") said.push(String(message))
      })
      let isOver = false
      const identities = Stream.concat(Stream.make(identity("server")), more).pipe(
        Stream.ensuring(Effect.sync(() => (isOver = true)))
      )
      yield* Effect.gen(function* () {
        yield* Network.listen("tcp://127.0.0.1:0")
        yield* until(() => isOver, "it is over")
      }).pipe(
        Effect.scoped,
        Effect.provide(Layer.merge(NodeTls.layer({ server: { identity: identities } }), Logger.layer([logger])))
      )
      return said
    })

  it.live("that fails is told as a warning: the certificate will not be renewed", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* warnings(Stream.fail("no more")), [
        "TLS: the stream of certificates has failed, the last one stays"
      ])
      assert.deepStrictEqual(yield* warnings(Stream.empty), [])
    })
  )
})
