/**
 * A scenario, drawn from a seed: a server, its clients, what goes wrong, and when the server is told to stop. Plain
 * data, so that it can be printed with a failure.
 */
import * as Fault from "finwait/testing/Fault"

/**
 * - `echo`: sends back what arrives.
 * - `jobs`: answers each line with one of its own, after some work.
 * - `download`: sends so many bytes and ends.
 * - `upload`: reads to the end.
 * - `early`: answers the first bytes, waits for nobody, and ends, whatever still comes.
 * - `both`: sends so many bytes while it reads.
 */
export type ServerKind = "echo" | "jobs" | "download" | "upload" | "early" | "both"

/**
 * - `polite`: writes, half-closes, reads to the end, closes.
 * - `idle`: only reads to the end, closes.
 * - `halfway`: stops in the middle of its last message, reads to the end, closes.
 * - `writesFirst`: as `polite`, but reads nothing before it has written everything.
 * - `hurried`: writes and closes, reads nothing.
 * - `mute`: writes, and neither reads nor closes for an hour.
 * - `rude`: aborts in the middle of whatever happens.
 */
export type ClientKind = "polite" | "writesFirst" | "idle" | "halfway" | "hurried" | "mute" | "rude"

/** How a side says its last words: whole, never, by failing, or by taking longer than allowed. */
export type FarewellKind = "none" | "bytes" | "fails" | "never"

export interface ClosePlan {
  readonly farewell: FarewellKind
  readonly farewellTimeoutMillis: number
  readonly lingerMillis: number
  readonly lingerIdleMillis: number
  readonly lingerBytesMax: number
  readonly deadlineMillis: number
}

export interface ClientPlan {
  readonly kind: ClientKind
  readonly arrivesMillis: number
  /** The sizes of what it writes. */
  readonly messages: ReadonlyArray<number>
  readonly gapMillis: number
  readonly rudeAfterMillis: number
  readonly close: ClosePlan
}

export interface Scenario {
  readonly seed: number
  /** Nobody is rude, nothing goes wrong, and there is time for everything: nothing may be forced, or lost. */
  readonly patient: boolean
  readonly server: {
    readonly kind: ServerKind
    /** `echo` and `jobs` are the whole handler, which then runs without a fiber and is not watched. */
    readonly bare: boolean
    /** `jobs` are pulled and answered one by one. */
    readonly oneByOne: boolean
    readonly jobMillis: number
    /** What `download` and `both` send, and in which pieces. */
    readonly bytes: number
    readonly pieceBytes: number
    readonly connectionsMax: number | undefined
    readonly overflow: "wait" | "refuse"
    readonly backlog: number
    readonly close: ClosePlan
    readonly drain: { readonly lameDuck: number; readonly deadline: number; readonly close: number }
  }
  readonly clients: ReadonlyArray<ClientPlan>
  readonly network: {
    readonly address: string
    readonly latency: number
    readonly bandwidth: number
    readonly sendBufferBytes: number
    readonly receiveBufferBytes: number
    readonly pieceBytes: number
  }
  readonly faults: Fault.Schedule
  /** When the server is told to stop, and by what. */
  readonly stopsAtMillis: number
  readonly stopsBy: "scope" | "drain" | "shutdown"
  /** How long after that somebody is in a hurry; `undefined`: nobody. */
  readonly cutAfterMillis: number | undefined
}

