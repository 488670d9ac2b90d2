/**
 * Asks for documents of the cluster, each again and again, as a whole and page by page, and says which runner has
 * rendered it. It runs no entities itself. On SIGTERM it waits for the answers that are on their way.
 *
 *     STORAGE=/tmp/cluster.sqlite DOCUMENTS=10 node client.ts
 */
import * as NodeProcess from "@finwait/node/NodeProcess"
import { Config, Console, Effect, Layer, Logger, Stream } from "effect"
import { RunnerServer, ShardingConfig } from "effect/cluster"
import * as Cluster from "./cluster.ts"
import { Document } from "./documents.ts"

const options = Config.all({
  documents: Config.Int("DOCUMENTS").pipe(Config.withDefault(10)),
  /** How long a rendering takes, and a page. */
  millis: Config.Int("MILLIS").pipe(Config.withDefault(500))
})

const work = Effect.gen(function* () {
  const { documents, millis } = yield* options
  const documentBy = yield* Document.client
  const ask = Effect.fnUntraced(function* (document: string) {
    const { by, edition } = yield* documentBy(document).Render({ millis })
    yield* Console.log(JSON.stringify({ document, edition, by }))
    const pages = yield* Stream.runCollect(documentBy(document).Pages({ pages: 5, millis }))
    yield* Console.log(JSON.stringify({ document, pages: pages.map(({ page }) => page), by: pages[0]?.by }))
  }, Effect.uninterruptible)
  yield* Effect.forEach(
    Array.from({ length: documents }, (_, n) => `document-${n + 1}`),
    (document) => Effect.forever(ask(document)),
    { concurrency: "unbounded", discard: true }
  )
})

const main = work.pipe(
  Effect.provide(
    RunnerServer.layerClientOnly.pipe(Layer.provide(Cluster.layer), Layer.provide(ShardingConfig.layerFromEnv()))
  ),
  Effect.provideService(Logger.LogToStderr, true)
)

NodeProcess.runMain(main)
