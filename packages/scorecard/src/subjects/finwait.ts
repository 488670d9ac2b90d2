/**
 * The job server on Finwait: the same requests as on the other subjects, a handler per connection over its lines.
 */
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Address from "finwait/Address"
import type { Connection } from "finwait/Connection"
import * as Framing from "finwait/Framing"
import * as Server from "finwait/Server"
import { options, runMain } from "../jobs/finwait.ts"
import * as Protocol from "../Protocol.ts"

/** Ends the handler where an answer is the connection's last. */
const more = true
const last = false

const open = new Set<Connection>()

const answer = Effect.fnUntraced(function* (connection: Connection, { amount, verb }: Protocol.Request) {
  switch (verb) {
    case "WORK":
      yield* Effect.sleep(amount)
      yield* connection.write(`DONE ${amount}\n`)
      return more
    case "GET":
      yield* connection.write(`SIZE ${amount}\n`)
      yield* connection.write(Protocol.body(amount))
      return more
    case "REJECT":
      yield* connection.write(`SIZE ${amount}\n`)
      yield* connection.write(Protocol.body(amount))
      return last
    case "DROP":
      yield* Effect.forkDetach(connection.write(Protocol.body(amount)), { startImmediately: true })
      return last
    case "FINALIZER":
      yield* Effect.addFinalizer(() => Effect.sleep(amount))
      yield* connection.write("OK\n")
      return more
    case "BLOCK":
      yield* Effect.sync(() => Protocol.blockLoop(amount))
      yield* connection.write("OK\n")
      return more
    case "STAT":
      yield* connection.write(`OPEN ${open.size}\n`)
      return more
  }
})

const handler = Effect.fnUntraced(
  function* (connection: Connection) {
    open.add(connection)
    yield* Effect.forkDetach(
      Effect.andThen(
        connection.outcome,
        Effect.sync(() => open.delete(connection))
      )
    )
    const lines = Framing.lines(connection)
    while (true) {
      const request = Protocol.parse(yield* lines.pull)
      if (request === undefined || (yield* answer(connection, request)) === last) return
    }
  },
  Effect.scoped,
  Effect.catchTag("Done", () => Effect.void)
)

const server = Server.layer({
  listen: `tcp://127.0.0.1:${process.env["PORT"] ?? 0}`,
  handler,
  ...options,
  onListening: (address) => Console.log(JSON.stringify({ listening: Address.format(address) }))
})

runMain(Layer.launch(server.pipe(Layer.provide(NodeNetwork.layer))))
