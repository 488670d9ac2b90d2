/**
 * Two instances behind nginx, replaced one after the other under load: not one 502, and nothing that an instance was asked
 * and did not answer. Without nginx this is skipped, and says so.
 *
 * What nginx hides has to be told from what the servers do. It asks the next instance when one refuses to be connected to,
 * which is fair: nobody has heard the request. It asks again as well when a connection ends without an answer, which would
 * hide what is looked for here; but it writes down every such end, and the servers count who has asked them. So where it
 * may ask the next one, nobody may have been asked twice. And where it may not (`proxy_next_upstream off`), it is told to
 * use the next instance in the moment in which the old one is told to stop, and the lame duck is there for those who have
 * not heard yet.
 */
import { freePort } from "@finwait/cli/check/freePort"
import { afterAll, assert, describe, it } from "vitest"
import type { Child } from "./kernel/Child.ts"
import { brokenOf, type Counts } from "./http/Counts.ts"
import { Alone, childOf, type Drained, Hosted, type Running } from "./http/Drained.ts"
import { Load } from "./http/Load.ts"
import { type Complaints, Nginx, nginxPath, type Upstreams } from "./http/Nginx.ts"
import { table } from "./http/table.ts"
import type { Load as Options } from "./http/wrk.ts"

const note = nginxPath === undefined ? " (skipped here, there is no nginx)" : ""

const replacements = Number(process.env["FINWAIT_HTTP_REPLACEMENTS"] ?? 50)

const connections = 64

/** What an instance has to be asked before it is told to stop. */
const askedBefore = 300

/** In which nginx hears of the next instance, and ends with the old one what it has begun. */
const lameDuckMillis = 500

/** A minute is usual; this only tells an end from a hang. */
const timeout = 300_000

interface Played {
  readonly name: string
  readonly drained: ReadonlyArray<Drained>
  readonly asked: number
  readonly counts: Counts
  readonly notes: ReadonlyArray<string>
  readonly complaints: Complaints
}

const all: Array<Played> = []

/** Replaces an instance by the next, which it starts; says what became of the old one. */
type Replace = (
  old: Running,
  at: number,
  use: (next: Running) => void
) => Promise<{ readonly drained: Drained; readonly next: Running }>

interface Drill {
  readonly next: Upstreams["next"]
  readonly load: Partial<Options>
  readonly replace: Replace
}

const play = async (name: string, instances: Array<Running>, { load: how, next, replace }: Drill): Promise<Played> => {
  const upstreams = (): Upstreams => ({ next, ports: instances.map(({ port }) => port) })
  const nginx = await Nginx.start(await freePort("127.0.0.1"), upstreams())
  const load = await Load.start({ port: nginx.port, connections, ...how })
  try {
    const all: Array<Drained> = []
    for (let count = 0; count < replacements; count++) {
      const at = count % instances.length
      // Both are in use, and connections to both are kept alive.
      await Promise.all(instances.map((instance) => instance.asked(askedBefore)))
      const { drained, next } = await replace(instances[at]!, at, (next) => {
        instances[at] = next
        nginx.use(upstreams())
      })
      all.push(drained)
      instances[at] = next
    }
    await load.answered(askedBefore)
    const { counts, notes } = await load.stop()
    for (const instance of instances) all.push(await instance.drain())
    const asked = all.reduce((sum, { asked }) => sum + asked, 0)
    const { complaints, said } = nginx
    return { name, drained: all, asked, counts, notes: [...notes, said.slice(-2_000)], complaints }
  } finally {
    load.kill()
    await nginx.stop()
  }
}

const assertNothingLost = (played: Played): void => {
  all.push(played)
  const { asked, complaints, counts, drained, notes } = played
  const text = notes.join("\n")
  assert.deepStrictEqual(brokenOf(counts), {}, text)
  assert.strictEqual(counts.whole, counts.sent, text)
  // Nobody was asked twice.
  assert.strictEqual(asked, counts.sent, text)
  const { closed, noneLeft, timedOut } = complaints
  assert.deepStrictEqual({ closed, noneLeft, timedOut }, { closed: 0, noneLeft: 0, timedOut: 0 }, text)
  for (const { report } of drained) assert.isTrue(report?.clean, JSON.stringify(report))
}

const heads = ["", "replaced", "sent", "whole", "502, 504 …", "lost", "asked", "refused", "reset", "closed"]

const cells = ({ asked, complaints, counts, drained, name }: Played) => [
  name,
  drained.length - 2,
  counts.sent,
  counts.whole,
  counts.wrong,
  counts.sent - counts.whole - counts.wrong,
  asked,
  complaints.refused,
  complaints.reset,
  complaints.closed
]

describe.skipIf(nginxPath === undefined)(`two instances behind nginx${note}`, { timeout }, () => {
  afterAll(() => {
    console.log(
      `Instances replaced behind nginx (behind "asked" is what it wrote down)\n\n${table(heads, all.map(cells))}\n`
    )
  })

  it(`${replacements} times one that ends before the next begins: nginx asks the other one`, async () => {
    const hosts: ReadonlyArray<Child> = [childOf("host.ts"), childOf("host.ts")]
    try {
      const instances = await Promise.all(hosts.map((host) => Hosted.start(host, {})))
      // Only GETs: who connects in the moment in which nobody listens any more is reset by the kernel, and no server has
      // heard of it; a POST is not asked again then.
      const played = await play("one after the other", instances, {
        next: "error timeout",
        load: { posts: false },
        replace: async (old, at) => {
          const drained = await old.drain()
          return { drained, next: await Hosted.start(hosts[at]!, { port: old.port }) }
        }
      })
      assertNothingLost(played)
    } finally {
      for (const host of hosts) host.kill()
    }
  })

  it(`${replacements} times a process, told by SIGTERM when the next one is there: nginx asks nobody else`, async () => {
    const started: Array<Promise<Alone>> = []
    const start = () => {
      const alone = Alone.start({ lameDuckMillis })
      started.push(alone)
      return alone
    }
    // A process takes as long to start as a drain takes: the next one starts meanwhile.
    let coming = start()
    try {
      const played = await play("rolled out", await Promise.all([start(), start()]), {
        next: "off",
        // Each connects to nginx anew: what it keeps alive itself, it ends in the middle of things when it is reconfigured.
        load: { fresh: connections },
        replace: async (old, _at, use) => {
          const next = await coming
          coming = start()
          const drained = old.drain()
          use(next)
          return { drained: await drained, next }
        }
      })
      assertNothingLost(played)
      const { refused, reset } = played.complaints
      assert.deepStrictEqual({ refused, reset }, { refused: 0, reset: 0 }, played.notes.join("\n"))
    } finally {
      for (const alone of await Promise.all(started)) alone.child.kill()
    }
  })
})
