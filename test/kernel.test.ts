/**
 * The close and the drain on the kernel's own terms: servers and clients in network namespaces of their own, a link
 * between them that is late, loses packets and goes down, and a capture that says who sent FIN and who RST.
 *
 * It needs Linux, root, `ip`, `tcpdump`, and either netem in the kernel or `socat` and TUN devices. Where one of them is
 * missing the tests are skipped, and their names say what was.
 */
import { readFileSync } from "node:fs"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { sleep } from "../packages/cli/src/Waiting.ts"
import { Capture } from "./kernel/Capture.ts"
import type { Way } from "./kernel/careless.ts"
import { Child } from "./kernel/Child.ts"
import { inside } from "./kernel/commands.ts"
import { type Fault, type Finding, judge } from "./kernel/judge.ts"
import { type Link, makeLink } from "./kernel/Link.ts"
import { Namespaces } from "./kernel/Namespaces.ts"
import { type Kind, type Plan, plan } from "./kernel/plans.ts"
import { paced } from "./kernel/Pace.ts"
import { play, type Played } from "./kernel/play.ts"
import { probe } from "./kernel/probe.ts"
import { clean, roleOf } from "./kernel/Roles.ts"
import { hosted, processes } from "./kernel/servers.ts"
import { type Row, table } from "./kernel/table.ts"

const seed = Number(process.env["FINWAIT_SEED"] ?? 1)

const drains = Number(process.env["FINWAIT_KERNEL_DRAINS"] ?? 1_000)
/** About as many of them are whole processes, told by a signal; every so many, an odd number, so that all kinds are. */
const signalled = 24
const signalledEvery = Math.floor(drains / signalled) | 1

/** Two minutes are usual; this only tells an end from a hang. */
const timeout = 900_000

const kinds = ["clean", "forced"] as const

/** Whoever needs nothing done to a link of his own. */
const steady = clean.filter((role) => roleOf(role).link === "steady")

/** What has to be found in servers that end in these ways, and in which drains. */
const careless: Record<Way, { readonly kinds: ReadonlyArray<Kind>; readonly faults: ReadonlyArray<Fault> }> = {
  destroy: { kinds: ["clean", "forced"], faults: ["bytes", "FIN", "RST", "early RST", "FIN for RST", "report"] },
  destroySoon: { kinds: ["clean"], faults: ["bytes", "RST", "early RST"] },
  end: { kinds: ["forced"], faults: ["FIN for RST"] },
  wait: { kinds: ["forced"], faults: ["end"] }
}

const assertNothingFound = (findings: ReadonlyArray<Finding>): void => {
  const shown = findings.slice(0, 40).map(({ fault, text }) => `[${fault}] ${text}`)
  assert.strictEqual(findings.length, 0, shown.join("\n"))
}

const probed = await probe()
const missing = "missing" in probed ? probed.missing : undefined
const note = missing === undefined ? "" : ` (skipped here, there is no ${missing})`

