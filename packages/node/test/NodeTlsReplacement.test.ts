import { assert, describe, it } from "@effect/vitest"
import * as NodeTls from "@finwait/node/NodeTls"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Network from "finwait/Network"
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { ca, identity } from "./support/certificates.ts"
import { folder, serve, until } from "./support/network.ts"
import { tlsClient } from "./support/tls.ts"

/** A logger that keeps what it is told: `Warn TLS: …`. */
const kept = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => lines.push(`${logLevel} ${[message].flat().join(" ")}`))
  return { lines, layer: Logger.layer([logger]) }
}

/** Whose certificate a client is shown now, having heard its own word back. */
const shown = Effect.fnUntraced(function* (url: string) {
  const peer = yield* tlsClient(url)
  if (peer.ending !== undefined) return yield* Effect.die(new Error(`the handshake failed: ${peer.ending}`))
  yield* peer.send("hello")
  yield* peer.hears("hello")
  return peer.socket.getPeerCertificate().subject.CN as string
}, Effect.scoped)

describe("certificates that are replaced", () => {
  it.live("20 times, under load: no handshake fails, and both are seen", () =>
    Effect.gen(function* () {
      const { layer, lines } = kept()
      const queue = yield* Queue.unbounded<NodeTls.Identity>()
      yield* Queue.offer(queue, identity("server"))
      const tls = NodeTls.layer({ server: { identity: Stream.fromQueue(queue) } })
      const seen: Array<string> = []
      yield* Effect.gen(function* () {
        const { drain, url } = yield* serve("tcp://127.0.0.1:0")
        // A connection that was there before any of it stays as it is.
        const old = yield* tlsClient(url)
        const state = { isOver: false }
        const loop = Effect.gen(function* () {
          while (!state.isOver) seen.push(yield* shown(url))
        })
        const clients = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 4 }, () => loop),
            { concurrency: "unbounded" }
          )
        )
        for (let i = 0; i < 20; i++) {
          const name = i % 2 === 0 ? "other" : "server"
          const before = seen.length
          // What cannot be used comes between, and changes nothing.
          const others = [identity("other").cert, "nonsense", ""]
          yield* Queue.offer(queue, { ...identity("server"), cert: others[i % 3]! })
          yield* Queue.offer(queue, identity(name))
          yield* until(() => clients.pollUnsafe() !== undefined || seen.indexOf(name, before) >= 0, `${name} is seen`)
          const replaced = seen.indexOf(name, before)
          // Handshakes that began before may end behind the first of the new ones, but no more than there are clients.
          const behind = seen.slice(replaced).filter((one) => one !== name).length
          assert.isBelow(behind, 4)
        }
        state.isOver = true
        yield* Fiber.join(clients)
        yield* old.send("still here")
        yield* old.hears("still here")
        old.socket.end()
        assert.isTrue((yield* drain.begin).clean)
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(tls, layer)))
      assert.deepStrictEqual(new Set(seen), new Set(["server", "other"]))
      const replaced = lines.filter((line) => line === "Info TLS: the certificate was replaced")
      const refused = lines.filter((line) => line.startsWith("Warn TLS: the new certificate cannot be used: "))
      assert.strictEqual(replaced.length, 20)
      assert.strictEqual(refused.length, 20, lines.join("\n"))
    })
  )

  it.live("when no more of them will come, the last that could be used stays", () =>
    Effect.gen(function* () {
      const { layer } = kept()
      const all = Stream.make(identity("server"), identity("other"), { ...identity("server"), cert: "nonsense" })
      for (const identities of [all, Stream.concat(all, Stream.fail("no more"))]) {
        yield* Effect.gen(function* () {
          const { url } = yield* serve("tcp://127.0.0.1:0")
          while ((yield* shown(url)) !== "other");
          for (let i = 0; i < 5; i++) assert.strictEqual(yield* shown(url), "other")
        }).pipe(Effect.scoped, Effect.provide(Layer.merge(NodeTls.layer({ server: { identity: identities } }), layer)))
      }
    })
  )
})

const pemOf = (name: "server" | "other") => {
  const { cert, key } = identity(name)
  return { cert: cert as string, key: Redacted.value(key) as string }
}

/** The clock, and how often somebody has waited on it. */
const counted = Effect.map(Clock.Clock, (clock) => {
  const counter = { sleeps: 0 }
  const counting: Clock.Clock = Object.assign(Object.create(clock), {
    sleep: (duration: never) => {
      counter.sleeps++
      return clock.sleep(duration)
    }
  })
  return { clock: counting, counter }
})

