/**
 * The rounds of a row: every subject once per round, in an order that is drawn for each round, so that neither the
 * warmth of the machine nor what the one before has left behind is always the same subject's.
 */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { Native } from "./native.ts"
import * as Processes from "./processes.ts"
import { needsFreshServer, type Row } from "./rows.ts"
import { quantile } from "./statistics.ts"
import { type Subject, subjectsOf, withFlags } from "./subjects.ts"

export interface Sample {
  /** By the row's figure: operations a second, bytes a second, bytes of memory a connection, seconds of closing. */
  readonly value: number
  /** Microseconds of the server's processor for an operation, or for a connection that ends; 0 where nobody can tell. */
  readonly cpuMicros: number
  /** The share of a core that the load generator had for itself. */
  readonly ownCpu: number
  readonly errors: number
  /** Requests that a server's close left without an answer. */
  readonly unanswered: number
  readonly resets: number
  /** Connections that had not ended when nobody waited for them any longer: then the value is the row's patience. */
  readonly open: number
  readonly p99Micros: number
}

/** A subject's samples: their values, the sum of their errors, and the medians of the rest. */
export interface Result extends Omit<Sample, "value"> {
  readonly subject: string
  readonly values: ReadonlyArray<number>
}

export interface RowResult {
  readonly row: string
  readonly results: ReadonlyArray<Result>
}

const nothing = { cpuMicros: 0, ownCpu: 0, errors: 0, unanswered: 0, resets: 0, open: 0, p99Micros: 0 }

/** One subject's sample of one row; an error says whose. */
export const sample = async (
  subject: Subject,
  server: Processes.Server,
  row: Row,
  native: Native | undefined,
  seconds: number
): Promise<Sample> => {
  try {
    return await sampled(server, row, native, seconds)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new Error(`${row.title}, ${subject.title}: ${text}`, { cause: error })
  }
}

const sampled = async (
  server: Processes.Server,
  row: Row,
  native: Native | undefined,
  seconds: number
): Promise<Sample> => {
  if (row.mode === "hold") {
    const { closed, opened } = await Processes.hold(server, row, native)
    if (closed === undefined) return { ...nothing, value: ((opened.rss - opened.rssBefore) * 1024) / row.connections }
    const open = row.connections - closed.closed
    if (open > 0 && row.patienceSeconds === undefined)
      throw new Error(`${open} of ${row.connections} connections never ended`)
    return { ...nothing, ...closed, open, value: closed.seconds, ownCpu: closed.ownCpu / closed.seconds }
  }
  const load = await Processes.load(server, row, native, seconds * (row.times ?? 1))
  const amount = row.figure === "bytes" ? load.bytes : load.ops
  if (amount === 0) throw new Error(`nothing came back in ${load.seconds.toFixed(1)} s`)
  const cpuMicros = load.ops > 0 ? (load.serverCpu * 1e6) / load.ops : 0
  return { ...nothing, ...load, value: amount / load.seconds, cpuMicros, ownCpu: load.ownCpu / load.seconds }
}

const middle = (samples: ReadonlyArray<Sample>, of: (sample: Sample) => number) => quantile(samples.map(of), 0.5)
const sum = (samples: ReadonlyArray<Sample>, of: (sample: Sample) => number) =>
  samples.reduce((total, sample) => total + of(sample), 0)

const resultOf = (subject: string, samples: ReadonlyArray<Sample>): Result => ({
  subject,
  values: samples.map(({ value }) => value),
  cpuMicros: middle(samples, (sample) => sample.cpuMicros),
  ownCpu: middle(samples, (sample) => sample.ownCpu),
  errors: sum(samples, (sample) => sample.errors),
  unanswered: middle(samples, (sample) => sample.unanswered),
  resets: middle(samples, (sample) => sample.resets),
  open: middle(samples, (sample) => sample.open),
  p99Micros: middle(samples, (sample) => sample.p99Micros)
})

