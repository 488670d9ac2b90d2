/** What runners and clients of the cluster have in common: how they call runners, and where they look them up. */
import * as NodeSocket from "@finwait/node/NodeSocket"
import { Config, Effect, Layer } from "effect"
import { MessageStorage, Runners } from "effect/cluster"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket"
import * as RunnerStorage from "./runnerStorage.ts"

/** Effect's RPC to a runner, on a socket of Finwait's: `NodeClusterSocket.layerClientProtocol` is the same on Effect's. */
const protocol = Layer.effect(
  Runners.RpcClientProtocol,
  Effect.gen(function* () {
    const serialization = yield* RpcSerialization.RpcSerialization
    return {
      codecFor: serialization.codecFor,
      make: ({ host, port }) =>
        Effect.flatMap(NodeSocket.makeNet({ host, port, openTimeout: "1 second" }), (socket) =>
          RpcClient.makeProtocolSocket().pipe(
            Effect.provideService(Socket.Socket, socket),
            Effect.provideService(RpcSerialization.RpcSerialization, serialization)
          )
        )
    }
  })
)

const runnerStorage = Config.String("STORAGE").pipe(
  Config.withDefault("cluster.sqlite"),
  Effect.map(RunnerStorage.layer),
  Layer.unwrap
)

/** Messages are not stored (`MessageStorage.layerNoop`): one is answered by the runner that has begun it, or made again. */
export const layer = Layer.mergeAll(protocol, runnerStorage, MessageStorage.layerNoop).pipe(
  Layer.provideMerge(RpcSerialization.layerNdjson)
)
