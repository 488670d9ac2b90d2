/**
 * Somebody's server as a process: started in a group of its own, listened to, signalled, watched, and ended in any case
 * with all that it has started.
 */
import { type ChildProcess, spawn } from "node:child_process"
import * as net from "node:net"
import { fileURLToPath } from "node:url"
import { describe, pathOf, portOf, targetOf, type To } from "../clients/To.ts"
import { settles, sleep, until } from "../Waiting.ts"
import { endMarked, killGroup, marked, markName } from "./processes.ts"
import { isSocket, removeSocket } from "./socketFile.ts"

/** It cannot be checked: what is wrong, and what the server itself said. */
export class CannotStart extends Error {
  readonly _tag = "CannotStart"
  readonly output: string

  constructor(problem: string, output: string) {
    super(problem)
    this.output = output
  }
}

export interface Command {
  readonly words: ReadonlyArray<string>
  readonly to: To
  readonly signal: NodeJS.Signals
  readonly startMillis: number
}

/** How a process ended, or that it did not. */
export interface Ending {
  readonly exitCode: number | null
  readonly exitSignal: NodeJS.Signals | null
  /** From the signal to the end of the process; `null` without a signal. */
  readonly exitSeconds: number | null
  /** It went on until it was killed. */
  readonly killed: boolean
  /** Processes that it had started and that were still there when it had ended by itself. */
  readonly leftBehind: number
}

/** Of what a server says, the end. */
const outputMax = 8_000
const lookMillis = 25
const killedMillis = 5_000
/** A parent may be gone before its children have heard of it. */
const othersMillis = 500

let watchdog: ChildProcess | undefined
let started = 0

/** Every process of this check has it in its environment, with a number behind it. */
const mark = `${process.pid}-${Date.now().toString(36)}`

/** Tells whoever outlives this process of what it has started, and of what has ended. */
export const tellWatchdog = (line: string): void => {
  if (watchdog === undefined) {
    const here = fileURLToPath(import.meta.url)
    const file = here.replace(/Server(\.[jt]s)$/, "watchdog$1")
    watchdog = spawn(process.execPath, [file], { stdio: ["pipe", "ignore", "ignore"], detached: true })
    watchdog.unref()
    watchdog.on("error", () => {})
    watchdog.stdin!.on("error", () => {})
    ;(watchdog.stdin as net.Socket).unref()
    watchdog.stdin!.write(`mark ${mark}\n`)
  }
  watchdog.stdin!.write(`${line}\n`)
}

/** Whether somebody listens there. */
export const listens = (to: To): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(targetOf(to))
    const done = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once("connect", () => done(true)).once("error", () => done(false))
    socket.setTimeout(1000, () => done(false))
  })

/** Those that have not been ended yet. */
const running = new Set<Server>()

/** Ends whatever runs. */
export const endAll = async (): Promise<void> => {
  await Promise.all([...running].map((server) => server.end()))
}

process.on("exit", () => {
  for (const { pid } of running) killGroup(pid, "SIGKILL")
})

export class Server {
  readonly command: Command
  readonly pid: number
  /** When the signal that counts was sent, by `performance.now()`. */
  signalledAt: number | undefined
  output = ""
  readonly exited: Promise<void>
  private readonly child: ChildProcess
  /** The mark of its processes. */
  private readonly own: string
  /** Where it makes a socket that was not there before. */
  private readonly socketFile: string | undefined
  private readonly closed: Promise<void>
  private endedAt: number | undefined
  private spawnError: NodeJS.ErrnoException | undefined
  private isStopped = false

  private constructor(command: Command, child: ChildProcess, own: string, socketFile: string | undefined) {
    this.socketFile = socketFile
    this.command = command
    this.child = child
    this.own = own
    this.pid = child.pid ?? 0
    this.exited = new Promise((resolve) => {
      const ended = () => {
        this.endedAt ??= performance.now()
        resolve()
      }
      child.once("exit", ended)
      child.once("error", (error) => {
        this.spawnError = error
        ended()
      })
    })
    this.closed = new Promise((resolve) => child.once("close", () => resolve()))
    const hear = (text: string) => {
      // The end of a long log says more about an end than its beginning.
      this.output = (this.output + text).slice(-outputMax)
    }
    child.stderr?.setEncoding("utf8").on("data", hear)
    // Read, so that it never waits for us, and kept for the one that does not start.
    child.stdout?.setEncoding("utf8").on("data", hear)
  }

