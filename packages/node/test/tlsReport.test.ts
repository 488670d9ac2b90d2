/** Handshakes that fail are told at level Debug: why, and with whom. */
import { assert, describe, it } from "@effect/vitest"
import * as NodeTls from "@finwait/node/NodeTls"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import type { Network } from "finwait/Network"
import { ca, identity } from "./support/certificates.ts"
import { dial, serve, turn, until } from "./support/network.ts"
import { halfHello, options, tlsClient } from "./support/tls.ts"

/** What is logged of handshakes, with the ports left out. */
const heard = (
  play: (url: string, said: ReadonlyArray<string>) => Effect.Effect<unknown, never, Network | Scope.Scope>,
  chosen: NodeTls.Options,
  level: LogLevel.LogLevel = "Debug"
) =>
  Effect.gen(function* () {
    const said: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      const text = String(message).replace(/:\d+: /, ":PORT: ")
      if (text.startsWith("TLS: no handshake")) said.push(`${logLevel} ${text}`)
    })
    yield* Effect.flatMap(serve("tcp://127.0.0.1:0"), ({ url }) => play(url, said)).pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(NodeTls.layer(chosen), Logger.layer([logger]))),
      Effect.provideService(References.MinimumLogLevel, level)
    )
    return said
  })

const told = (said: ReadonlyArray<string>) => until(() => said.length > 0, "it is told")

const plainText = Effect.fnUntraced(function* (url: string) {
  const client = yield* dial(url)
  client.socket.write("GET / HTTP/1.0\r\n\r\n")
  yield* Effect.promise(() => client.ended())
})

for (const truncation of ["framed", "end"] as const) {
  const chosen = options(undefined, { truncation, handshakeTimeout: "200 millis" })

  describe(`a handshake that fails is told, truncation "${truncation}"`, () => {
    it.live("what is wrong with it", () =>
      Effect.gen(function* () {
        const [said, ...more] = yield* heard((url, said) => Effect.andThen(plainText(url), told(said)), chosen)
        assert.match(
          said!,
          /^Debug TLS: no handshake with tcp 127\.0\.0\.1:PORT: .*(http request|wrong version number)/
        )
        assert.deepStrictEqual(more, [])
      })
    )

    it.live("a client without the certificate that it needs", () =>
      Effect.gen(function* () {
        const server = { identity: identity("server"), clientCertificates: "require", ca } as const
        const said = yield* heard((url, said) => Effect.andThen(tlsClient(url), told(said)), { ...chosen, server })
        assert.lengthOf(said, 1)
        assert.match(said[0]!, /peer did not return a certificate/)
      })
    )

    for (const [how, end] of [
      ["hangs up", "end"],
      ["resets", "resetAndDestroy"]
    ] as const) {
      it.live(`a client that ${how} in the middle of it`, () =>
        Effect.gen(function* () {
          const said = yield* heard(
            Effect.fnUntraced(function* (url, said) {
              const client = yield* dial(url)
              yield* Effect.promise(() => client.send(halfHello))
              yield* Effect.repeat(turn, { times: 5 })
              client.socket[end]()
              yield* told(said)
            }),
            chosen
          )
          assert.lengthOf(said, 1)
          assert.match(said[0]!, /^Debug TLS: no handshake with tcp 127\.0\.0\.1:PORT: .*(ECONNRESET|ended)/)
        })
      )
    }

    it.live("one that does not go on in time", () =>
      Effect.gen(function* () {
        const said = yield* heard(
          Effect.fnUntraced(function* (url, said) {
            const client = yield* dial(url)
            yield* Effect.promise(() => client.send(halfHello))
            yield* told(said)
          }),
          chosen
        )
        assert.deepStrictEqual(said, ["Debug TLS: no handshake with tcp 127.0.0.1:PORT: there is no more time for it"])
      })
    )

    it.live("and nothing of who says nothing, who is served, and where nobody listens to Debug", () =>
      Effect.gen(function* () {
        const quiet = yield* heard(
          Effect.fnUntraced(function* (url) {
            const peer = yield* tlsClient(url)
            peer.socket.end("hello")
            yield* peer.ended
            const looks = yield* dial(url)
            looks.socket.end()
            yield* Effect.promise(() => looks.ended())
            const silent = yield* dial(url)
            yield* Effect.promise(() => silent.ended())
          }),
          chosen
        )
        assert.deepStrictEqual(quiet, [])
        assert.deepStrictEqual(yield* heard(plainText, chosen, "Info"), [])
      })
    )
  })
}
