import { assert, describe, it } from "@effect/vitest"
import * as NodeTls from "@finwait/node/NodeTls"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { Connection } from "finwait/Connection"
import * as ConnectionModule from "finwait/Connection"
import * as Network from "finwait/Network"
import { inspect } from "node:util"
import { ca, identity } from "./support/certificates.ts"
import { real, serve } from "./support/network.ts"
import { only, onTls, options, tlsClient, versions } from "./support/tls.ts"
import { stranger } from "./support/tlsStranger.ts"

const nameOf = (session: NodeTls.Session): string | undefined =>
  session.peerCertificate?.subject.CN as string | undefined

/** A server that tells what its handshake has come to, and a client, which does so as well. */
const introduced = (server: Partial<NodeTls.ServerOptions>, client: NodeTls.ClientOptions = {}) =>
  onTls(
    Effect.gen(function* () {
      const sessions: Array<NodeTls.Session> = []
      const { url } = yield* serve("tcp://127.0.0.1:0", {
        handler: (connection) =>
          Effect.suspend(() => {
            sessions.push(Option.getOrThrow(NodeTls.session(connection)))
            return connection.write("welcome")
          })
      })
      // Node's server says nothing to a client of TLS 1.3 whose certificate it does not take: it ends, without close_notify.
      const network = Network.make(NodeTls.provider({ client: { ca, ...client }, truncation: "error" }))
      const result = yield* Effect.result(
        Effect.gen(function* () {
          const connection = yield* network.connect(url)
          const heard = yield* ConnectionModule.readText(connection)
          assert.strictEqual(heard, "welcome")
          return Option.getOrThrow(NodeTls.session(connection))
        })
      )
      return { ofServer: sessions[0], ofClient: Result.getOrUndefined(result), failure: Result.getFailure(result) }
    }),
    options(undefined, { server: { identity: identity("server"), ...server } })
  )

describe("the session of a connection", () => {
  for (const version of versions) {
    it.live(`tells what was agreed on, over ${version}`, () =>
      Effect.gen(function* () {
        const { ofClient, ofServer } = yield* introduced(only(version), { servername: "localhost" })
        assert.strictEqual(ofServer!.protocol, version)
        assert.strictEqual(ofServer!.servername, "localhost")
        assert.isFalse(ofServer!.isAuthorized)
        assert.isUndefined(ofServer!.peerCertificate)
        assert.isUndefined(ofServer!.alpnProtocol)
        assert.strictEqual(ofClient!.protocol, version)
        assert.isTrue(ofClient!.isAuthorized)
        assert.strictEqual(nameOf(ofClient!), "server")
      })
    )
  }

  it.live("is none without TLS", () =>
    real(
      Effect.gen(function* () {
        const sessions: Array<Option.Option<NodeTls.Session>> = []
        const handler = (connection: Connection) => Effect.sync(() => sessions.push(NodeTls.session(connection)))
        const { url } = yield* serve("tcp://127.0.0.1:0", { handler })
        const client = yield* Network.connect(url)
        yield* ConnectionModule.readText(client)
        assert.deepStrictEqual([...sessions, NodeTls.session(client)], [Option.none(), Option.none()])
      })
    )
  )
})

describe("application protocols", () => {
  it.live("the server's best is chosen of those that both have", () =>
    Effect.gen(function* () {
      const { ofClient, ofServer } = yield* introduced(
        { alpnProtocols: ["finwait/2", "finwait/1"] },
        { alpnProtocols: ["other", "finwait/1", "finwait/2"] }
      )
      assert.strictEqual(ofServer!.alpnProtocol, "finwait/2")
      assert.strictEqual(ofClient!.alpnProtocol, "finwait/2")
    })
  )

  it.live("none is chosen where one of the two has none", () =>
    Effect.gen(function* () {
      const { ofClient, ofServer } = yield* introduced({ alpnProtocols: ["finwait/1"] })
      assert.isUndefined(ofServer!.alpnProtocol)
      assert.isUndefined(ofClient!.alpnProtocol)
    })
  )

  it.live("the handshake fails where both have some and none in common", () =>
    Effect.gen(function* () {
      const { failure, ofServer } = yield* introduced({ alpnProtocols: ["finwait/1"] }, { alpnProtocols: ["other"] })
      assert.isUndefined(ofServer)
      assert.match(Option.getOrThrow(failure).message, /the handshake failed: .*NO_APPLICATION_PROTOCOL/)
    })
  )
})

