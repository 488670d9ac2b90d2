/**
 * HTTP servers that are told to stop while 64 connections keep asking: not one request is lost, and no answer is cut.
 *
 * The client is a process of its own, in a closed loop, and keeps book of each request that it sent (`http/Counts.ts`);
 * the server counts who has asked it. Both sums have to be the same. While nobody listens the client is refused, and
 * tries again: that is what a balancer is for, and test/httpNginx.test.ts has one.
 */
import { afterAll, assert, describe, it } from "vitest"
import { type Protocol, type Settings } from "./http/app.ts"
import { broken, brokenOf, type Counts, difference, noCounts } from "./http/Counts.ts"
import { Alone, childOf, type Drained, Hosted, type Running } from "./http/Drained.ts"
import { Load } from "./http/Load.ts"
import { table } from "./http/table.ts"
import type { Books } from "./http/wrk.ts"

const total = Number(process.env["FINWAIT_HTTP_DRAINS"] ?? 200)

/** How many drains there are of each kind. */
const share = (part: number) => Math.max(1, Math.round(total * part))
const drains = { signalled: share(0.12), hosted: share(0.58), tls: share(0.15), fresh: share(0.15) }

const connections = 64

/** Answers between two drains: some for each connection, so that all are kept alive and in use. */
const answersBetween = 6 * connections

/** Seconds are usual; this only tells an end from a hang. */
const timeout = 300_000

/** A connection that has been asked on within this time is answered once more. The clients' pauses are far below it. */
const keepAliveGraceMillis = 1_000

interface Drill {
  readonly drains: number
  readonly fresh?: number
  readonly settings?: Settings
  readonly start: (settings: Settings) => Promise<Running>
}

interface Played {
  readonly name: string
  readonly each: ReadonlyArray<Drained & { readonly counts: Counts }>
  /** Requests that servers were asked. */
  readonly asked: number
  readonly books: Books
}

const all: Array<Played> = []

/** Drains a server that is asked all the time, starts the next on the same port, and so on. */
const play = async (name: string, drill: Drill): Promise<Played> => {
  const first = { keepAliveGraceMillis, ...drill.settings }
  let server = await drill.start(first)
  const settings = { ...first, port: server.port }
  const tls = settings.protocol === "https"
  const load = await Load.start({ port: server.port, connections, tls, fresh: drill.fresh ?? 0 })
  try {
    const each: Array<Drained & { readonly counts: Counts }> = []
    let before = noCounts()
    let asked = 0
    for (let count = 0; count < drill.drains; count++) {
      await load.answered(answersBetween)
      const drained = await server.drain()
      asked += drained.asked
      server = await drill.start(settings)
      // What the old one has answered has been counted when the new one answers.
      await load.answered(connections)
      const { counts } = await load.books()
      each.push({ ...drained, counts: difference(counts, before) })
      before = { ...counts }
    }
    const books = await load.stop()
    asked += (await server.drain()).asked
    const played = { name, each, asked, books }
    all.push(played)
    return played
  } finally {
    load.kill()
  }
}

/** Nothing is lost of what was asked on a connection that a server had. */
const assertNothingLost = (played: Played, unheard: ReadonlyArray<keyof Counts> = []): void => {
  const { asked, books, each } = played
  const { counts, notes } = books
  const found = (counts: Counts) => brokenOf({ ...counts, ...Object.fromEntries(unheard.map((what) => [what, 0])) })
  each.forEach(({ counts, report }, index) => {
    assert.deepStrictEqual(found(counts), {}, `drain ${index + 1}: ${notes.join("\n")}`)
    assert.isTrue(report?.clean, `drain ${index + 1} was forced: ${JSON.stringify(report)}`)
  })
  assert.deepStrictEqual(found(counts), {}, notes.join("\n"))
  assert.strictEqual(asked, counts.whole, "came to servers, of those that were answered whole")
  if (unheard.length === 0) assert.strictEqual(counts.whole, counts.sent, "answered whole, of those that were sent")
}

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN

const heads = [
  "",
  "drains",
  "sent",
  "whole",
  ...broken,
  "told",
  "idle FIN",
  "turned away",
  "refused",
  "median ms",
  "worst ms"
]

const cells = ({ books: { counts }, each, name }: Played) => [
  name,
  each.length,
  counts.sent,
  counts.whole,
  ...broken.map((what) => counts[what]),
  counts.told,
  counts.idleFin,
  counts.turnedAway,
  counts.refused,
  Math.round(median(each.map(({ millis }) => millis))),
  Math.round(Math.max(...each.map(({ millis }) => millis)))
]

describe("HTTP servers that drain under load", { timeout }, () => {
  afterAll(() => {
    console.log(`Drains with ${connections} connections that keep asking\n\n${table(heads, all.map(cells))}\n`)
  })

  const hosted = async (name: string, drill: Omit<Drill, "start">) => {
    const host = childOf("host.ts")
    try {
      return await play(name, { ...drill, start: (settings) => Hosted.start(host, settings) })
    } finally {
      host.kill()
    }
  }

  it(`${drains.signalled} processes, one after the other, each told by SIGTERM`, async () => {
    const started: Array<Alone> = []
    const start = async (settings: Settings) => {
      const alone = await Alone.start(settings)
      started.push(alone)
      return alone
    }
    try {
      assertNothingLost(await play("SIGTERM", { drains: drains.signalled, start }))
    } finally {
      for (const { child } of started) child.kill()
    }
  })

  it(`${drains.hosted} servers of a process, one after the other, each at the end of its scope`, async () => {
    assertNothingLost(await hosted("end of scope", { drains: drains.hosted }))
  })

  it(`${drains.tls} servers that speak TLS`, async () => {
    const protocol: Protocol = "https"
    assertNothingLost(await hosted("TLS", { drains: drains.tls, settings: { protocol } }))
  })

  it(`${drains.fresh} servers where a quarter of the clients connect for each request`, async () => {
    const played = await hosted("new connections", { drains: drains.fresh, fresh: connections / 4 })
    // Who connects between the last look at the backlog and the end of the listener is reset by the kernel: no server
    // has heard of it, and the sum of those that were asked says so.
    assertNothingLost(played, ["reset", "unasked"])
  })

  it("servers that end as they are often written are found out", async () => {
    // FIN at once, to whoever has been answered and is about to ask again.
    const settings = { keepAliveGraceMillis: 0 }
    const { counts } = (await hosted("no grace", { drains: 20, settings })).books
    assert.isAbove(counts.crossed + counts.reset, 0)
    assert.isBelow(counts.whole, counts.sent)

    // Effect's own waits for connections that nobody ends, until its supervisor has waited long enough.
    const started: Array<Alone> = []
    const start = async (settings: Settings): Promise<Running> => {
      const alone = await Alone.start({ ...settings, by: "Effect" })
      started.push(alone)
      return { port: alone.port, asked: (least) => alone.asked(least), drain: () => alone.killed(1_000) }
    }
    try {
      const { counts } = (await play("Effect's, killed", { drains: 5, start })).books
      assert.isAbove(counts.reset + counts.lost + counts.crossed + counts.cut + counts.resetAnswering, 0)
    } finally {
      for (const { child } of started) child.kill()
    }
  })
})
