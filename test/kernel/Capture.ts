/** A capture on the server's device, from before the first connection until after the last. */
import { join } from "node:path"
import { sleep } from "../../packages/cli/src/Waiting.ts"
import { inside } from "./commands.ts"
import { type Conversations, readConversations } from "./Conversations.ts"
import { serverAddress } from "./Link.ts"
import type { Namespaces } from "./Namespaces.ts"
import { Process } from "./Process.ts"

const startMillis = 20_000
const stopMillis = 60_000

/** The kernel hands captured packets over by the block, a block once a second at the latest. */
const lastBlockMillis = 2_000

/** Headers only: 14 of Ethernet, 60 of IP and 60 of TCP at most. */
const snapBytes = 134

/** What may wait while nobody has the time to write it down. */
const bufferKiB = 128 * 1024

export class Capture {
  private readonly tcpdump: Process
  private readonly path: string

  private constructor(tcpdump: Process, path: string) {
    this.tcpdump = tcpdump
    this.path = path
  }

  static async start(namespaces: Namespaces, name: string): Promise<Capture> {
    const path = join(namespaces.folder, `${name}.pcap`)
    const options = ["-i", "srv0", "-n", "-Z", "root", "-s", String(snapBytes), "-B", String(bufferKiB), "-w", path]
    const tcpdump = new Process([...inside(namespaces.server), "tcpdump", ...options, "tcp"])
    await tcpdump.says("listening on", startMillis)
    return new Capture(tcpdump, path)
  }

  /** Ends it and reads it. A capture that has missed something proves nothing, and is an error. */
  async read(): Promise<Conversations> {
    await sleep(lastBlockMillis)
    await this.tcpdump.stop(stopMillis)
    const missed = /(\d+) packets? dropped by kernel/.exec(this.tcpdump.stderr)?.[1]
    if (missed !== "0") throw new Error(`the capture missed ${missed ?? "an unknown number of"} packets`)
    return readConversations(this.path, serverAddress)
  }
}
