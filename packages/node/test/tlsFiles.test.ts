/** What is told of a key and a certificate that cannot be used, look by look. */
import { assert, describe, it } from "@effect/vitest"
import * as NodeTls from "@finwait/node/NodeTls"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { identity } from "./support/certificates.ts"
import { folder, until } from "./support/network.ts"

/** Files that are looked at when the test says so; `look` is over when the next one is waited for. */
const watched = Effect.gen(function* () {
  const where = yield* folder
  const [key, cert] = [join(where, "tls.key"), join(where, "tls.crt")]
  const put = (ofKey: "server" | "other", ofCert: "server" | "other" = ofKey) => {
    writeFileSync(key, Redacted.value(identity(ofKey).key))
    writeFileSync(cert, identity(ofCert).cert)
  }
  put("server")
  const said: Array<string> = []
  // Of what OpenSSL says, its own code: the rest is another from version to version.
  const logger = Logger.make(({ logLevel, message }) =>
    said.push(`${logLevel} ${String(message).replace(/(ERR_OSSL_\w+): .*/, "$1")}`)
  )
  const looks = yield* Semaphore.make(0)
  let sleeps = 0
  const clock = yield* Clock.Clock
  const byHand: Clock.Clock = Object.assign(Object.create(clock), {
    sleep: () => Effect.suspend(() => (sleeps++, Effect.asVoid(looks.take(1))))
  })
  let found = 0
  yield* NodeTls.fromFiles({ key, cert }).pipe(
    Stream.runForEach(() => Effect.sync(() => found++)),
    Effect.provideService(Clock.Clock, byHand),
    Effect.provide(Logger.layer([logger])),
    Effect.forkScoped
  )
  yield* until(() => sleeps > 0, "it has looked")
  const look = Effect.suspend(() => {
    const before = sleeps
    return Effect.andThen(
      looks.release(1),
      until(() => sleeps > before, "it looks")
    )
  })
  const unusable = `Warn TLS: ${key} and ${cert} cannot be used: ERR_TLS_IDENTITY: the certificate is not of this key`
  return { cert, unusable, put, look, said, found: () => found }
})

describe("a key and a certificate that cannot be used", () => {
  it.live("at one look only are nothing to speak of: they are being written", () =>
    Effect.gen(function* () {
      const { found, look, put, said } = yield* watched
      put("server", "other")
      yield* look
      put("other")
      yield* look
      put("other", "server")
      yield* look
      put("server")
      yield* look
      yield* look
      assert.strictEqual(found(), 3)
      assert.deepStrictEqual(said, [])
    })
  )

  it.live("nor at the next look are told, once, and again when they have changed", () =>
    Effect.gen(function* () {
      const { found, look, put, said, unusable } = yield* watched
      put("server", "other")
      for (let i = 0; i < 5; i++) yield* look
      assert.deepStrictEqual(said, [unusable])
      put("other", "server")
      for (let i = 0; i < 5; i++) yield* look
      assert.deepStrictEqual(said, [unusable, unusable])
      // Good ones between two looks at the same bad ones make them new.
      put("server")
      yield* look
      put("other", "server")
      yield* look
      assert.lengthOf(said, 2)
      yield* look
      assert.lengthOf(said, 3)
      assert.strictEqual(found(), 1)
    })
  )

  it.live("because they are not there are told at each look", () =>
    Effect.gen(function* () {
      const { cert, look, said } = yield* watched
      rmSync(cert)
      yield* look
      yield* look
      assert.deepStrictEqual(said, Array(2).fill(`Warn TLS: ENOENT: no such file or directory, open '${cert}'`))
    })
  )
})
