/**
 * A subject as a process: started on Node itself (a signal to npm or pnpm would reach a wrapper), signalled, watched,
 * and ended in any case.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { readdirSync, readlinkSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Limits from "./Limits.ts"
import { subjectExists, subjectFile } from "./subjects.ts"
import { settles, within } from "@finwait/cli/Waiting"

/** How a process ended, or that it did not. */
export interface Ending {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  /** From the signal to the end of the process; `null` without a signal. */
  readonly secondsToExit: number | null
  /** It went on until it was killed, after so long as `secondsToExit` says. */
  readonly killed: boolean
}

const startMillis = 20_000
const leash = fileURLToPath(new URL("leash.ts", import.meta.url))
const running = new Set<ChildProcess>()

// The leash ends the children when this process dies; this ends them when it leaves in good order.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

/** A child of Node on a file, held on the leash; `through` is a command that runs it (`sh -c …`), if there is one. */
export const spawnNode = (
  file: URL,
  args: ReadonlyArray<string>,
  env: Record<string, string>,
  through: ReadonlyArray<string> = []
): ChildProcess => {
  const [command, ...words] = [...through, process.execPath, "--import", leash, fileURLToPath(file), ...args]
  const child = spawn(command!, words, {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: { ...inherited(), ...env }
  })
  running.add(child)
  child.once("exit", () => running.delete(child))
  child.once("error", () => running.delete(child))
  return child
}

// A subject runs as it would on its own: not in the test runner's mode, nor with its options for Node.
const inherited = () => {
  const { NODE_ENV: _mode, NODE_OPTIONS: _options, VITEST: _runner, ...rest } = process.env
  return rest
}

export class ServerProcess {
  readonly subject: string
  readonly pid: number
  port = 0
  /** When the signal that counts was sent, by `performance.now()`. */
  signalledAt: number | undefined
  /** The subject's own account of the drain, when it gives one. */
  drained: unknown
  stderr = ""
  readonly exited: Promise<void>

  private readonly child: ChildProcess
  private readonly closed: Promise<void>
  private endedAt: number | undefined
  private stdout = ""

  private constructor(subject: string, child: ChildProcess) {
    this.subject = subject
    this.child = child
    this.pid = child.pid ?? 0
    this.exited = new Promise((resolve) => {
      const ended = () => {
        this.endedAt ??= performance.now()
        resolve()
      }
      child.once("exit", ended)
      child.once("error", ended)
    })
    this.closed = new Promise((resolve) => child.once("close", () => resolve()))
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      // The end of a long log says more about an end than its beginning.
      this.stderr = (this.stderr + text).slice(-8_000)
    })
  }

  static async start(subject: string, limits: Partial<Limits.Limits>): Promise<ServerProcess> {
    if (!subjectExists(subject)) throw new Error(`no such subject: ${fileURLToPath(subjectFile(subject))}`)
    const server = new ServerProcess(subject, spawnNode(subjectFile(subject), [], Limits.toEnv(limits)))
    try {
      await within(startMillis, Promise.race([server.readStdout(), server.diedEarly()]), `${subject} listens`)
      return server
    } catch (error) {
      server.kill()
      throw new Error(`${subject} did not start\n${server.stderr}`, { cause: error })
    }
  }

  private readStdout(): Promise<void> {
    return new Promise((resolve) => {
      this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        const lines = (this.stdout + text).split("\n")
        this.stdout = lines.pop() ?? ""
        for (const line of lines) if (this.readLine(line)) resolve()
      })
    })
  }

  // Lines that are no JSON are somebody's print statement and none of the contract's business.
  private readLine(line: string): boolean {
    let said: { listening?: string; drained?: unknown }
    try {
      said = JSON.parse(line)
    } catch {
      return false
    }
    if (said.drained !== undefined) this.drained = said.drained
    if (said.listening === undefined) return false
    this.port = Number(new URL(said.listening).port)
    return true
  }

  private async diedEarly(): Promise<never> {
    await this.exited
    throw new Error(`ended with ${this.child.exitCode ?? this.child.signalCode} before it listened`)
  }

  get alive(): boolean {
    return this.endedAt === undefined
  }

  /** Tells the process to stop. Times are counted from the latest signal. */
  stop(): void {
    this.signalledAt = performance.now()
    this.child.kill("SIGTERM")
  }

  kill(): void {
    if (this.alive) this.child.kill("SIGKILL")
  }

  /** Waits for the end, for so long after the signal, then kills; `beforeKill` sees the world as the server left it. */
  async ending(capMillis: number, beforeKill = () => {}): Promise<Ending> {
    const since = this.signalledAt ?? performance.now()
    const inTime = await settles(Math.max(0, since + capMillis - performance.now()), this.exited)
    const gaveUpAt = performance.now()
    if (!inTime) beforeKill()
    this.kill()
    await within(5_000, this.exited, `${this.subject} ends by SIGKILL`)
    // A grandchild that keeps the pipes open must not keep us.
    await settles(1_000, this.closed)
    const end = inTime ? (this.endedAt ?? gaveUpAt) : gaveUpAt
    return {
      exitCode: this.child.exitCode,
      signal: this.child.signalCode,
      secondsToExit: this.signalledAt === undefined ? null : (end - this.signalledAt) / 1000,
      killed: !inTime
    }
  }

  /** How many descriptors of the process are sockets, pipes to us among them; `undefined` where there is no /proc. */
  sockets(): number | undefined {
    const folder = `/proc/${this.pid}/fd`
    try {
      return readdirSync(folder).filter((fd) => linkOf(`${folder}/${fd}`).startsWith("socket:")).length
    } catch {
      return undefined
    }
  }
}

// A descriptor may be closed between the listing and the look at it.
const linkOf = (path: string): string => {
  try {
    return readlinkSync(path)
  } catch {
    return ""
  }
}