/** Looks at two files every few milliseconds; `looked` is when it has looked at them at least once from then on. */
const watching = Effect.fnUntraced(function* (files: { readonly key: string; readonly cert: string }) {
  const { clock, counter } = yield* counted
  const found: Array<string> = []
  const certificates = { [pemOf("server").cert]: "server", [pemOf("other").cert]: "other" }
  yield* NodeTls.fromFiles({ ...files, interval: "5 millis" }).pipe(
    Stream.runForEach(({ cert }) => Effect.sync(() => found.push(certificates[cert as string] ?? "something else"))),
    Effect.provideService(Clock.Clock, clock),
    Effect.forkScoped
  )
  // Before each look it waits: behind the second wait from now lies a whole one.
  const looked = Effect.suspend(() => {
    const goal = counter.sleeps + 2
    return until(() => counter.sleeps >= goal, "it looks")
  })
  yield* looked
  return { found, looked }
})

/** Beside it, and then in its place, as whoever writes files carefully does. */
const put = (path: string, text: string) => {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

describe("the identity in two files", () => {
  it.live("is seen when both have changed, and not in between", () =>
    Effect.gen(function* () {
      const { layer, lines } = kept()
      yield* Effect.gen(function* () {
        const where = yield* folder
        const files = { key: join(where, "tls.key"), cert: join(where, "tls.crt") }
        const write = (name: "server" | "other", what: "key" | "cert") => put(files[what], pemOf(name)[what])
        write("server", "key")
        write("server", "cert")
        const { found, looked } = yield* watching(files)
        assert.deepStrictEqual(found, ["server"])
        write("other", "cert")
        yield* looked
        assert.deepStrictEqual(found, ["server"])
        write("other", "key")
        yield* looked
        assert.deepStrictEqual(found, ["server", "other"])
        // Who writes them in place empties them first.
        for (const text of ["", pemOf("server").cert.slice(0, 200)]) {
          writeFileSync(files.cert, text)
          yield* looked
        }
        writeFileSync(files.key, "")
        yield* looked
        assert.deepStrictEqual(found, ["server", "other"])
        // The same again is no change.
        write("other", "key")
        write("other", "cert")
        yield* looked
        // The key first.
        write("server", "key")
        yield* looked
        assert.deepStrictEqual(found, ["server", "other"])
        write("server", "cert")
        yield* looked
        assert.deepStrictEqual(found, ["server", "other", "server"])
        // What cannot be used at the second look either is told, and what cannot be read.
        const unusable = `Warn TLS: ${files.key} and ${files.cert} cannot be used: `
        assert.deepStrictEqual(
          lines.filter((line) => !line.startsWith(unusable)),
          []
        )
        rmSync(files.cert)
        yield* looked
        assert.match(lines.at(-1)!, /^Warn TLS: ENOENT/)
        write("other", "key")
        write("other", "cert")
        yield* looked
        assert.deepStrictEqual(found, ["server", "other", "server", "other"])
      }).pipe(Effect.scoped, Effect.provide(layer))
    })
  )

  it.live("of a server in a cluster, which are changed by a symlink above them, is served when it has", () =>
    Effect.gen(function* () {
      const where = yield* folder
      const version = (name: "server" | "other", at: string) => {
        mkdirSync(join(where, at))
        writeFileSync(join(where, at, "tls.key"), pemOf(name).key)
        writeFileSync(join(where, at, "tls.crt"), pemOf(name).cert)
        symlinkSync(at, join(where, "..data_tmp"))
        renameSync(join(where, "..data_tmp"), join(where, "..data"))
      }
      version("server", "..1")
      const files = { key: join(where, "tls.key"), cert: join(where, "tls.crt") }
      symlinkSync("..data/tls.key", files.key)
      symlinkSync("..data/tls.crt", files.cert)
      const tls = NodeTls.layer({ server: { identity: NodeTls.fromFiles({ ...files, interval: "5 millis" }) } })
      yield* Effect.gen(function* () {
        const { url } = yield* serve("tcp://127.0.0.1:0")
        assert.strictEqual(yield* shown(url), "server")
        version("other", "..2")
        rmSync(join(where, "..1"), { recursive: true })
        yield* Effect.gen(function* () {
          while ((yield* shown(url)) !== "other");
        }).pipe(Effect.timeout("10 seconds"))
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(tls, Logger.layer([]))))
    }).pipe(Effect.scoped)
  )

  it.live("that are not there, or not one, cannot be listened with", () =>
    Effect.gen(function* () {
      const where = yield* folder
      const files = { key: join(where, "tls.key"), cert: join(where, "tls.crt") }
      const network = Network.make(NodeTls.provider({ server: { identity: NodeTls.fromFiles(files) }, client: { ca } }))
      const listening = Effect.flip(network.listen("tcp://127.0.0.1:0"))
      assert.match((yield* listening).message, /^listen tcp 127\.0\.0\.1:0: ENOENT: .*tls\.(key|crt)/)
      put(files.cert, pemOf("server").cert)
      put(files.key, pemOf("other").key)
      assert.match((yield* listening).message, /the certificate is not of this key/)
      put(files.key, pemOf("server").key)
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(network.listen("tcp://127.0.0.1:0"))))
    }).pipe(Effect.scoped)
  )
})