describe("certificates by name", () => {
  it.live("who asks for a name gets its certificate, and everybody else the server's own", () =>
    Effect.gen(function* () {
      const identities = { "other.test": identity("other") }
      const other = yield* introduced({ identities }, { servername: "other.test" })
      assert.strictEqual(nameOf(other.ofClient!), "other")
      assert.strictEqual(other.ofServer!.servername, "other.test")
      const named = yield* introduced({ identities }, { servername: "localhost" })
      assert.strictEqual(nameOf(named.ofClient!), "server")
      // The host that is dialled is an address, which is no name.
      const unnamed = yield* introduced({ identities })
      assert.strictEqual(nameOf(unnamed.ofClient!), "server")
      assert.isUndefined(unnamed.ofServer!.servername)
    })
  )
})

describe("certificates of clients", () => {
  for (const version of versions) {
    const asked = (clientCertificates: "request" | "require") => ({ clientCertificates, ca, ...only(version) })

    it.live(`that are required, over ${version}: one of the authority is let in, and known`, () =>
      Effect.gen(function* () {
        const { ofServer } = yield* introduced(asked("require"), { identity: identity("client") })
        assert.isTrue(ofServer!.isAuthorized)
        assert.strictEqual(nameOf(ofServer!), "client")
      })
    )

    for (const [who, client] of [
      ["nobody's", {}],
      ["somebody else's", { identity: stranger }]
    ] as const) {
      it.live(`that are required, over ${version}: ${who} is turned away, and no handler hears of it`, () =>
        Effect.gen(function* () {
          const { failure, ofClient, ofServer } = yield* introduced(asked("require"), client)
          assert.isUndefined(ofServer)
          assert.isUndefined(ofClient)
          // A client of TLS 1.3 is done before the server is, and hears of it when it reads.
          const { message } = Option.getOrThrow(failure)
          assert.match(
            message,
            version === "TLSv1.2"
              ? /^connect .* the handshake failed: /
              : /^read .*(CERTIFICATE_REQUIRED|ERR_TLS_TRUNCATED)/
          )
        })
      )

      it.live(`that are asked for, over ${version}: ${who} is let in, and not trusted`, () =>
        Effect.gen(function* () {
          const { ofClient, ofServer } = yield* introduced(asked("request"), client)
          assert.isFalse(ofServer!.isAuthorized)
          assert.strictEqual(ofServer!.peerCertificate === undefined ? "nobody's" : "somebody else's", who)
          assert.isDefined(ofClient)
        })
      )
    }
  }
})

describe("a key", () => {
  it.live("is in nothing that is shown, told or logged", () =>
    Effect.gen(function* () {
      const key = Redacted.value(identity("server").key) as string
      const secret = key.split("\n")[1]!
      const passphrase = "correct horse battery staple"
      const bad: NodeTls.Identity = { ...identity("server"), cert: identity("other").cert }
      const withPassphrase = { ...identity("server"), passphrase: Redacted.make(passphrase) }
      const shown: Array<string> = []
      const show = (value: unknown) =>
        shown.push(inspect(value, { depth: 20, showHidden: true }), JSON.stringify(value))

      const chosen: NodeTls.Options = {
        server: { identity: withPassphrase, identities: { "other.test": identity("other") } },
        client: { ca, identity: identity("client") }
      }
      show(chosen)
      const listening = (one: NodeTls.ServerOptions["identity"]) =>
        Effect.flip(Network.make(NodeTls.provider({ server: { identity: one } })).listen("tcp://127.0.0.1:0"))
      show(yield* listening(bad))
      show(yield* listening({ ...bad, key: Redacted.make(`nonsense ${secret}`) }))
      show(yield* listening(Stream.make({ ...bad, passphrase: Redacted.make(passphrase) })))
      shown.push(String(yield* listening(bad)))

      // Whatever a server logs when it is given others, good and bad ones.
      const logger = Logger.make(({ cause, message }) => show([message, cause]))
      yield* Effect.gen(function* () {
        const { url } = yield* serve("tcp://127.0.0.1:0")
        const peer = yield* tlsClient(url)
        yield* peer.send("hello")
        yield* peer.hears("hello")
      }).pipe(
        Effect.scoped,
        Effect.provide(
          Layer.merge(
            NodeTls.layer({ server: { identity: Stream.make(identity("server"), bad) } }),
            Logger.layer([logger])
          )
        )
      )
      assert.isTrue(shown.some((text) => text.includes("cannot be used")))
      for (const text of shown) {
        assert.notInclude(text, secret)
        assert.notInclude(text, passphrase)
      }
    }).pipe(Effect.scoped)
  )
})