  /** Starts it and waits until it listens. Fails with {@link CannotStart}. */
  static async start(command: Command): Promise<Server> {
    const { startMillis, to, words } = command
    const where = describe(to)
    // The one of the scenario before may have left something.
    if (!(await until(2000, async () => !(await listens(to))))) {
      throw new CannotStart(`something else listens on ${where} already`, "")
    }
    const [file = "", ...args] = words
    const port = portOf(to)
    const own = `${mark}.${++started}`
    const path = pathOf(to)
    const socketFile = path !== undefined && !isSocket(path) ? path : undefined
    const child = spawn(file, args, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, ...(port === undefined ? {} : { PORT: String(port) }), [markName]: own }
    })
    const server = new Server(command, child, own, socketFile)
    running.add(server)
    if (server.pid !== 0) tellWatchdog(`started ${server.pid}`)
    if (socketFile !== undefined) tellWatchdog(`socket ${socketFile}`)
    try {
      const from = performance.now()
      while (!(await listens(to))) {
        if (!server.alive) {
          if (server.spawnError !== undefined) throw new CannotStart(whyNot(file, server.spawnError), "")
          if (server.others().length > 0) throw server.isDaemon()
          throw server.cannotStart(`ended with ${server.how} before it listened on ${where}`)
        }
        if (performance.now() - from > startMillis) {
          throw server.cannotStart(`does not listen on ${where} within ${startMillis / 1000} s`)
        }
        await sleep(lookMillis)
      }
      // A daemon's parent leaves when its child listens.
      await sleep(lookMillis)
      if (!server.alive) {
        if (server.others().length > 0) throw server.isDaemon()
        throw server.cannotStart(`ended with ${server.how}, and something else listens on ${where}`)
      }
      return server
    } catch (error) {
      await server.end()
      throw error
    }
  }

  private cannotStart(problem: string): CannotStart {
    return new CannotStart(`the server ${problem}`, this.output)
  }

  private isDaemon(): CannotStart {
    return this.cannotStart(
      `started another process and ended (${this.how}): run it in the foreground, so that it can be told to stop`
    )
  }

  /** What it has started and still runs; where the system does not tell which, of its group. */
  private others(): ReadonlyArray<number> {
    const found = marked(this.own)?.filter((pid) => pid !== this.pid)
    return found ?? (!this.alive && killGroup(this.pid, 0) ? [this.pid] : [])
  }

  private get how(): string {
    return this.child.signalCode ?? `exit code ${this.child.exitCode}`
  }

  get alive(): boolean {
    return this.endedAt === undefined
  }

  /** Tells the process to stop. Times are counted from the latest signal. */
  signal(): void {
    this.signalledAt = performance.now()
    this.child.kill(this.command.signal)
  }

  /** Nothing of it runs any more, until {@link resume}: what comes waits in the kernel. */
  freeze(): void {
    this.isStopped = true
    killGroup(this.pid, "SIGSTOP")
  }

  resume(): void {
    this.isStopped = false
    killGroup(this.pid, "SIGCONT")
  }

  /**
   * Waits for the end, for so long after the signal, then kills; `beforeKill` sees the world as the server left it, when
   * something of it is left.
   */
  async ending(capMillis: number, beforeKill: () => Promise<void> = async () => {}): Promise<Ending> {
    const since = this.signalledAt ?? performance.now()
    const inTime = await settles(Math.max(0, since + capMillis - performance.now()), this.exited)
    const gaveUpAt = performance.now()
    if (inTime) await until(othersMillis, () => this.others().length === 0)
    const leftBehind = inTime ? this.others().length : 0
    if (!inTime || leftBehind > 0) await beforeKill()
    await this.end()
    const at = inTime ? (this.endedAt ?? gaveUpAt) : gaveUpAt
    return {
      exitCode: this.child.exitCode,
      exitSignal: this.child.signalCode,
      exitSeconds: this.signalledAt === undefined ? null : (at - this.signalledAt) / 1000,
      killed: !inTime,
      leftBehind
    }
  }

  /** Ends it, and all that it has started. */
  async end(): Promise<void> {
    if (this.isStopped) this.resume()
    killGroup(this.pid, "SIGKILL")
    if (this.alive) this.child.kill("SIGKILL")
    await settles(killedMillis, this.exited)
    endMarked(this.own)
    if (this.pid !== 0) tellWatchdog(`ended ${this.pid}`)
    running.delete(this)
    await this.removeSocketFile()
    // What keeps its pipes open must not keep us.
    await settles(250, this.closed)
    this.child.stdout?.destroy()
    this.child.stderr?.destroy()
  }

  /** A process that was killed leaves its socket file, and whoever is started next could not listen there. */
  private async removeSocketFile(): Promise<void> {
    const { socketFile } = this
    if (socketFile === undefined || (await listens(this.command.to))) return
    removeSocket(socketFile)
    tellWatchdog(`removed ${socketFile}`)
  }
}

const whyNot = (file: string, { code, message }: NodeJS.ErrnoException): string => {
  if (code === "ENOENT")
    return `${file}: there is no such command; what a shell would find or expand, a shell has to run`
  return code === "EACCES" ? `${file}: it may not be executed` : `${file} could not be started: ${message}`
}