describe.skipIf(missing !== undefined)(`on the kernel's own terms${note}`, { timeout }, () => {
  let namespaces: Namespaces
  let link: Link
  let clients: Child
  const rows: Array<Row> = []

  beforeAll(async () => {
    if ("missing" in probed) return
    namespaces = await Namespaces.make()
    link = await makeLink(probed.link, namespaces, seed)
    clients = new Child(inside(namespaces.client), "clients.ts")
  }, 60_000)

  afterAll(async () => {
    if (rows.length > 0) {
      const { lost, passed } = await link.counts()
      const algorithm = readFileSync("/proc/sys/net/ipv4/tcp_congestion_control", "utf8").trim()
      const segments = rows.reduce((sum, { conversations }) => sum + conversations.segments, 0)
      const link_ = `${link.description}: ${passed.toLocaleString("en")} packets passed, ${lost.toLocaleString("en")} lost`
      console.log(`Drains on the kernel's own terms\n\n${table(rows)}\n\n${link_}\n${algorithm}, ${segments}\n`)
    }
    await namespaces?.remove()
  }, 60_000)

  it(`${drains.toLocaleString("en")} drains lose nothing that was promised, and none outlives its deadline`, async () => {
    const host = new Child(inside(namespaces.server), "host.ts")
    const capture = await Capture.start(namespaces, "drains")
    const plans = Array.from({ length: drains }, (_, group) => plan(group, group % 4 === 0 ? "forced" : "clean", seed))
    // Those of one process each among the others, not all at once.
    const isSignalled = ({ group }: Plan) => group % signalledEvery === 0
    const servers = { scope: hosted(host), process: processes(namespaces) }
    const of = (plan: Plan) => (isSignalled(plan) ? servers.process : servers.scope)
    const watched = [host, clients, link.child].filter((child) => child !== undefined)
    const all = await paced(
      plans.map((plan) => () => play(plan, { link, clients, servers: of(plan) })),
      async () => Math.max(...(await Promise.all(watched.map((child) => child.late()))))
    )
    host.kill()
    const conversations = await capture.read()
    const add = (name: string, played: ReadonlyArray<Played>) => {
      for (const kind of kinds) {
        const chosen = played.filter(({ plan }) => plan.kind === kind)
        rows.push({ name: `${name}, ${kind}`, played: chosen, conversations })
      }
    }
    add(
      "end of a scope",
      all.filter(({ plan }) => !isSignalled(plan))
    )
    add(
      "SIGTERM",
      all.filter(({ plan }) => isSignalled(plan))
    )
    assert.strictEqual(all.length, drains)
    assertNothingFound(all.flatMap((played) => judge(played, conversations)))
    assert.isAbove((await link.counts()).lost, 0, "packets that the link lost")
    assert.isAbove(conversations.sentAgain, 0, "segments that the servers had to send again")
  })

  it("a cable that is pulled during the drain and plugged in again costs nobody anything", async () => {
    const capture = await Capture.start(namespaces, "plugged")
    const roles = [...steady, ...steady, ...steady]
    const played = await play(plan(drains, "clean", seed, roles), {
      link,
      clients,
      servers: processes(namespaces),
      meanwhile: async () => {
        await sleep(60)
        await link.pull()
        await sleep(1_000)
        await link.plug()
      }
    })
    const conversations = await capture.read()
    rows.push({ name: "cable pulled for a second", played: [played], conversations })
    assertNothingFound(judge(played, conversations))
  })

  it("a cable that is pulled for good keeps no process from its end, nor its report from adding up", async () => {
    const capture = await Capture.start(namespaces, "pulled")
    const roles = [...steady, "silent", "staying"] as const
    const played = await play(plan(drains + 1, "forced", seed, roles), {
      link,
      clients,
      servers: processes(namespaces),
      meanwhile: async () => {
        await sleep(60)
        await link.pull()
      }
    })
    await link.plug()
    rows.push({ name: "cable pulled for good", played: [played], conversations: await capture.read() })
    assert.isUndefined(played.trouble)
    const { code, report } = played.drained!
    assert.strictEqual(report.connections, roles.length)
    assert.strictEqual(
      Object.values(report.outcomes).reduce((sum, count) => sum + count),
      roles.length
    )
    // Who is silent has bytes left that no cable takes away: those are given up, which is not a clean end.
    assert.isAtLeast(report.outcomes.Aborted, 1)
    assert.strictEqual(code, 1)
  })

  it("servers that end as they are often written are found out", async () => {
    const capture = await Capture.start(namespaces, "careless")
    const played = await Promise.all(
      Object.entries(careless).map(async ([way, { kinds }], index) => {
        const host = new Child(inside(namespaces.server), "careless.ts", [way])
        const plans = kinds.map((kind, at) => plan(drains + 10 * (index + 1) + at, kind, seed))
        const all = await Promise.all(plans.map((plan) => play(plan, { link, clients, servers: hosted(host) })))
        host.kill()
        return { way: way as Way, all }
      })
    )
    const conversations = await capture.read()
    for (const { all, way } of played) {
      const found = new Set(all.flatMap((one) => judge(one, conversations)).map(({ fault }) => fault))
      assert.includeMembers([...found], [...careless[way].faults], way)
      // What was found is no accident of a suite that could not play at all.
      assert.isTrue(
        all.every(({ records }) => records.length > 0),
        way
      )
    }
  })
})
