/**
 * The ends of connections as they are on the wire: who has sent how many FIN and RST. By `tcpdump`, which needs the right to
 * capture; only packets with these flags are looked at.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { messageOf } from "../messageOf.ts"
import { settles, sleep } from "../Waiting.ts"
import { CannotStart, tellWatchdog } from "./Server.ts"

const startMillis = 10_000
/** What was sent a moment ago is told a moment later. */
const lateMillis = 100

const kinds = [
  "FIN sent by the server",
  "RST sent by the server",
  "FIN sent by clients",
  "RST sent by clients"
] as const
type Kind = (typeof kinds)[number]

export class Capture {
  private readonly child: ChildProcess
  private counts = new Map<Kind, number>()

  private constructor(child: ChildProcess, port: number) {
    this.child = child
    const ofServer = new RegExp(`^IP6? \\S+\\.${port} > `)
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const who = ofServer.test(line) ? "the server" : "clients"
      // Who connects where nobody listens is not one of the connections.
      if (/Flags \[R\.\], seq 0, /.test(line)) return
      const flags = /Flags \[([^\]]*)\]/.exec(line)?.[1] ?? ""
      if (flags.includes("F")) this.count(`FIN sent by ${who}`)
      if (flags.includes("R")) this.count(`RST sent by ${who}`)
    })
  }

  static async start(port: number): Promise<Capture> {
    const filter = `tcp port ${port} and tcp[tcpflags] & (tcp-fin | tcp-rst) != 0`
    const words = ["-i", process.platform === "linux" ? "lo" : "lo0", "-n", "-t", "-l", "--immediate-mode", filter]
    const child = spawn("tcpdump", words, { stdio: ["ignore", "pipe", "pipe"], detached: true })
    if (child.pid !== undefined) tellWatchdog(`started ${child.pid}`)
    process.on("exit", () => child.kill("SIGKILL"))
    let said = ""
    const listens = new Promise<void>((resolve, reject) => {
      child.on("error", (error) => reject(error))
      child.on("exit", () => reject(new Error(said.trim())))
      child.stderr.on("data", (text) => {
        said += String(text)
        if (said.includes("listening on")) resolve()
      })
    })
    try {
      if (!(await settles(startMillis, listens))) throw new Error(`nothing within ${startMillis / 1000} s`)
      await listens
      return new Capture(child, port)
    } catch (error) {
      child.kill("SIGKILL")
      throw new CannotStart(`--capture: tcpdump says ${messageOf(error)}`, "")
    }
  }

  private count(kind: Kind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
  }

  /** Since it was asked last. */
  async take(): Promise<Record<string, number>> {
    await sleep(lateMillis)
    const taken = Object.fromEntries(kinds.map((kind) => [kind, this.counts.get(kind) ?? 0]))
    this.counts = new Map()
    return taken
  }

  end(): void {
    this.child.removeAllListeners("exit")
    this.child.kill("SIGTERM")
    if (this.child.pid !== undefined) tellWatchdog(`ended ${this.child.pid}`)
  }
}
