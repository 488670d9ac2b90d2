/**
 * Where a scenario plays: one server process, its clients, one signal. The stage looks after everything that must
 * happen however the script goes: the end of the process is awaited up to a cap, the clients look for their ends, and
 * nothing is left running.
 */
import { Client, type ClientOptions } from "./clients/Client.ts"
import { readTable } from "@finwait/cli/clients/kernel"
import { Observer } from "./clients/Observer.ts"
import type { ClientRecord } from "@finwait/cli/clients/ClientRecord"
import { type Wire, wires } from "./clients/wires.ts"
import { generous, type Limits } from "./Limits.ts"
import type { Result, RunOptions, Scenario } from "./Scenario.ts"
import { ServerProcess } from "./ServerProcess.ts"
import { wireOf } from "./subjects.ts"
import { sleep } from "@finwait/cli/Waiting"

export class Stage {
  readonly server: ServerProcess
  /** What the server is spoken to over. */
  readonly wire: Wire
  readonly clients: Array<Client> = []
  /** Clients that live in another process. */
  readonly elsewhere: Array<(signalledAt: number | undefined) => Promise<ReadonlyArray<ClientRecord>>> = []
  readonly facts: Record<string, number> = {}
  readonly notes: Array<string> = []
  /** Set by scenarios whose time is not the time to exit. */
  measuredSeconds: number | null | undefined

  private readonly options: RunOptions
  private readonly graceMillis: number

  constructor(server: ServerProcess, limits: Partial<Limits>, options: RunOptions) {
    this.server = server
    this.wire = wireOf(server.subject)
    this.options = options
    this.graceMillis = limits.KEEP_ALIVE_GRACE_MS ?? generous.KEEP_ALIVE_GRACE_MS
  }

  /** A client that is connected and past its handshakes, or refused, or whose connection has ended. */
  connect(options: ClientOptions): Promise<Client> {
    return this.client(options).ready()
  }

  /** One that does not wait for handshakes. */
  reach(options: ClientOptions): Promise<Client> {
    return this.client(options).connected()
  }

  /** One that is connected and says nothing at all, not even what a handshake begins with. */
  connectMute(options: ClientOptions): Promise<Client> {
    return this.connect({ ...options, wire: wires["socket-tcp"] })
  }

  connectMany(count: number, options: ClientOptions): Promise<ReadonlyArray<Client>> {
    return Promise.all(Array.from({ length: count }, () => this.connect(options)))
  }

  observe(): Observer {
    return new Observer(this.server.port, this.wire)
  }

  /** Waits until the server has accepted whoever is connected by now. */
  async accepted(): Promise<void> {
    const observer = this.observe()
    await observer.count()
    await observer.leave()
  }

  /** Waits until those that are idle have been so for longer than a server may leave them for one more request. */
  async rested(): Promise<void> {
    if (this.wire.keepsAlive && this.graceMillis > 0) await sleep(this.graceMillis + graceSpareMillis)
  }

  stop(): void {
    this.server.stop()
  }

  /** Seconds since the signal. */
  get sinceSignal(): number {
    return (performance.now() - (this.server.signalledAt ?? performance.now())) / 1000
  }

  /** Waits until so long after the signal. */
  async afterSignal(millis: number): Promise<void> {
    await sleep(Math.max(0, (this.server.signalledAt ?? 0) + millis - performance.now()))
  }

  private client(options: ClientOptions): Client {
    const client = new Client(this.server.port, { wire: this.wire, tls: this.options.tls, ...options })
    this.clients.push(client)
    return client
  }
}

// What the server has of its own clock, and is late by.
const graceSpareMillis = 200

type Play = Pick<Scenario, "id" | "limits" | "capSeconds">

/** Plays one script against one subject. */
export const play = async (
  scenario: Play,
  subject: string,
  options: RunOptions = {},
  script: (stage: Stage) => Promise<void>
): Promise<Result> => {
  const limits = { ...scenario.limits, ...options.limits }
  const server = await ServerProcess.start(subject, limits)
  const stage = new Stage(server, limits, options)
  try {
    await script(stage)
    return await finish(stage, scenario.id, (options.capSeconds ?? scenario.capSeconds) * 1000)
  } catch (error) {
    throw new Error(`${scenario.id} on ${subject} could not be played\n${server.stderr}`, { cause: error })
  } finally {
    server.kill()
    for (const client of stage.clients) client.leave()
  }
}

const finish = async (stage: Stage, id: string, capMillis: number): Promise<Result> => {
  const { clients, server } = stage
  const ending = await server.ending(capMillis, () => {
    const table = readTable()
    for (const client of clients) client.noteWhetherOpen(table)
  })
  const table = readTable()
  await Promise.all(clients.map((client) => client.settle(table)))
  const others = await Promise.all(stage.elsewhere.map((records) => records(server.signalledAt)))
  const records = [...clients.map((client) => client.record(server.signalledAt)), ...others.flat()]
  return {
    scenario: id,
    subject: server.subject,
    clients: records,
    ...ending,
    measuredSeconds: stage.measuredSeconds === undefined ? ending.secondsToExit : stage.measuredSeconds,
    facts: stage.facts,
    notes: [...stage.notes, ...misled(records)],
    drained: server.drained,
    stderr: server.stderr
  }
}

// No rule of a scenario, but nothing to pass over: a client that does not know how long its answer is takes a FIN for
// the end of it.
const misled = (records: ReadonlyArray<ClientRecord>): ReadonlyArray<string> => {
  const found = records.filter(({ ending, seen, whole }) => !whole && seen[0] === "FIN" && ending === "RST").length
  return found === 0 ? [] : [`${found} of ${records.length} clients saw a FIN before the RST, and no whole answer`]
}
