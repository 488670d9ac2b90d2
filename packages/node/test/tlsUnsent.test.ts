import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Network from "finwait/Network"
import * as Transport from "finwait/Transport"
import { folder, turn, until } from "./support/network.ts"
import { givenAway, onTls, options } from "./support/tls.ts"

// A Unix socket holds little, so that what was written is on its way for as long as nobody reads.
for (const truncation of ["framed", "end"] as const) {
  describe(`what has not been sent, truncation "${truncation}"`, () => {
    for (const bytes of [250_000, 700_000]) {
      it.live(`is counted once, as the bytes that were given: ${bytes}`, () =>
        onTls(
          Effect.gen(function* () {
            const { handler, next } = givenAway()
            const listener = yield* Network.listen(`unix://${yield* folder}/a.sock`)
            listener.attach({
              onConnection: (connection) => void Effect.runFork(handler(connection)),
              onRefused: () => {},
              onError: () => {}
            })
            const client = yield* Network.connect(listener.address)
            const { connection } = yield* next
            yield* Effect.forkChild(Effect.exit(connection.write(new Uint8Array(bytes))), { startImmediately: true })
            const pipe = Transport.of(connection)
            yield* until(() => pipe.unsentBytes > 0, "something waits")
            yield* Effect.repeat(turn, { times: 20 })
            assert.isAtMost(pipe.unsentBytes, bytes)
            const outcome = yield* connection.abort
            assert.isAtLeast(outcome.bytesWritten, 0)
            assert.strictEqual(outcome.bytesWritten + outcome.bytesUnsent, bytes)
            yield* client.abort
          }),
          { ...options(undefined, { truncation }), client: { ...options().client, servername: "localhost" } }
        )
      )
    }
  })
}
