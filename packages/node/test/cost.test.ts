/**
 * What a connection and a message cost, in what can be counted. How fast they are is the benchmark's business.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { Program } from "../../../test/tools/Program.ts"
import { RawClient } from "../../../test/tools/RawClient.ts"

interface Counts {
  readonly sockets: number
  readonly listeners: number
  readonly functions: Readonly<Record<string, number>>
  readonly timers: number
  readonly fibers: number
  readonly allocatedBytes: number
}

const connections = 20
const message = "x".repeat(64)
/** Until V8 has compiled what runs often, and allocates as it always will. */
const warmUp = 500
const messages = 500
/** Only tells an end from a hang. */
const enough = 60_000

class Costs {
  readonly program: Program
  private readonly url: string
  private clients: ReadonlyArray<RawClient> = []
  private asked = 0
  private answered = 0

  private constructor(program: Program, url: string) {
    this.program = program
    this.url = url
  }

  static async of(handler: string): Promise<Costs> {
    const program = new Program(new URL("fixtures/costs.ts", import.meta.url), { env: { HANDLER: handler } })
    return new Costs(program, await program.listening())
  }

  async connect(): Promise<void> {
    this.clients = await Promise.all(Array.from({ length: connections }, () => RawClient.connect(this.url)))
  }

  /** So many messages on every connection, one after the other. */
  async talk(messages: number): Promise<void> {
    const before = this.answered
    this.answered += messages
    await Promise.all(
      this.clients.map(async (client) => {
        for (let i = 1; i <= messages; i++) {
          await client.send(message)
          await client.hears((before + i) * message.length)
        }
      })
    )
  }

  async counts(): Promise<Counts> {
    this.asked++
    this.program.signal("SIGUSR2")
    await this.program.hasSaid(1 + this.asked)
    return this.program.said[this.asked] as unknown as Counts
  }

  end(): void {
    for (const { socket } of this.clients) socket.destroy()
    this.program.kill()
  }
}

/** What was counted while nobody was connected, when all were, and before and after many messages. */
const measured = async (handler: string) => {
  const costs = await Costs.of(handler)
  try {
    const idle = await costs.counts()
    await costs.connect()
    await costs.talk(1)
    const open = await costs.counts()
    await costs.talk(warmUp)
    const before = await costs.counts()
    await costs.talk(messages)
    const after = await costs.counts()
    const allocated = (after.allocatedBytes - before.allocatedBytes) / (messages * connections)
    return { idle, open, before, after, allocatedPerMessage: allocated }
  } finally {
    costs.end()
  }
}
type Measured = Awaited<ReturnType<typeof measured>>

/** Fibers that there have been between two counts, but for the one that counts. */
const fibersBetween = (one: Counts, other: Counts): number => other.fibers - one.fibers - 1

let bare: Measured
beforeAll(async () => {
  bare = await measured("raw")
}, enough)

describe.each([
  ["each", { fibersPerConnection: 0, bytesPerMessage: 200 }],
  ["pull", { fibersPerConnection: 1, bytesPerMessage: 1400 }]
] as const)("what `%s` costs", (handler, { bytesPerMessage, fibersPerConnection }) => {
  let costs: Measured
  beforeAll(async () => {
    costs = await measured(handler)
  }, enough)

  it("per connection: no timer, no listener made for it, and no more fibers than it needs", () => {
    const { idle, open } = costs
    assert.strictEqual(open.sockets, connections)
    assert.strictEqual(open.timers, idle.timers)
    assert.strictEqual(fibersBetween(idle, open), fibersPerConnection * connections)
    assert.deepStrictEqual(open.functions, { data: 1, error: 1, close: 1 }, "shared by all")
    assert.deepStrictEqual(bare.open.functions, { data: connections, error: connections, close: 0 })
    // Who closes gracefully hears of the end and of the release as well.
    assert.strictEqual(open.listeners, bare.open.listeners + 2)
  })

  it("per message: no fiber, no timer, no listener", () => {
    const { after, before } = costs
    assert.strictEqual(fibersBetween(before, after), 0)
    assert.strictEqual(after.timers, before.timers)
    assert.strictEqual(after.listeners, before.listeners)
  })

  it(`per message: at most ${bytesPerMessage} bytes more than node:net allocates`, ({ skip }) => {
    if (bare.after.allocatedBytes === 0) return skip("this Node does not count what it allocates")
    const { allocatedPerMessage } = costs
    const most = bare.allocatedPerMessage + bytesPerMessage
    assert.isBelow(allocatedPerMessage, most, `node:net allocates ${bare.allocatedPerMessage}`)
  })
})

