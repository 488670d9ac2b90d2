/** The protocol of `Roles.ts`, as a user of Finwait would write it. */
import * as Effect from "effect/Effect"
import type { Connection } from "finwait/Connection"
import type { ConnectionError } from "finwait/ConnectionError"
import * as Framing from "finwait/Framing"
import type * as Server from "finwait/Server"
import { hardDeadline, type Limits } from "./Limits.ts"
import { body, parse } from "./Roles.ts"

const converse = Effect.fnUntraced(
  function* (connection: Connection) {
    const lines = Framing.lines(connection)
    while (true) {
      const request = parse(yield* lines.pull)
      if (request === undefined) return
      switch (request.verb) {
        case "HELLO":
          yield* connection.write("OK\n")
          break
        case "GET":
          yield* connection.write(body(request.bytes, request.from))
          break
        case "AFTER":
          yield* connection.draining
          yield* Effect.sleep(request.millis)
          yield* connection.write(body(request.bytes, request.from))
          break
        case "LAST":
          yield* connection.draining
          return yield* connection.write(body(request.bytes, request.from))
      }
    }
  },
  Effect.catchTag("Done", () => Effect.void)
)

/** A server's options; `full` is called when so many connections are being served. */
export const options = (
  limits: Limits,
  connections: number,
  full: () => void
): Server.Options<ConnectionError | Framing.FrameError> => {
  let served = 0
  return {
    listen: "tcp://0.0.0.0:0",
    handler: (connection) => {
      if (++served === connections) full()
      return converse(connection)
    },
    close: { lingerIdleTimeout: limits.lingerIdle, lingerTimeout: 2 * limits.lingerIdle, deadline: "2 minutes" },
    drain: { grace: hardDeadline(limits) + 2_000, deadline: limits.drain, close: limits.close, margin: 2_000 }
  }
}