export const draw = (seed: number): Scenario => {
  const random = Fault.random(seed)
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
  const among = <A>(...values: ReadonlyArray<A>): A => values[whole(0, values.length - 1)]!
  const chance = (probability: number) => random() < probability

  const patient = chance(0.4)
  const kind = among<ServerKind>("echo", "jobs", "jobs", "download", "upload", "early", "both")
  const size = () => (chance(0.05) ? whole(3001, 100_000) : among(1, whole(2, 40), whole(41, 3000)))
  const lineSize = () => among(2, whole(3, 60), whole(61, 2000))

  const close = (farewells: ReadonlyArray<FarewellKind>): ClosePlan =>
    patient
      ? {
          farewell: among(...farewells),
          farewellTimeoutMillis: 1000,
          lingerMillis: 600_000,
          lingerIdleMillis: 600_000,
          lingerBytesMax: Infinity,
          deadlineMillis: 1_000_000
        }
      : {
          farewell: among(...farewells),
          farewellTimeoutMillis: among(0, 10, 1000),
          lingerMillis: among(0, 50, 2000, 30_000),
          lingerIdleMillis: among(0, 20, 500, 5000),
          lingerBytesMax: among(0, 100, 50_000, Infinity),
          deadlineMillis: among(0, 10, 300, 5000, 60_000)
        }

  const takesAll = kind === "upload" || kind === "early"
  // Few, to be understood; or many, because a server that is started for each would take most of the time.
  const count = chance(0.5) ? whole(1, 12) : whole(12, 60)
  const spread = among(0, 50, 500)
  const gapMillis = among(0, 1, 40)
  const jobMillis = among(0, 1, 30, 100)
  const client = (): ClientPlan => {
    const messages = Array.from({ length: whole(0, 5) }, kind === "jobs" ? lineSize : size)
    return {
      kind: patient
        ? // Half a line keeps its handler to the deadline: that is nobody's patience.
          // And two who both write before they read wait for each other.
          among("polite", "polite", "idle", kind === "jobs" ? "polite" : "halfway", takesAll ? "writesFirst" : "polite")
        : among("polite", "polite", "writesFirst", "idle", "halfway", "hurried", "mute", "rude"),
      arrivesMillis: whole(0, spread),
      messages,
      gapMillis,
      rudeAfterMillis: whole(0, 300),
      // Last words of a client would be half a line to a server of jobs.
      close: close(kind === "jobs" ? ["none"] : ["none", "bytes", "fails", "never"])
    }
  }
  const clients = Array.from({ length: count }, client)
  const cutAfterMillis = patient || chance(0.7) ? undefined : whole(0, 1500)
  const connectionsMax = chance(0.2) ? whole(1, count) : undefined
  return {
    seed,
    patient,
    server: {
      kind,
      bare: chance(0.5),
      oneByOne: chance(0.4),
      jobMillis,
      bytes: chance(0.05) ? whole(20_000, 300_000) : among(0, whole(1, 100), whole(1000, 20_000)),
      pieceBytes: among(whole(1000, 20_000), 100_000),
      connectionsMax,
      overflow: patient ? "wait" : among("wait", "refuse"),
      backlog: patient ? 511 : among(1, 2, 511),
      close: close(["none", "bytes", "fails", "never"]),
      drain: patient
        ? { lameDuck: among(0, 100), deadline: 3_600_000, close: 10_000 }
        : { lameDuck: among(0, 0, 100), deadline: among(0, 50, 1000, 20_000), close: among(0, 100, 5000) }
    },
    clients,
    network: {
      address: chance(0.8) ? "tcp://127.0.0.1:7000" : "unix:///run/app.sock",
      latency: among(0, 1, 20),
      bandwidth: chance(0.8) ? Infinity : among(20_000, 1_000_000),
      sendBufferBytes: among(1, 1000, 64 * 1024, 64 * 1024),
      receiveBufferBytes: among(500, 4000, 64 * 1024, 64 * 1024),
      pieceBytes: among(64 * 1024, 64 * 1024, 1460, 500)
    },
    faults:
      patient || chance(0.4)
        ? []
        : Fault.draw(random, {
            count: whole(1, 4),
            connections: count,
            withinMillis: 600,
            // A process that stands still hears of no end, and somebody in a hurry does not wait until it does.
            tags: cutAfterMillis === undefined ? Fault.allTags : Fault.allTags.filter((tag) => tag !== "Pause")
          }),
    // While they are at it, mostly.
    stopsAtMillis: chance(0.6)
      ? whole(0, spread + 3 * (gapMillis + jobMillis))
      : among(0, whole(0, 10), whole(0, 1000)),
    stopsBy: among("scope", "drain", "shutdown"),
    cutAfterMillis
  }
}
