/** What the server can be asked for; the client imports it as well. */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"

export class NoSuchImage extends Schema.TaggedError<NoSuchImage>()("NoSuchImage", { image: Schema.String }) {}

export class Images extends RpcGroup.make(
  /** Takes as long as it is told to, as a large image would. */
  Rpc.make("Resize", {
    payload: { image: Schema.String, millis: Schema.Number },
    success: Schema.Struct({ image: Schema.String, by: Schema.Number }),
    error: NoSuchImage
  }),
  /** One number after the other, as long apart as it is told to. */
  Rpc.make("Progress", {
    payload: { steps: Schema.Int, millis: Schema.Number },
    success: Schema.Int,
    stream: true
  })
) {}
