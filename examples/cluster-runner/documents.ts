/** The entities of the cluster: documents, which take their time to be rendered. Runners have them, clients ask for them. */
import { Effect, Schema } from "effect"
import { Entity } from "effect/cluster"
import { Rpc } from "effect/rpc"

/** A render is stored nowhere: it is sent to the runner that has the document, and lives there until it is answered. */
export const Document = Entity.make("Document", [
  Rpc.make("Render", {
    payload: { millis: Schema.Number },
    success: Schema.Struct({ times: Schema.Int, by: Schema.Int })
  })
])

export const DocumentLive = Document.toLayer(
  Effect.gen(function* () {
    const { entityId } = yield* Entity.CurrentAddress
    let times = 0
    return Document.of({
      Render: Effect.fnUntraced(function* ({ payload: { millis } }) {
        yield* Effect.logInfo(`render ${entityId}`)
        yield* Effect.sleep(millis)
        return { times: ++times, by: process.pid }
      })
    })
  })
)
