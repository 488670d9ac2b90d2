/** A program under test, as a process of its own: what it says, line by line, and how it ends. */
import type { ChildProcess } from "node:child_process"
import { spawnNode } from "../../packages/scorecard/src/ServerProcess.ts"
import { within } from "../../packages/cli/src/Waiting.ts"
import { Watch } from "./Watch.ts"

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Only tells an end from a hang, on a machine that may be busy with everything else. */
const boundMillis = 12_000

export class Program {
  readonly child: ChildProcess
  stdout = ""
  stderr = ""
  private readonly watch = new Watch()
  private readonly closed: Promise<Ended>
  private over = false

  constructor(
    file: URL,
    options: { readonly env?: Record<string, string>; readonly through?: ReadonlyArray<string> } = {}
  ) {
    this.child = spawnNode(file, [], options.env ?? {}, options.through)
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text
      this.watch.changed()
    })
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text
      this.watch.changed()
    })
    this.closed = new Promise((resolve) =>
      this.child.once("close", (code, signal) => {
        this.over = true
        this.watch.changed()
        resolve({ code, signal })
      })
    )
  }

  get pid(): number {
    return this.child.pid!
  }

  /** The whole lines of standard output so far. */
  get lines(): ReadonlyArray<string> {
    return this.stdout.split("\n").slice(0, -1)
  }

  /** What the lines that are JSON say: one object each. */
  get said(): ReadonlyArray<Record<string, any>> {
    return this.lines.map((line) => JSON.parse(line))
  }

  /** Waits until a text was printed, on either stream. */
  async says(text: string): Promise<void> {
    const found = () => this.stdout.includes(text) || this.stderr.includes(text)
    await this.watch.until(
      () => found() || this.over,
      boundMillis,
      () => `"${text}" is said\n${this.transcript}`
    )
    if (!found()) throw new Error(`ended without saying "${text}"\n${this.transcript}`)
  }

  /** Waits until it has printed so many lines. */
  async hasSaid(lines: number): Promise<void> {
    await this.watch.until(
      () => this.lines.length >= lines,
      boundMillis,
      () => `${lines} lines\n${this.transcript}`
    )
  }

  /** Waits for the line that says where it listens, and returns the address. */
  async listening(): Promise<string> {
    await this.says(`"listening"`)
    await this.watch.until(
      () => this.lines.length > 0,
      boundMillis,
      () => "a whole line"
    )
    return this.said[0]!["listening"]
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }

  /** Waits for its end, and for the last of what it said. */
  async ended(millis = boundMillis): Promise<Ended> {
    try {
      return await within(millis, this.closed, "the program ends")
    } catch (error) {
      throw new Error(this.transcript, { cause: error })
    } finally {
      this.kill()
    }
  }

  kill(): void {
    if (!this.over) this.child.kill("SIGKILL")
  }

  private get transcript(): string {
    return `--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`
  }
}
