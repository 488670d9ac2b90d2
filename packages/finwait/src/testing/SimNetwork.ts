/**
 * A network in memory, for tests: TCP and Unix sockets as a program can observe them, in virtual time, from a seed.
 *
 * Each direction of a connection has a send buffer at the writer and a receive buffer at the reader, so that a reader
 * who stalls holds the writer back; FIN follows the last byte; a reset destroys what was not read, and so does a close
 * with unread input, as in a kernel. Bytes take `latency` to arrive, and as long as `bandwidth` needs. A listener has a
 * backlog of a size: who finds it full tries again, as a kernel repeats its SYN. Everything that can go wrong beyond
 * that is a `Fault`.
 *
 * Time is the context's `Clock`: Effect's `TestClock` in `it.effect`, or `Simulation`'s. Nothing happens by itself
 * except through it. Whatever is drawn is drawn from the seed: the same seed and the same program give the same history,
 * byte for byte.
 *
 * All hosts are on one network. `localhost`, `127.0.0.1` and `::1` are the same host; a listener on `0.0.0.0` or `::`
 * is on every host. A Unix socket has no RST, and tells its writer at once when nobody is there any more (`EPIPE`).
 *
 * **Example**
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Connection from "finwait/Connection"
 * import * as Network from "finwait/Network"
 * import * as Server from "finwait/Server"
 * import * as SimNetwork from "finwait/testing/SimNetwork"
 *
 * const program = Effect.gen(function*() {
 *   yield* Server.make({ listen: "tcp://127.0.0.1:7000", handler: (connection) => connection.write("welcome") })
 *   const client = yield* Network.connect("tcp://127.0.0.1:7000")
 *   return yield* Connection.readText(client)
 * })
 *
 * const text = await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(SimNetwork.layer())))
 * console.log(text) // => welcome
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Address from "../Address.ts"
import type { Connection } from "../Connection.ts"
import { ConnectionImpl } from "../internal/connection.ts"
import * as Check from "../internal/options.ts"
import * as Network from "../Network.ts"
import type * as Transport from "../Transport.ts"
import * as Fault from "./Fault.ts"
import type * as History from "./History.ts"
import { checkPlanned } from "./internal/faultFigures.ts"
import { Endpoint } from "./internal/sim/endpoint.ts"
import { World } from "./internal/sim/network.ts"
import type * as Netstat from "./Netstat.ts"

/**
 * What the way between two hosts is like.
 *
 * @category models
 * @since 0.1.0
 */
export interface LinkOptions {
  /** How long bytes, FIN, RST and half a handshake take to arrive. Default 0: in the next turn. */
  readonly latency?: Duration.Input | undefined
  /**
   * Bytes a second, in each direction. Default: no limit. A piece that arrives makes room for the next to leave: with
   * latency, only `pieceBytes` well below `receiveBufferBytes` keep the link busy.
   */
  readonly bandwidth?: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options extends LinkOptions {
  /** Where everything that is drawn comes from. Default 0: a test that names none is the same every time. */
  readonly seed?: number | string | undefined
  /** What the sending side's system holds. Default 64 KiB. */
  readonly sendBufferBytes?: number | undefined
  /** What the receiving side's system holds before it closes the window. Default 64 KiB. */
  readonly receiveBufferBytes?: number | undefined
  /** The largest piece that arrives at once. Default 64 KiB, what libuv reads at once; 1460 is Ethernet's. */
  readonly pieceBytes?: number | undefined
  /** A link that differs from the others, by the hosts of who dials and of what is dialled. */
  readonly link?: ((from: Address.Address, to: Address.Address) => LinkOptions | undefined) | undefined
  /** What goes wrong, and when. Default: nothing. */
  readonly faults?: Fault.Schedule | undefined
  /** How many events the history keeps; older ones are dropped. Default 10,000; 0 keeps none. */
  readonly historyMax?: number | undefined
}

/**
 * What a test can see and do besides using the network.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sim {
  readonly network: Network.Network["Service"]
  /** The same network as who is on another host sees it: connections come from there. */
  readonly from: (host: string) => Network.Network["Service"]
  /** The byte pipes below it, for tests of what stands on these. */
  readonly provider: Transport.Provider
  /** The number of a connection of this network, by which faults, the history and netstat name it. */
  readonly numberOf: (connection: Connection) => number | undefined
  /** Sockets, of both sides, that programs hold open. */
  readonly socketsOpen: Effect.Effect<number>
  /** What the simulated systems hold: print it with `Netstat.format`. */
  readonly netstat: Effect.Effect<Netstat.Snapshot>
  /** What has happened: print it with `History.format`. */
  readonly history: Effect.Effect<ReadonlyArray<History.Event>>
  /**
   * Something goes wrong, now: for one connection, by its number in the order of establishment from 1, or for all that
   * are open; a listener's fault for all listeners. Default side: the server. A fault that cannot be, or a connection
   * that there is not yet, is a defect, `RangeError`.
   */
  readonly inject: (
    fault: Fault.Fault,
    whom?: Partial<Pick<Fault.Planned, "connection" | "side">>
  ) => Effect.Effect<void>
  /**
   * Makes one listener's next accept fail with the system's code, as with a machine that has no descriptors left
   * (`Fault.AcceptError` does it to all of them, and later). A defect where nobody listens.
   */
  readonly failAccept: (address: Address.Input, code: string) => Effect.Effect<void>
}

