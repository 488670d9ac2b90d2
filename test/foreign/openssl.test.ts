/**
 * TLS with somebody who has another opinion of it than node:tls: OpenSSL's own `s_client` and `s_server`. Without `openssl`
 * this is skipped, and says so.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NodeTls from "@finwait/node/NodeTls"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Framing from "finwait/Framing"
import * as Network from "finwait/Network"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { ca, folder } from "../../packages/node/test/support/certificates.ts"
import { Program } from "../tools/Program.ts"
import { OpenSsl } from "./opensslPeer.ts"

const hasOpenSsl = spawnSync("openssl", ["version"]).status === 0
const note = hasOpenSsl ? "" : " (skipped here, there is no openssl)"

const started = (args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => new OpenSsl(args)),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

for (const [version, flag] of [
  ["TLSv1.2", "-tls1_2"],
  ["TLSv1.3", "-tls1_3"]
] as const) {
  const serve = Effect.gen(function* () {
    const program = yield* Effect.acquireRelease(
      Effect.sync(() => new Program(new URL("opensslServer.ts", import.meta.url), { env: { VERSION: version } })),
      (program) => Effect.sync(() => program.kill())
    )
    const { host } = new URL(yield* Effect.promise(() => program.listening()))
    return { program, host }
  })

  const connect = Effect.fnUntraced(function* (host: string, ...more: ReadonlyArray<string>) {
    const trust = ["-CAfile", join(folder, "ca.crt"), "-verify_return_error", "-verify_hostname", "localhost"]
    const client = yield* started(["s_client", "-connect", host, flag, ...trust, "-nocommands", ...more])
    yield* Effect.promise(() => client.says("Verify return code: 0 (ok)"))
    client.types("hello\n")
    yield* Effect.promise(() => client.says("HELLO"))
    return client
  })

  describe.skipIf(!hasOpenSsl)(`openssl ${flag}${note}`, () => {
    it.live("s_client has its lines answered, ends them, and is heard to the end", () =>
      Effect.gen(function* () {
        const { host, program } = yield* serve
        const client = yield* connect(host)
        client.types("once more\n")
        yield* Effect.promise(() => client.says("ONCE MORE"))
        // The end of its input is close_notify and FIN, and it goes on reading for a while.
        client.child.stdin!.end()
        assert.strictEqual(yield* Effect.promise(() => client.ended()), 0)
        yield* Effect.promise(() => program.says(`"heard"`))
        assert.strictEqual(program.said.at(-1)!["heard"], "an end")
      }).pipe(Effect.scoped)
    )

    it.live("s_client that is killed has not said that it ends", () =>
      Effect.gen(function* () {
        const { host, program } = yield* serve
        const client = yield* connect(host)
        client.types("half a li")
        client.child.kill("SIGKILL")
        yield* Effect.promise(() => program.says(`"heard"`))
        assert.match(
          program.said.at(-1)!["heard"],
          /^read PEER: the stream was truncated after \d bytes of a message: the peer did not say that it ends$/
        )
      }).pipe(Effect.scoped)
    )

    it.live("a drain says close_notify to s_client, which is content with it", () =>
      Effect.gen(function* () {
        const { host, program } = yield* serve
        const clients = [yield* connect(host, "-ign_eof"), yield* connect(host, "-ign_eof")]
        program.signal("SIGTERM")
        for (const client of clients) {
          assert.strictEqual(yield* Effect.promise(() => client.ended()), 0, client.said)
          assert.match(client.said, /^closed$/m)
          assert.notMatch(client.said, /error/i)
        }
        assert.deepStrictEqual(yield* Effect.promise(() => program.ended()), { code: 0, signal: null }, program.stderr)
        const report = program.said.at(-1)!["drained"]
        assert.isTrue(report.clean)
        assert.strictEqual(report.outcomes.Graceful, 2)
      }).pipe(Effect.scoped)
    )

    it.live("s_server answers our client, and is heard to the end, or not", () =>
      Effect.gen(function* () {
        const files = ["-cert", join(folder, "server.crt"), "-key", join(folder, "server.key")]
        for (const how of ["close", "kill", "ours"] as const) {
          const server = yield* started(["s_server", "-accept", "127.0.0.1:0", flag, ...files, "-rev"])
          yield* Effect.promise(() => server.says(/ACCEPT .*:\d+\n/))
          const port = /ACCEPT .*:(\d+)\n/.exec(server.said)![1]
          const client = yield* Network.connect(`tcp://127.0.0.1:${port}`)
          const lines = Framing.lines(client)
          yield* client.write("abc\n")
          assert.strictEqual(yield* lines.pull, "cba")
          if (how === "ours") {
            assert.strictEqual((yield* client.close)._tag, "Graceful")
            continue
          }
          if (how === "close") yield* client.write("CLOSE\n")
          else server.child.kill("SIGKILL")
          const end = yield* Effect.flip(lines.pull)
          if (how === "close") assert.strictEqual(end._tag, "Done")
          else assert.match((end as Error).message, /truncated after 0 bytes .* did not say that it ends/)
        }
      }).pipe(
        Effect.scoped,
        Effect.provide(Layer.merge(NodeTls.layer({ client: { ca, servername: "localhost" } }), Logger.layer([])))
      )
    )
  })
}
