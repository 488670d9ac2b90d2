/**
 * A runner of Effect's cluster. On SIGTERM it finishes the messages that it has begun, answers them, and hands its shards
 * over to the other runners; nobody's message is lost, and none is begun twice.
 *
 *     STORAGE=/tmp/cluster.sqlite node main.ts       # one runner, on a port of its own
 *     STORAGE=/tmp/cluster.sqlite node main.ts       # another one
 *     STORAGE=/tmp/cluster.sqlite node client.ts     # asks for documents, and says which of them has answered
 *
 * **What happens at a signal.** `NodeProcess` tells the socket server at once: it accepts nobody more, and tells its
 * connections. Then the scopes close, from the last layer to the first:
 *
 * 1. The entities. The runner takes itself off the list first (`preemptiveShutdown`), so that nobody sends it anything
 *    more; then each entity finishes the messages in hand, for `entityTerminationTimeout` (15 seconds) at most, and answers
 *    them. That has to fit into what the drain gives to handlers, 22 seconds of the default 30. Shards with nothing in hand
 *    are handed over meanwhile.
 * 2. The RPC server, which interrupts what it still has: nothing, for its protocol has drained.
 * 3. Sharding, which hands over the last shards: their locks are released, and the other runners take them.
 * 4. The connections to other runners, the storage, the listening socket.
 *
 * **What stands in the way of `SocketRunner.layer`.** It is the same `RunnerServer.layerWithClients`, with Effect's
 * `RpcServer.layerProtocolSocketServer` wired into it. To that protocol the end of a socket's input is the end of its
 * client, whose calls it interrupts; and the end of the input is how a drain tells a handler that nothing new will come.
 * So a message in hand would be interrupted with the first signal, and the one who has sent it would send it again, to
 * another runner: it would be begun twice. `RpcDrain.layerProtocolSocketServer` knows the calls, and so the layers are put
 * together here.
 */
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as NodeSocketServer from "@finwait/node/NodeSocketServer"
import { Config, Console, Effect, Layer, Logger, Option } from "effect"
import { RunnerAddress, RunnerHealth, Runners, RunnerServer, ShardingConfig } from "effect/cluster"
import { SocketServer } from "effect/socket"
import * as RpcDrain from "finwait/RpcDrain"
import * as Cluster from "./cluster.ts"
import { DocumentLive } from "./documents.ts"

const host = "127.0.0.1"

const sockets = Config.Int("PORT").pipe(
  Config.withDefault(0),
  Effect.map((port) =>
    NodeSocketServer.layer({
      host,
      port,
      onDrained: (report) => Console.log(JSON.stringify({ drained: report }))
    })
  ),
  Layer.unwrap
)

/** The other runners find this one where it listens. The rest is Effect's, from the environment: SHARDS_PER_GROUP and so on. */
const sharding = Layer.unwrap(
  Effect.gen(function* () {
    const { address } = yield* SocketServer.SocketServer
    if (address._tag === "UnixPathAddress") return yield* Effect.die("runners find each other by their ports")
    yield* Console.log(JSON.stringify({ listening: `tcp://${String(address)}` }))
    return ShardingConfig.layerFromEnv({ runnerAddress: Option.some(RunnerAddress.make(host, address.port)) })
  })
)

const runner = RunnerServer.layerWithClients.pipe(
  Layer.provide(RpcDrain.layerProtocolSocketServer),
  Layer.provide(RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc))),
  Layer.provide(Cluster.layer),
  Layer.provide(sharding),
  Layer.provide(sockets)
)

const main = DocumentLive.pipe(Layer.provide(runner), Layer.launch, Effect.provideService(Logger.LogToStderr, true))

NodeProcess.runMain(main)
