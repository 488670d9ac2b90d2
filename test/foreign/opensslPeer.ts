/** OpenSSL's own command, as a process: what it says, and how it ends. */
import { type ChildProcess, spawn } from "node:child_process"
import { within } from "../../packages/cli/src/Waiting.ts"
import { Watch } from "../tools/Watch.ts"

/** Only tells an end from a hang. */
const boundMillis = 12_000

export class OpenSsl {
  readonly child: ChildProcess
  /** Of both streams, as it comes. */
  said = ""
  private readonly closed: Promise<number | null>
  private readonly watch = new Watch()

  constructor(args: ReadonlyArray<string>) {
    this.child = spawn("openssl", args, { stdio: ["pipe", "pipe", "pipe"] })
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.said += text
        this.watch.changed()
      })
    }
    // Who writes to one that is gone already sees it in what it has said.
    this.child.stdin!.on("error", () => {})
    this.closed = new Promise((resolve) => this.child.once("close", resolve))
  }

  async says(what: string | RegExp): Promise<void> {
    const found = () => (typeof what === "string" ? this.said.includes(what) : what.test(this.said))
    await this.watch.until(found, boundMillis, () => `${what}\n${this.said}`)
  }

  types(text: string): void {
    this.child.stdin!.write(text)
  }

  /** Its exit code. */
  ended(): Promise<number | null> {
    return within(boundMillis, this.closed, `openssl ends\n${this.said}`)
  }
}
