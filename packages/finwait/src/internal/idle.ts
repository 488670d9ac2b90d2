/**
 * Ends connections on which nothing happens. One fiber per server looks at all of them, twenty times in the allowed
 * time; nothing is armed or cleared per message. Idle is a connection whose handler waits for the peer, to send or to
 * take, while no byte has moved in either direction since it was first seen so.
 *
 * Who waits to read is told that the input has ended, in the middle of a message too: a peer that sends half of one and
 * no more must not keep its place. Who waits for a peer that takes nothing has nobody to say goodbye to: that connection
 * is reset.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { ConnectionImpl } from "./connection.ts"

/** Finer looks cost more than they tell; a connection ends at most a twentieth late. */
const looks = 20

interface Seen {
  bytes: number
  since: number
}

/** What is looked at, and until when. */
interface Swept {
  readonly served: Iterable<{ readonly connection: ConnectionImpl }>
  readonly drain: { readonly announced: boolean }
}

export const sweepIdle = (server: Swept, idleTimeout: Duration.Duration): Effect.Effect<void> => {
  const seen = new WeakMap<ConnectionImpl, Seen>()
  const limit = Duration.toMillis(idleTimeout)
  const look = Effect.sync(() => {
    for (const { connection } of server.served) {
      const { input, output } = connection
      const bytes = input.bytesRead + output.bytesTaken - output.bytesUnsent
      const now = connection.now()
      const last = seen.get(connection)
      if (last === undefined || last.bytes !== bytes || !(input.waiting || output.waiting)) {
        seen.set(connection, { bytes, since: now })
      } else if (now - last.since >= limit) {
        if (output.waiting) connection.cut("idle")
        else input.expire()
      }
    }
  })
  return Effect.sleep(Duration.millis(Math.max(1, limit / looks))).pipe(
    Effect.andThen(look),
    Effect.repeat({ while: () => !server.drain.announced })
  )
}
