/** An RPC server over WebSocket, and two clients of it. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Console, Effect, Layer, Ref, Schema, Stream } from "effect"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import { SocketServer } from "effect/socket"

class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { balance: Schema.Int }) {}

class Account extends RpcGroup.make(
  Rpc.make("Deposit", { payload: { amount: Schema.Int }, success: Schema.Int }),
  Rpc.make("Withdraw", { payload: { amount: Schema.Int }, success: Schema.Int, error: Overdrawn }),
  Rpc.make("Statement", { success: Schema.Struct({ amount: Schema.Int, at: Schema.Date }), stream: true })
) {}

const AccountLive = Account.toLayer(
  Effect.gen(function* () {
    const amounts = yield* Ref.make<ReadonlyArray<number>>([])
    const balance = Effect.map(Ref.get(amounts), (amounts) => amounts.reduce((sum, amount) => sum + amount, 0))
    const book = (amount: number) =>
      Effect.andThen(
        Ref.update(amounts, (amounts) => [...amounts, amount]),
        balance
      )
    return Account.of({
      Deposit: ({ amount }) => book(amount),
      Withdraw: Effect.fnUntraced(function* ({ amount }) {
        const left = yield* balance
        if (left < amount) return yield* new Overdrawn({ balance: left })
        return yield* book(-amount)
      }),
      Statement: () =>
        Stream.unwrap(
          Effect.map(Ref.get(amounts), (amounts) =>
            Stream.fromIterable(amounts.map((amount, day) => ({ amount, at: new Date(Date.UTC(2024, 0, 1 + day)) })))
          )
        )
    })
  })
)

const ServerLive = NodeSocketServer.layerWebSocket({ host: "127.0.0.1", port: 0 })

const Server = RpcServer.layer(Account).pipe(
  Layer.provide(AccountLive),
  Layer.provide(RpcServer.layerProtocolSocketServer)
)

const Client = Layer.unwrap(
  Effect.gen(function* () {
    const { address } = yield* SocketServer.SocketServer
    if (address._tag === "UnixPathAddress") return yield* Effect.die("not a port")
    return RpcClient.layerProtocolSocket().pipe(
      Layer.provide(NodeSocket.layerWebSocket(`ws://127.0.0.1:${address.port}/account`))
    )
  })
)

const customer = Effect.fnUntraced(function* (name: string) {
  const account = yield* RpcClient.make(Account)
  yield* Console.log(`${name} has ${yield* account.Deposit({ amount: 100 })}`)
  yield* Console.log(`${name} has ${yield* account.Withdraw({ amount: 30 })}`)
  const overdrawn = yield* Effect.flip(account.Withdraw({ amount: 1000 }))
  yield* Console.log(`${name}: ${overdrawn._tag}${overdrawn._tag === "Overdrawn" ? ` at ${overdrawn.balance}` : ""}`)
  yield* Stream.runForEach(account.Statement(), ({ amount, at }) => Console.log(`${at.toISOString()} ${amount}`))
}, Effect.scoped)

const program = Effect.andThen(customer("ada"), customer("bob")).pipe(
  Effect.provide(
    Layer.merge(Client, Server).pipe(Layer.provide(ServerLive), Layer.provide(RpcSerialization.layerJsonRpc()))
  )
)

NodeRuntime.runMain(program)
