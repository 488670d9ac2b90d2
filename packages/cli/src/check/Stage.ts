/**
 * Where a scenario plays: one server, its clients, one signal. The stage looks after everything that must happen however
 * the script goes: the end of the process is awaited up to the grace, the clients look for their ends, and nothing is left
 * running.
 */
import { Client, type ClientOptions } from "../clients/Client.ts"
import type { ClientRecord } from "../clients/ClientRecord.ts"
import { readTable } from "../clients/kernel.ts"
import type { Wire } from "../clients/Wire.ts"
import type { Profile, Purpose, Request, Survey } from "../profiles/Profile.ts"
import { settles, sleep } from "../Waiting.ts"
import type { Bounds } from "./Bounds.ts"
import { counters } from "./kernel.ts"
import { type Ending, listens, type Server } from "./Server.ts"

/** A scenario that cannot be played here: why. */
export class NotRun extends Error {}

/** How many connect at the same time. */
const togetherMost = 4
/** What a server is given to accept those. */
const acceptMillis = 3
/** To connect within a machine takes no time where there is room. */
const roomMillis = 500

const backlogsFull = (): number => counters()["backlogs that were full"] ?? 0

/** What is the same for all scenarios of a check. */
export interface Setting {
  readonly profile: Profile
  readonly survey: Survey
  readonly bounds: Bounds
  /** How many, where a scenario is about a great number of them. */
  readonly connections: number
  /** How long a connection is left idle before the signal, where it may be kept for one more request. */
  readonly restMillis: number
}

export interface Played extends Ending {
  readonly clients: ReadonlyArray<ClientRecord & Pick<Client<Request>, "happenings">>
  /** It went on as if it had not been told anything. */
  readonly isDeaf: boolean
  readonly signalledAt: number | undefined
  readonly facts: Readonly<Record<string, number>>
  readonly notes: ReadonlyArray<string>
  /** Set by scenarios whose time is not the time to exit. */
  readonly measured: number | null | undefined
  readonly output: string
}

export class Stage {
  readonly server: Server
  readonly setting: Setting
  readonly clients: Array<Client<Request>> = []
  readonly facts: Record<string, number> = {}
  readonly notes: Array<string> = []
  measured: number | null | undefined

  constructor(server: Server, setting: Setting) {
    this.server = server
    this.setting = setting
  }

  get profile(): Profile {
    return this.setting.profile
  }

  get bounds(): Bounds {
    return this.setting.bounds
  }

  /** The request for a purpose; without one the scenario is not run. */
  request(purpose: Purpose): Request {
    const request = this.setting.survey.requests[purpose]
    if (request === undefined) throw new NotRun(`no ${purpose} request is known: ${howToGive(purpose, this.profile)}`)
    return request
  }

  has(purpose: Purpose): boolean {
    return this.setting.survey.requests[purpose] !== undefined
  }

  /** A client that is connected and past its handshakes, or refused, or whose connection has ended. */
  connect(options: ClientOptions): Promise<Client<Request>> {
    return this.client(options, this.profile.wire).ready()
  }

  /** One that does not wait for handshakes. */
  reach(options: ClientOptions): Promise<Client<Request>> {
    return this.client(options, this.profile.wire).connected()
  }

  /** One that is connected and says nothing at all, not even what a handshake begins with. */
  connectMute(options: ClientOptions): Promise<Client<Request>> {
    return this.client(options, this.profile.mute).connected()
  }

  connectMany(count: number, options: ClientOptions): Promise<ReadonlyArray<Client<Request>>> {
    return Promise.all(Array.from({ length: count }, () => this.connect(options)))
  }

  /**
   * Connects so many, a few at a time: a backlog that runs over leaves connections of which only the client's kernel knows,
   * and Python's has room for five.
   */
  async crowd(count: number, options: ClientOptions): Promise<ReadonlyArray<Client<Request>>> {
    const all: Array<Client<Request>> = []
    const before = backlogsFull()
    while (all.length < count) {
      all.push(...(await this.connectMany(Math.min(togetherMost, count - all.length), options)))
      await sleep(acceptMillis)
    }
    if (backlogsFull() > before) {
      this.notes.push("a backlog ran over while they connected: the server may never have heard of some of them")
    }
    return all
  }

  /** As many as find room in the backlog of a server that does not run, up to so many. The one that finds none leaves. */
  async queue(count: number, options: ClientOptions): Promise<ReadonlyArray<Client<Request>>> {
    const all: Array<Client<Request>> = []
    while (all.length < count) {
      const client = this.client(options, this.profile.wire)
      if (!(await settles(roomMillis, client.connected()))) {
        client.leave()
        this.clients.splice(this.clients.indexOf(client), 1)
        break
      }
      all.push(client)
    }
    return all
  }

  /** Waits until the server has whoever is connected by now: one more has been answered. */
  async accepted(): Promise<void> {
    const quick = this.setting.survey.requests.quick
    if (quick === undefined) return sleep(100)
    const client = new Client<Request>(this.server.command.to, this.profile.wire, { group: "asking" })
    try {
      await client.ready()
      client.ask(quick)
      await client.answered()
    } finally {
      client.leave()
    }
    // What was answered on one connection says little of another in a server of several processes.
    await sleep(50)
  }

  /** Waits until those that are idle have been so for longer than a server may leave them for one more request. */
  async rested(): Promise<void> {
    if (this.profile.keepsAlive) await sleep(this.setting.restMillis)
  }

  stop(): void {
    if (!this.server.alive) throw new NotRun("the server had ended before it was told to stop")
    this.server.signal()
  }

  /** Milliseconds since the signal. */
  get sinceSignal(): number {
    return performance.now() - (this.server.signalledAt ?? performance.now())
  }

  /** Waits until so long after the signal. */
  async afterSignal(millis: number): Promise<void> {
    await sleep(Math.max(0, millis - this.sinceSignal))
  }

  private client(options: ClientOptions, wire: Wire<Request>): Client<Request> {
    const client = new Client<Request>(this.server.command.to, wire, options)
    this.clients.push(client)
    return client
  }

  /** After the script: how everybody ended. */
  async finish(capMillis: number): Promise<Played> {
    const { clients, server } = this
    let isDeaf = false
    const ending = await server.ending(capMillis, async () => {
      isDeaf = clients.every(({ seen }) => seen.length === 0) && (await listens(server.command.to))
      const table = readTable()
      for (const client of clients) client.noteWhetherOpen(table)
    })
    const table = readTable()
    await Promise.all(clients.map((client) => client.settle(table)))
    return {
      ...ending,
      isDeaf,
      clients: clients.map((client) =>
        Object.assign(client.record(server.signalledAt), { happenings: client.happenings })
      ),
      signalledAt: server.signalledAt,
      facts: this.facts,
      notes: this.notes,
      measured: this.measured,
      output: server.output
    }
  }

  leave(): void {
    for (const client of this.clients) client.leave()
  }
}

const howToGive = (purpose: Purpose, { name }: Profile): string =>
  name === "http" || name === "http2" ? `give its path, --http ${purpose}=/path` : `give it in --script, "${purpose}"`
