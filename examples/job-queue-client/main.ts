/**
 * A worker of a job queue. It asks for a job (`TAKE`), is given one when there is one (`JOB 7 250`: number 7, which takes
 * 250 ms), and says when it is done (`DONE 7`). On SIGTERM it finishes the job in hand, says `QUIT` and closes; a job that
 * was on its way to it then is still the server's, because nobody said `DONE`.
 *
 *     SERVER=tcp://127.0.0.1:7000 node main.ts
 */
import * as NodeNetwork from "@finwait/node/NodeNetwork"
import * as NodeProcess from "@finwait/node/NodeProcess"
import { Config, Console, Effect, Logger, Pull, Schedule } from "effect"
import * as Address from "finwait/Address"
import * as Connection from "finwait/Connection"
import * as Framing from "finwait/Framing"
import * as Network from "finwait/Network"

/** 100 ms, 200 ms, 400 ms … but never more than five seconds. */
const backoff = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")])

const connect = Effect.fnUntraced(function* (server: string) {
  const connection = yield* Network.connect(server, { close: { farewell: Connection.sendLine("QUIT") } }).pipe(
    Effect.tapError((error) => Effect.logWarning(error.message)),
    Effect.retry(backoff)
  )
  yield* Console.log(JSON.stringify({ connected: Address.format(connection.remoteAddress) }))
  // The scope closes the connection in any case; asking for the same close here tells how it went.
  yield* Effect.addFinalizer(() =>
    Effect.flatMap(connection.close, (outcome) => Console.log(JSON.stringify({ closed: outcome })))
  )
  return connection
})

const work = Effect.fnUntraced(function* (server: string) {
  const connection = yield* connect(server)
  const lines = Framing.lines(connection)

  // Only the wait for a job may be interrupted: one that was taken is finished.
  const next = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const line = yield* restore(Effect.andThen(connection.write("TAKE\n"), lines.pull))
      const [, job, millis] = /^JOB (\d+) (\d+)$/.exec(line) ?? []
      if (job === undefined) return yield* Effect.logWarning(`not a job: ${line}`)
      yield* Effect.logInfo(`job ${job}`)
      yield* Effect.sleep(Number(millis))
      yield* connection.write(`DONE ${job}\n`)
    })
  )
  return yield* Effect.forever(next)
}, Effect.scoped)

const main = Config.String("SERVER").pipe(
  Config.withDefault("tcp://127.0.0.1:7000"),
  Effect.flatMap((server) =>
    work(server).pipe(
      Pull.catchDone(() => Effect.logInfo("the server said goodbye")),
      Effect.catchTag("ConnectionError", (error) => Effect.logWarning(error.message)),
      // A server that goes comes back somewhere else, or later.
      Effect.repeat(Schedule.spaced("1 second"))
    )
  ),
  Effect.provide(NodeNetwork.layer),
  Effect.provideService(Logger.LogToStderr, true)
)

NodeProcess.runMain(main)