const check = (options: Options): void => {
  Check.whole("SimNetwork.Options.sendBufferBytes", options.sendBufferBytes, 1)
  Check.whole("SimNetwork.Options.receiveBufferBytes", options.receiveBufferBytes, 1)
  Check.whole("SimNetwork.Options.pieceBytes", options.pieceBytes, 1)
  Check.limit("SimNetwork.Options.historyMax", options.historyMax, 0)
  linkOf(options)
}

const linkOf = (options: LinkOptions) => {
  Check.limit("SimNetwork.Options.bandwidth", options.bandwidth, 1)
  return {
    latencyMillis: Duration.toMillis(Check.duration("SimNetwork.Options.latency", options.latency ?? 0)),
    bytesPerSecond: options.bandwidth ?? Infinity
  }
}

/**
 * A network of its own. An option that is out of its range is a defect, `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (options: Options = {}): Effect.fn.Return<Sim> {
  check(options)
  for (const plan of options.faults ?? []) checkPlanned(plan)
  const context = yield* Effect.context<never>()
  const world = new World(context, {
    seed: options.seed ?? 0,
    sendBufferBytes: options.sendBufferBytes ?? 64 * 1024,
    receiveBufferBytes: options.receiveBufferBytes ?? 64 * 1024,
    pieceBytes: options.pieceBytes ?? 64 * 1024,
    historyMax: options.historyMax ?? 10_000,
    faults: options.faults ?? [],
    link: (from, to) => linkOf({ ...options, ...options.link?.(from, to) })
  })
  const provider = world.provider("127.0.0.1")
  return {
    provider,
    network: Network.make(provider),
    from: (host) => Network.make(world.provider(host)),
    numberOf: (connection) => {
      const transport = connection instanceof ConnectionImpl ? connection.transport : undefined
      return transport instanceof Endpoint && transport.host === world ? transport.connection : undefined
    },
    socketsOpen: Effect.sync(() => world.socketsOpen),
    netstat: Effect.sync(() => world.netstat),
    history: Effect.sync(() => world.events),
    inject: (fault, whom = {}) =>
      Effect.sync(() => {
        const { connection, side } = Fault.planned({ ...whom, fault })
        world.inject(fault, connection, side)
      }),
    failAccept: (address, code) =>
      Effect.map(Effect.orDie(Address.parse(address)), (parsed) => {
        const acceptor = world.acceptorAt(parsed)
        if (acceptor === undefined) throw new RangeError(`nobody listens at ${Address.format(parsed)}`)
        acceptor.fail(code)
      })
  }
})

/**
 * The simulated network of the context, for tests that want more of it than the `Network`.
 *
 * @category services
 * @since 0.1.0
 */
export class SimNetwork extends Context.Service<SimNetwork, Sim>()("finwait/testing/SimNetwork") {}

/**
 * Provides the `Network` from a network of its own, and the {@link SimNetwork} behind it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<Network.Network | SimNetwork> =>
  Layer.effectContext(
    Effect.map(make(options), (sim) => Context.make(Network.Network, sim.network).pipe(Context.add(SimNetwork, sim)))
  )
