/** The entities of the cluster: documents, which take their time to be rendered. Runners have them, clients ask for them. */
import { Effect, Schema, Stream } from "effect"
import { Entity } from "effect/cluster"
import { Rpc } from "effect/rpc"

/** What is asked is stored nowhere: it is sent to the runner that has the document, and lives there until it is answered. */
export const Document = Entity.make("Document", [
  /** A new edition. */
  Rpc.make("Render", {
    payload: { millis: Schema.Number },
    success: Schema.Struct({ edition: Schema.Int, by: Schema.Int })
  }),
  /** The last edition, page by page. */
  Rpc.make("Pages", {
    payload: { pages: Schema.Int, millis: Schema.Number },
    success: Schema.Struct({ page: Schema.Int, by: Schema.Int }),
    stream: true
  })
])

export const DocumentLive = Document.toLayer(
  Effect.gen(function* () {
    const { entityId } = yield* Entity.CurrentAddress
    const by = process.pid
    let edition = 0
    return Document.of({
      Render: Effect.fnUntraced(function* ({ payload: { millis } }) {
        yield* Effect.logInfo(`render ${entityId}`)
        yield* Effect.sleep(millis)
        return { edition: ++edition, by }
      }),
      Pages: ({ payload: { millis, pages } }) =>
        Stream.range(1, pages).pipe(
          Stream.tap((page) => Effect.logInfo(`page ${page} of edition ${edition} of ${entityId}`)),
          Stream.mapEffect((page) => Effect.as(Effect.sleep(millis), { page, by }))
        )
    })
  })
)