/** The system calls of a server while every connection says so many messages; `undefined` where nobody can count. */
const systemCalls = async (handler: string): Promise<Record<string, number> | undefined> => {
  const folder = mkdtempSync(join(tmpdir(), "finwait-cost-"))
  const costs = await Costs.of(handler)
  try {
    await costs.connect()
    await costs.talk(1)
    const file = join(folder, "calls")
    const strace = spawn("strace", ["-f", "-c", "-o", file, "-p", String(costs.program.pid)])
    const attached = await Promise.race([
      once(strace.stderr, "data").then(([text]) => String(text).includes("attached")),
      once(strace, "error").then(() => false),
      once(strace, "exit").then(() => false)
    ])
    if (!attached) return undefined
    await costs.talk(100)
    strace.kill("SIGINT")
    await once(strace, "exit")
    const lines = readFileSync(file, "utf8").matchAll(/^ *[\d.]+ +[\d.]+ +\d+ +(\d+)(?: +\d+)? +(\w+)$/gm)
    return Object.fromEntries([...lines].map(([, calls, name]) => [name!, Number(calls)]))
  } finally {
    costs.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

describe("system calls", () => {
  it.for(["each", "pull"])(
    "per message: one write and one read, as node:net has (%s)",
    { timeout: enough },
    async (handler, { skip }) => {
      const calls = await systemCalls(handler)
      if (calls === undefined) return skip("strace is not there, or may not look at another process")
      const said = connections * 100
      // A few are the event loop's own.
      for (const name of ["write", "read"]) {
        assert.isAtLeast(calls[name] ?? 0, said, name)
        assert.isBelow(calls[name] ?? 0, said * 1.02, name)
      }
      for (const name of ["shutdown", "close", "setsockopt", "getpeername", "epoll_ctl", "mmap", "munmap"]) {
        assert.isBelow(calls[name] ?? 0, said * 0.1, name)
      }
    }
  )
})

/** Drains connections, and returns what V8 has made anew meanwhile: how often which fields. */
const remade = async (connections: number): Promise<ReadonlyMap<string, number>> => {
  const folder = mkdtempSync(join(tmpdir(), "finwait-remade-"))
  try {
    // V8 writes straight to its output, and loses what a pipe does not take at once.
    const file = join(folder, "said")
    const program = new Program(new URL("fixtures/remade.ts", import.meta.url), {
      env: { CONNECTIONS: String(connections), SAID: file },
      through: ["sh", "-c", 'exec "$@" > "$SAID"', "sh"]
    })
    const { code } = await program.ended(enough)
    assert.strictEqual(code, 0, program.stderr)
    const said = readFileSync(file, "utf8")
    assert.include(said, `drained ${connections}, ${connections} graceful`)
    const counts = new Map<string, number>()
    for (const [, shape = ""] of said.matchAll(/\[migrating\](.*)/g)) {
      const fields = shape.replaceAll(/0x[0-9a-f]+/g, "")
      counts.set(fields, (counts.get(fields) ?? 0) + 1)
    }
    return counts
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe("many closes at once", () => {
  // Where an integer of one object becomes a fraction, V8 makes all others of its class anew, one by one, when they are next
  // touched: in a drain that is every connection.
  it("have V8 make none of their objects anew", { timeout: enough }, async () => {
    const connections = 200
    const many = [...(await remade(connections))].filter(([, times]) => times > connections / 4)
    const isShown = ([fields]: readonly [string, number]) => fields.includes("wasAnInteger:s->d")
    assert.isTrue(many.some(isShown), "what it tells of is not told")
    // Node's timers of sockets, by the first sleep of a fraction of a millisecond: an application's own does the same.
    const isTimer = ([fields]: readonly [string, number]) => fields.startsWith("_idleTimeout:s->d")
    const others = many.filter((one) => !isShown(one) && !isTimer(one))
    assert.deepStrictEqual(others, [])
  })
})
