/**
 * A runner of Effect's cluster. On SIGTERM it finishes the messages that it has begun, answers them, and hands its shards
 * over to the other runners; nobody's message is lost, and none is begun twice.
 *
 *     STORAGE=/tmp/cluster.sqlite node main.ts       # one runner, on a port of its own
 *     STORAGE=/tmp/cluster.sqlite node main.ts       # another one
 *     STORAGE=/tmp/cluster.sqlite node client.ts     # asks for documents, and says which of them has answered
 *
 * **What happens at a signal.** The scopes close, from the last layer to the first:
 *
 * 1. The entities. The runner takes itself off the list first (`preemptiveShutdown`), so that nobody sends it anything
 *    more; then each entity finishes the messages in hand, for `entityTerminationTimeout` (15 seconds) at most, and answers
 *    them. Shards with nothing in hand are handed over meanwhile.
 * 2. The RPC server and its sockets: they drain.
 * 3. Sharding, which hands over the last shards: their locks are released, and the other runners take them.
 * 4. The connections to other runners, the storage, the listening socket.
 *
 * The first step and the drain come one after the other, and both have to fit into the grace period: here 15 seconds, and
 * 5 and 5, of 30.
 *
 * **What stands in the way, and what is done about it.** Two things, and for their sake the layers are put together here,
 * which in `SocketRunner.layer` are wired up already.
 *
 * `NodeProcess` begins the drain of every server at the signal, side by side. That is right for servers, and wrong for
 * this one: whoever waits for a message in hand has to get through to it. He may need a new connection for that, because
 * the runner is off the list, and the client that he had for it is let go; and what he then calls is new to the RPC server,
 * though it belongs to a call that is under way: the acknowledgement of a chunk, an interrupt. So the sockets are served as
 * if there was no signal, until it is their turn (`inTurn`).
 *
 * `RpcServer.layerProtocolSocketServer`, which `SocketRunner.layer` has in it, interrupts what it is still answering when
 * its scope ends, and what is left to say when the last entity is done may be just that: the end of a stream.
 * `RpcDrain.layerProtocolSocketServer` lets it through.
 */
import * as NodeProcess from "@finwait/node/NodeProcess"
import * as NodeSocketServer from "@finwait/node/NodeSocketServer"
import { Config, Console, Effect, Layer, Logger, Option } from "effect"
import { RunnerAddress, RunnerHealth, Runners, RunnerServer, ShardingConfig } from "effect/cluster"
import { SocketServer } from "effect/socket"
import * as RpcDrain from "finwait/RpcDrain"
import * as Shutdown from "finwait/Shutdown"
import * as Cluster from "./cluster.ts"
import { DocumentLive } from "./documents.ts"

const host = "127.0.0.1"

const sockets = Config.Int("PORT").pipe(
  Config.withDefault(0),
  Effect.map((port) =>
    NodeSocketServer.layer({
      host,
      port,
      drain: { deadline: "5 seconds", close: "5 seconds" },
      onDrained: (report) => Console.log(JSON.stringify({ drained: report }))
    })
  ),
  Layer.unwrap
)

/** The shutdown of the process, but for its beginning: a second signal cuts what is still open, as ever. */
const inTurn = Layer.effect(
  Shutdown.CurrentShutdown,
  Effect.map(Effect.service(Shutdown.CurrentShutdown), (shutdown): Shutdown.Shutdown =>
    Object.create(shutdown, { onBegin: { value: () => () => {} } })
  )
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
  Layer.provide(sockets),
  Layer.provide(inTurn)
)

const main = DocumentLive.pipe(Layer.provide(runner), Layer.launch, Effect.provideService(Logger.LogToStderr, true))

NodeProcess.runMain(main)
