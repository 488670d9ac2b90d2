/**
 * Forwards each connection to another address, both ways: bytes with back-pressure, ends as ends (a client may say FIN
 * and still get its answer), resets as resets.
 *
 * What draining means here: bytes have no messages, so there is no boundary to stop at. A conversation under way goes
 * on until both sides have said their FIN, as ever, or until it pauses: once the server drains, a conversation in which
 * nothing has moved for a second is taken to be between two exchanges, and is closed gracefully on both sides. One that
 * never pauses is reset at the drain's deadline, because a FIN in the middle would look like an end.
 *
 *     UPSTREAM=tcp://127.0.0.1:5432 PORT=7000 node main.ts            # or SOCKET=/tmp/proxy.sock
 */
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as NodeProcess from "@finwait/node/NodeProcess"
import { Config, Console, Duration, Effect, Layer, Logger, Pull } from "effect"
import * as Address from "finwait/Address"
import type { Connection } from "finwait/Connection"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"

const listen = Config.String("SOCKET").pipe(
  Config.map((path) => `unix://${path}`),
  Config.orElse(() =>
    Config.Int("PORT").pipe(
      Config.withDefault(7000),
      Config.map((port) => `tcp://127.0.0.1:${port}`)
    )
  )
)

const pause = Duration.seconds(1)

const both = <A, E>(one: Effect.Effect<A, E>, other: Effect.Effect<A, E>) =>
  Effect.all([one, other], { concurrency: "unbounded", discard: true })

const forward = (upstream: string) =>
  Effect.fnUntraced(function* (client: Connection) {
    // Who cannot be served is told by a reset, as if nobody had listened.
    const server = yield* Network.connect(upstream).pipe(Effect.tapError(() => client.abort))
    const traffic = { moving: 0, moved: 0 }

    // `pullRest`, not `pull`: a drain does not end it, so that no chunk is the last one only because it is whole.
    const copy = (from: Connection, to: Connection) =>
      Effect.forever(
        Effect.gen(function* () {
          const chunk = yield* from.pullRest
          traffic.moving++
          yield* to.write(chunk)
          traffic.moving--
          traffic.moved++
        })
      ).pipe(Pull.catchDone(() => to.closeWrite))

    const paused = Effect.gen(function* () {
      yield* client.draining
      let before: number
      do {
        before = traffic.moved
        yield* Effect.sleep(pause)
        // A write that still waits is a slow reader, not a pause.
      } while (traffic.moving > 0 || traffic.moved > before)
    })

    yield* both(copy(client, server), copy(server, client)).pipe(
      Effect.raceFirst(paused),
      Effect.onError(() => both(client.abort, server.abort))
    )
    yield* both(client.close, server.close)
  }, Effect.scoped)

const proxy = (listen: string, upstream: string) =>
  Server.layer({
    listen,
    handler: forward(upstream),
    onListening: (address) => Console.log(JSON.stringify({ listening: Address.format(address) })),
    onDrained: (report) => Console.log(JSON.stringify({ drained: report }))
  })

const main = Config.all([listen, Config.String("UPSTREAM")]).pipe(
  Effect.flatMap(([listen, upstream]) => Layer.launch(proxy(listen, upstream))),
  Effect.provide(NodeNetwork.layer),
  Effect.provideService(Logger.LogToStderr, true)
)

NodeProcess.runMain(main)