export interface Options {
  readonly rounds: number
  readonly seconds: number
  /** Not measured: until V8 has compiled what runs often. */
  readonly warmSeconds: number
  readonly native: Native | undefined
  /** Node's: each server is measured a second time with them. */
  readonly flags?: ReadonlyArray<string>
  /** Only these subjects, if it is not all of them. */
  readonly only?: ReadonlyArray<string> | undefined
  /** Told before each sample. */
  readonly progress: (text: string) => void
}

/** Drawn from the round's number: every run has the same orders. */
export const shuffled = <A>(values: ReadonlyArray<A>, seed: number): ReadonlyArray<A> => {
  const place = (index: number) => createHash("sha256").update(`${seed} ${index}`).digest("hex")
  return values
    .map((value, index) => [place(index), value] as const)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([, value]) => value)
}

/**
 * So many rounds with the same processes. How V8 compiled a process, and where its memory lies, favours it or not for as
 * long as it lives: two equal servers can stay a tenth apart.
 */
export const roundsOfProcess = 3

/** The servers of a row, started when they are first asked for. */
class Servers {
  private readonly running = new Map<string, Promise<Processes.Server>>()
  private readonly row: Row
  private readonly native: Native | undefined

  constructor(row: Row, native: Native | undefined) {
    this.row = row
    this.native = native
  }

  of(subject: Subject): Promise<Processes.Server> {
    const running = this.running.get(subject.id) ?? Processes.Server.start(subject, this.row, this.native)
    this.running.set(subject.id, running)
    return running
  }

  async kill(): Promise<void> {
    const started = await Promise.allSettled(this.running.values())
    this.running.clear()
    for (const server of started) if (server.status === "fulfilled") await server.value.kill()
  }
}

export const measure = async (row: Row, options: Options): Promise<RowResult> => {
  if (row.figure === "simulated") return simulated(row, options)
  const { flags = [], native, only, progress, rounds, seconds, warmSeconds } = options
  const subjects = withFlags(subjectsOf(row, native !== undefined, only), flags)
  const samples = new Map(subjects.map(({ id }) => [id, [] as Array<Sample>]))
  const servers = new Servers(row, native)
  const start = async () => {
    await servers.kill()
    await Promise.all(subjects.map((subject) => servers.of(subject)))
    for (const subject of warmSeconds > 0 ? subjects : []) {
      progress(`${row.title}: warming up ${subject.title}`)
      await sample(subject, await servers.of(subject), row, native, row.warmSeconds ?? warmSeconds)
    }
  }
  try {
    for (let round = 0; round < rounds; round++) {
      if (!needsFreshServer(row) && round % roundsOfProcess === 0) await start()
      for (const subject of shuffled(subjects, round)) {
        progress(`${row.title}: round ${round + 1} of ${rounds}, ${subject.title}`)
        samples.get(subject.id)!.push(await sample(subject, await servers.of(subject), row, native, seconds))
        if (needsFreshServer(row)) await servers.kill()
      }
    }
  } finally {
    await servers.kill()
  }
  return { row: row.id, results: subjects.map(({ id }) => resultOf(id, samples.get(id)!)) }
}

/** The campaign on the simulated network has no peer: its figure stands alone. */
const simulated = async (row: Row, { progress, rounds, seconds }: Options): Promise<RowResult> => {
  const main = fileURLToPath(new URL("../../simulate/src/main.ts", import.meta.url))
  const samples: Array<Sample> = []
  for (let round = 0; round < rounds; round++) {
    progress(`${row.title}: round ${round + 1} of ${rounds}`)
    const closes = Math.max(1, Math.round(seconds * 10_000))
    const child = spawn(process.execPath, [main, "--workers", "1", "--closes", String(closes), "--seed", String(round)])
    let text = ""
    child.stdout.on("data", (chunk) => (text += String(chunk)))
    await once(child, "close")
    const [, figure] = /([\d,]+) closes a second/.exec(text) ?? []
    if (child.exitCode !== 0 || figure === undefined) throw new Error(`the campaign failed: ${text}`)
    samples.push({ ...nothing, value: Number(figure.replaceAll(",", "")) })
  }
  return { row: row.id, results: [resultOf("simulated", samples)] }
}
