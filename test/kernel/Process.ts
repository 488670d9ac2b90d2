/** A command of the system that runs for as long as the suite, in a namespace, where the guard ends it. */
import { type ChildProcess, spawn } from "node:child_process"
import { Watch } from "../tools/Watch.ts"

export class Process {
  stderr = ""
  private readonly child: ChildProcess
  private readonly watch = new Watch()
  private over = false

  constructor(words: ReadonlyArray<string>) {
    const [command, ...args] = words
    this.child = spawn(command!, args, { stdio: ["ignore", "ignore", "pipe"] })
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text
      this.watch.changed()
    })
    const end = () => {
      this.over = true
      this.watch.changed()
    }
    this.child.once("close", end)
    this.child.once("error", (error) => {
      this.stderr += error.message
      end()
    })
  }

  /** Waits until it has said this on standard error. */
  async says(text: string, millis: number): Promise<void> {
    const said = () => this.stderr.includes(text)
    await this.watch.until(
      () => said() || this.over,
      millis,
      () => `"${text}" is said: ${this.stderr}`
    )
    if (!said()) throw new Error(`ended before it said "${text}": ${this.stderr}`)
  }

  /** Ends it in good order. */
  async stop(millis: number): Promise<void> {
    this.child.kill("SIGINT")
    await this.watch.until(
      () => this.over,
      millis,
      () => `it ends: ${this.stderr}`
    )
  }
}
