/**
 * Network namespaces of our own, and the folder for our files, under a guard: a process that waits for this one to be
 * gone, however it goes, and then takes everything away.
 */
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ip, run } from "./commands.ts"

/** Whatever still runs in a namespace is ours: nobody else knows its name. */
const guard = `
trap "" INT TERM HUP
cat >/dev/null
folder=$1; shift
for name; do
  for pid in $(ip netns pids "$name"); do kill -9 "$pid"; done
  ip netns del "$name"
done
rm -rf "$folder"
`

export class Namespaces {
  readonly folder: string
  readonly server: string
  readonly middle: string
  readonly client: string
  private readonly guard

  private constructor() {
    const own = `finwait-${process.pid}-${randomBytes(3).toString("hex")}`
    this.server = `${own}-server`
    this.middle = `${own}-middle`
    this.client = `${own}-client`
    this.folder = mkdtempSync(join(tmpdir(), `${own}-`))
    // A session of its own: what a terminal sends to everybody is not for the one that cleans up behind them.
    this.guard = spawn("sh", ["-c", guard, "guard", this.folder, ...this.names], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"]
    })
    this.guard.stdin.on("error", () => {})
  }

  get names(): ReadonlyArray<string> {
    return [this.server, this.middle, this.client]
  }

  static async make(): Promise<Namespaces> {
    const made = new Namespaces()
    try {
      for (const name of made.names) {
        await run("ip", "netns", "add", name)
        await ip(name, "link", "set", "lo", "up")
        // The kernel's own chatter on a new link; a kernel without IPv6 has none.
        await made.set(name, "ipv6/conf/all/disable_ipv6", "1")
        await made.set(name, "ipv6/conf/default/disable_ipv6", "1")
      }
      return made
    } catch (error) {
      await made.remove()
      throw error
    }
  }

  /** A setting of a namespace's own network; one that the kernel does not have is left alone. */
  async set(name: string, setting: string, value: string): Promise<void> {
    const path = `/proc/sys/net/${setting}`
    await run("ip", "netns", "exec", name, "sh", "-c", `[ ! -e ${path} ] || echo ${value} >${path}`)
  }

  /** Ends what runs in them, and takes them away. */
  async remove(): Promise<void> {
    const gone = this.guard.exitCode === null && this.guard.pid !== undefined ? once(this.guard, "exit") : undefined
    this.guard.stdin.end()
    await gone
  }
}
