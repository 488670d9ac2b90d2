/** Servers and load generators as processes, each on a core of its own where the system allows. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { exchangeOf, writeExchange } from "./exchange.ts"
import type { Native } from "./native.ts"
import { needsNodesGenerator, type Row } from "./rows.ts"
import type { Subject } from "./subjects.ts"

/** What runs is compiled: see `compile.ts`. */
const programs = join(import.meta.dirname, "../dist")
const startMillis = 20_000

const canPin =
  process.platform === "linux" && availableParallelism() > 1 && spawnSync("taskset", ["-c", "0", "true"]).status === 0

export const pinning = canPin ? "server on core 0, load generator on core 1" : "processes wherever the system puts them"

const running = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

/** Starts a program; its lines, and an error that tells what it said when it ends before the line that is waited for. */
class Program {
  readonly pid: number
  private readonly child: ChildProcess
  private readonly lines: AsyncIterator<string>
  private readonly name: string
  private said = ""

  constructor(name: string, core: number, command: ReadonlyArray<string>) {
    const [file = "", ...words] = canPin ? ["taskset", "-c", String(core), ...command] : command
    const { NODE_OPTIONS: _options, NODE_ENV: _mode, VITEST: _runner, ...env } = process.env
    this.name = name
    this.child = spawn(file, words, { stdio: ["pipe", "pipe", "pipe"], env })
    this.pid = this.child.pid ?? 0
    running.add(this.child)
    this.child.once("exit", () => running.delete(this.child))
    this.child.once("error", (error) => (this.said += error.message))
    this.child.stdin!.on("error", () => {})
    this.child.stderr!.on("data", (text) => (this.said += String(text)))
    this.lines = createInterface(this.child.stdout!)[Symbol.asyncIterator]()
  }

  /** The next line, as what it says in JSON. */
  async line<A>(withinMillis: number): Promise<A> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const problem = () => reject(this.problem(`says nothing for ${withinMillis / 1000} s`))
      timer = setTimeout(problem, withinMillis)
    })
    try {
      const { done, value } = await Promise.race([this.lines.next(), late])
      if (done === true) {
        if (running.has(this.child)) await once(this.child, "exit")
        throw this.problem(`ended with ${this.child.signalCode ?? this.child.exitCode}`)
      }
      try {
        return JSON.parse(value) as A
      } catch {
        throw this.problem(`says what is no JSON: ${value}`)
      }
    } finally {
      clearTimeout(timer)
    }
  }

  private problem(what: string): Error {
    return new Error(`${this.name} ${what}${this.said === "" ? "" : `: ${this.said.trim()}`}`)
  }

  say(command: string): void {
    this.child.stdin!.write(`${command}\n`)
  }

  /** Its standard input has ended, which tells it to leave. */
  async end(): Promise<void> {
    this.child.stdin!.end()
    if (running.has(this.child)) await once(this.child, "exit")
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL")
    if (running.has(this.child)) await once(this.child, "exit")
  }
}

let sockets = 0

/** A server that is ready to be connected to. */
export class Server {
  readonly to: string
  readonly pid: number
  private readonly program: Program
  private readonly path: string | undefined

  private constructor(program: Program, path: string | undefined, port: number) {
    this.program = program
    this.path = path
    this.pid = program.pid
    this.to = path ?? String(port)
  }

  static async start(subject: Subject, row: Row, native: Native | undefined): Promise<Server> {
    const path = row.transport === "unix" ? join(tmpdir(), `finwait-bench-${process.pid}-${++sockets}.sock`) : undefined
    const words = [
      path ?? row.transport,
      ...(subject.variant === "" ? [] : [subject.variant]),
      row.service,
      String(row.size)
    ]
    const node = () => [
      process.execPath,
      ...(subject.flags ?? []),
      "--import",
      join(programs, "built.js"),
      join(programs, `servers/${subject.program}.js`)
    ]
    const command = subject.program === "echod" ? [native?.echod ?? "echod"] : node()
    const program = new Program(`the server of "${subject.title}"`, 0, [...command, ...words])
    try {
      const { port } = await program.line<{ port: number }>(startMillis)
      return new Server(program, path, port)
    } catch (error) {
      await program.kill()
      throw error
    }
  }

  /** Tells it to close every connection. */
  close(): void {
    this.program.say("close")
  }

  /** Lets it leave by itself. */
  async end(): Promise<void> {
    await this.program.end()
  }

  async kill(): Promise<void> {
    await this.program.kill()
    if (this.path !== undefined) rmSync(this.path, { force: true })
  }
}

/** What a load generator measured while it kept a server busy. */
export interface Load {
  readonly ops: number
  readonly bytes: number
  readonly seconds: number
  readonly serverCpu: number
  readonly ownCpu: number
  readonly p50Micros: number
  readonly p99Micros: number
  readonly errors: number
}
/** What it costs to hold connections. */
export interface Opened {
  readonly event: "open"
  readonly rssBefore: number
  readonly rss: number
}
/** How they ended. */
export interface Closed {
  readonly event: "closed"
  readonly closed: number
  readonly resets: number
  readonly unanswered: number
  readonly seconds: number
  /** The server's, for each connection. */
  readonly cpuMicros: number
  readonly ownCpu: number
}

/** A load generator at its work. It is in C where it can be, but for TLS and HTTP/2. */
const generating = async <A>(
  server: Server,
  row: Row,
  native: Native | undefined,
  seconds: number,
  use: (program: Program) => Promise<A>
): Promise<A> => {
  const command =
    native === undefined || needsNodesGenerator(row)
      ? [process.execPath, join(programs, "generator.js")]
      : [native.loadgen]
  const { requestBytes, ...exchange } = exchangeOf(row)
  const folder = writeExchange(exchange)
  const options = {
    to: server.to,
    ...(needsNodesGenerator(row) ? { transport: row.transport } : {}),
    mode: row.mode,
    exchange: folder,
    size: requestBytes,
    conns: row.connections,
    depth: row.depth,
    seconds,
    warm: seconds / 3,
    pid: server.pid,
    busy: row.busyPercent ?? 0,
    hold: row.holdSeconds ?? 0.3,
    patience: row.patienceSeconds ?? 30,
    spin: canPin ? 1 : 0
  }
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const program = new Program("the load generator", 1, [...command, ...words])
  try {
    return await use(program)
  } finally {
    await program.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

const graceMillis = 60_000

export const load = (server: Server, row: Row, native: Native | undefined, seconds: number): Promise<Load> =>
  generating(server, row, native, seconds, (program) => program.line<Load>(seconds * 2000 + graceMillis))

/** Opens a row's connections, and ends them in the row's way. */
export const hold = (
  server: Server,
  row: Row,
  native: Native | undefined
): Promise<{ readonly opened: Opened; readonly closed: Closed | undefined }> =>
  generating(server, row, native, 1, async (program) => {
    const opened = await program.line<Opened>(graceMillis)
    if (row.begins === undefined) return { opened, closed: undefined }
    program.say(row.begins === "clients" ? "close" : "wait")
    if (row.begins === "server") {
      await program.line(graceMillis)
      server.close()
    }
    return { opened, closed: await program.line<Closed>(graceMillis) }
  })
