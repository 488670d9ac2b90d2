/** A process of the suite, in one of its namespaces: asked and answered by lines of JSON, and gone when the test is. */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { within } from "../../packages/cli/src/Waiting.ts"
import { Watch } from "../tools/Watch.ts"
import type { Answer } from "./rpc.ts"

/** Only tells an end from a hang. */
const lateMillis = 20_000

const leash = fileURLToPath(new URL("../../packages/scorecard/src/leash.ts", import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

interface Waiting {
  readonly resolve: (value: never) => void
  readonly reject: (error: Error) => void
}

export class Child {
  readonly ended: Promise<Ended>
  stderr = ""
  private readonly child: ChildProcess
  private readonly name: string
  private readonly waiting = new Map<number, Waiting>()
  private readonly said = new Map<string, unknown>()
  private readonly watch = new Watch()
  private over: Ended | undefined
  private questions = 0

  /** Runs a file of this folder on Node, through a command that puts it into its namespace. */
  constructor(through: ReadonlyArray<string>, file: string, args: ReadonlyArray<string> = []) {
    this.name = file
    const path = fileURLToPath(new URL(file, import.meta.url))
    const [command, ...words] = [...through, process.execPath, "--import", leash, path, ...args]
    // Not in the test runner's mode, nor with its options for Node.
    const { NODE_ENV: _mode, NODE_OPTIONS: _options, VITEST: _runner, ...env } = process.env
    this.child = spawn(command!, words, { stdio: ["pipe", "pipe", "pipe", "pipe"], env })
    this.child.stdin!.on("error", () => {})
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr = (this.stderr + text).slice(-8_000)
    })
    createInterface({ input: this.child.stdout! }).on("line", (line) => this.hear(line))
    this.ended = new Promise((resolve) => {
      const end = (ended: Ended) => {
        this.over ??= ended
        for (const { reject } of this.waiting.values()) reject(this.gone("an answer"))
        this.waiting.clear()
        this.watch.changed()
        resolve(this.over)
      }
      this.child.once("close", (code, signal) => end({ code, signal }))
      this.child.once("error", (error) => {
        this.stderr += error.message
        end({ code: null, signal: null })
      })
    })
  }

  /** Asks, and waits for the answer for so long. */
  ask<A = void>(name: string, argument: unknown, millis: number): Promise<A> {
    if (this.over !== undefined) return Promise.reject(this.gone(name))
    const id = ++this.questions
    const answered = new Promise<A>((resolve, reject) => this.waiting.set(id, { resolve, reject }))
    // Whoever gave up waiting is not told of the end.
    answered.catch(() => {})
    this.child.stdin!.write(`${JSON.stringify({ id, name, argument })}\n`)
    return within(millis, answered, `${this.name}: ${name}`)
  }

  /** By how many milliseconds its loop was late at worst, since it was last asked. One that is gone is not late. */
  late(): Promise<number> {
    return this.ask<number>("late", null, lateMillis).catch(() => 0)
  }

  /** What a line said of itself, under this name. */
  async says<A>(name: string, millis: number): Promise<A> {
    await this.watch.until(
      () => this.said.has(name) || this.over !== undefined,
      millis,
      () => `${this.name} says "${name}"\n${this.stderr}`
    )
    if (!this.said.has(name)) throw this.gone(`"${name}"`)
    return this.said.get(name) as A
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }

  kill(): void {
    if (this.over === undefined) this.child.kill("SIGKILL")
  }

  private hear(line: string): void {
    const heard = JSON.parse(line) as Record<string, unknown>
    if (typeof heard["id"] !== "number") {
      for (const [name, value] of Object.entries(heard)) this.said.set(name, value)
      this.watch.changed()
      return
    }
    const answer = heard as unknown as Answer
    const waiting = this.waiting.get(answer.id)
    this.waiting.delete(answer.id)
    if ("error" in answer) waiting?.reject(new Error(`${this.name}: ${answer.error}`))
    else waiting?.resolve(answer.value as never)
  }

  private gone(what: string): Error {
    return new Error(`${this.name} ended (${JSON.stringify(this.over)}) before ${what}\n${this.stderr}`)
  }
}
