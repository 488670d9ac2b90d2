import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Connection from "finwait/Connection"
import * as Framing from "finwait/Framing"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import * as SimNetwork from "finwait/testing/SimNetwork"

describe("the README's promise", () => {
  it.effect("a client in the middle of a line gets its answer", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Server.make({
        listen: "tcp://127.0.0.1:7000",
        handler: (connection) => Framing.lines(connection).pipe(Framing.respond((line) => Effect.succeed(line.toUpperCase()))),
        close: { farewell: Connection.sendLine("BYE") }
      }).pipe(Scope.provide(scope))
      const client = yield* Network.connect("tcp://127.0.0.1:7000")
      yield* client.write("hel")
      const stopping = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* Effect.yieldNow
      yield* client.write("lo\n")
      assert.strictEqual(yield* Connection.readText(client), "HELLO\nBYE\n")
      assert.strictEqual((yield* client.close)._tag, "Graceful")
    }).pipe(Effect.provide(SimNetwork.layer())))
})
