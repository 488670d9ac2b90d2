/**
 * That the benchmark measures: every subject of every kind of work answers, ratios are what they say, and a server that
 * is dead or wrong is an error and not a figure. Nothing here is timed.
 */
import {
  compile,
  Docs,
  Floors,
  Goals,
  Native,
  Processes,
  Profile,
  Report,
  Rounds,
  Rows,
  Statistics,
  Subjects,
  Text
} from "@finwait/bench"
import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"

beforeAll(compile, 60_000)

const main = join(import.meta.dirname, "../src/main.ts")
const bench = (...args: ReadonlyArray<string>) => spawnSync(process.execPath, [main, ...args], { encoding: "utf8" })

/** A row as it is, with fewer connections: whether it works, not how fast. */
const small = (row: Rows.Row): Rows.Row => ({ ...row, connections: Math.min(row.connections, 20) })
/** One row of each kind: those that differ in size only are served by the same code. */
const kinds = [
  ...new Map(
    Rows.rows
      .filter(({ figure }) => figure !== "simulated")
      .map((row) => [[row.mode, row.service, row.transport, row.begins, row.busyPercent].join(), row])
  ).values()
].map(small)
const native = Native.native()
const generators = [
  ...(native === undefined ? [] : [["in C", native] as const]),
  ["in Node", undefined] as const
] as const
/** Ten processes for a kind of work: it only has to end. */
const enough = 120_000

const result = (subject: string, values: ReadonlyArray<number>): Rounds.Result => ({
  subject,
  values,
  cpuMicros: 1,
  ownCpu: 0.5,
  errors: 0,
  unanswered: 0,
  resets: 0,
  open: 0,
  p99Micros: 0
})

const isWebDrain = ({ figure, transport }: Rows.Row): boolean =>
  figure === "closing" && (transport === "http" || transport === "h2" || transport === "upgraded")

const measures = async (row: Rows.Row, native: Native.Native | undefined, only: ReadonlyArray<string>) => {
  const options = { rounds: 1, seconds: 0.1, warmSeconds: 0, native, only, progress: () => {} }
  const measured = await Rounds.measure(row, options)
  assert.deepStrictEqual(
    measured.results.map(({ subject }) => subject),
    only
  )
  // Linux counts what a thread has run when it is taken off its core: one of so short a sample may have no count.
  const counted = measured.results.filter(({ cpuMicros }) => cpuMicros > 0)
  if (row.figure === "operations" && process.platform === "linux") assert.isNotEmpty(counted)
  for (const { errors, open, resets, subject, unanswered, values } of measured.results) {
    assert.strictEqual(values.length, 1, subject)
    if (row.figure !== "memory") assert.isAbove(values[0]!, 0, subject)
    // Others end who has just asked, or never who keeps asking.
    if (isWebDrain(row) && !subject.startsWith("finwait-")) continue
    assert.deepStrictEqual({ errors, open, resets }, { errors: 0, open: 0, resets: 0 }, subject)
    if (isWebDrain(row) && row.transport !== "upgraded") assert.strictEqual(unanswered, 0, subject)
  }
}

describe.each(kinds.map((row) => [row.title, row] as const))("%s", (_, row) => {
  // The twin of a reference is the same program.
  const again = Subjects.againOf(row)
  const ids = Subjects.subjectsOf(row, native !== undefined)
    .map(({ id }) => id)
    .filter((id) => id !== again)

  it("every subject is measured", () => measures(row, native, ids), enough)

  if (Rows.needsNodesGenerator(row)) return
  it.runIf(native !== undefined)(
    "as well with the load generator in Node",
    () => measures(row, undefined, [ids[0]!, ids.find((id) => id.startsWith("finwait-"))!]),
    enough
  )
})

it("the campaign's rate is read from what it prints", async () => {
  const row = Rows.rowOf("simulated")
  const { results } = await Rounds.measure(row, {
    rounds: 1,
    seconds: 0.01,
    warmSeconds: 0,
    native: undefined,
    progress: () => {}
  })
  assert.isAbove(results[0]!.values[0]!, 0)
})

it.each(generators)("a last answer is one, and a refusal is none (generator %s)", async (_, native) => {
  const row = small(Rows.rowOf("http-drain"))
  const lost = async (id: string) => {
    const subject = Subjects.subjects.find((subject) => subject.id === id)!
    const server = await Processes.Server.start(subject, row, native)
    const { open, unanswered } = await Rounds.sample(subject, server, row, native, 0.05)
    await server.kill()
    return { open, unanswered }
  }
  // A tenth of twenty are busy when it says 503.
  assert.deepStrictEqual(await lost("fastify"), { open: 0, unanswered: 2 })
  assert.deepStrictEqual(await lost("finwait-http"), { open: 0, unanswered: 0 })
})

it("who is open when nobody waits any longer is counted", async () => {
  const row = { ...small(Rows.rowOf("http-drain-work")), patienceSeconds: 0.5 }
  // Effect's waits for who keeps asking.
  const subject = Subjects.subjects.find(({ id }) => id === "effect-http")!
  const server = await Processes.Server.start(subject, row, native)
  const { open, value } = await Rounds.sample(subject, server, row, native, 0.05)
  await server.kill()
  assert.strictEqual(open, 2)
  assert.isAtLeast(value, 0.5)
  const results = [{ ...result("effect-http", [value]), open }]
  assert.include(Text.rowText({ row: "http-drain", results }), "2 still open")
})

describe("a server that does not do its work", () => {
  const row = small(Rows.rowOf("ping-64-100"))
  const subject = Subjects.subjects[0]!

  it.each(generators)("is an error when it is dead (generator %s)", async (_, native) => {
    const server = await Processes.Server.start(subject, row, native)
    await server.kill()
    const failed = await Rounds.sample(subject, server, row, native, 0.05).then(
      () => "measured",
      (error: Error) => error.message
    )
    assert.match(failed, /^ping-pong 64 B, 100 connections, node:net: the load generator ended with 1/)
  })

  it.each(generators)("is an error when it answers something else (generator %s)", async (_, native) => {
    const server = await Processes.Server.start(subject, row, native)
    const failed = (row: Rows.Row) =>
      Rounds.sample(subject, server, small(row), native, 0.05).then(
        () => "measured",
        (error: Error) => error.message
      )
    // It echoes what is to be answered otherwise.
    assert.match(await failed(Rows.rowOf("ws-ping-64-100")), /the hello is refused/)
    assert.match(await failed(Rows.rowOf("rpc-tcp-64-1")), /an answer has another length/)
    await server.kill()
  })

  it("is an error when it cannot start, with what it said", async () => {
    const failed = await Processes.Server.start({ ...subject, program: "nothing" as "raw" }, row, undefined).then(
      () => "started",
      (error: Error) => error.message
    )
    assert.match(failed, /^the server of "node:net" ended with 1: [^]*nothing\.js/)
  })

  it.each(generators)("is an error when it ends in the middle (generator %s)", async (_, native) => {
    const server = await Processes.Server.start(subject, row, native)
    const measuring = Processes.load(server, row, native, 20).then(
      () => "measured",
      (error: Error) => error.message
    )
    // What it was asked for has begun when its first connections are there; closing them is what it must notice.
    server.close()
    const alive = setInterval(() => server.close(), 20)
    const failed = await measuring
    clearInterval(alive)
    await server.kill()
    assert.match(failed, /^the load generator ended with 1: /)
  })
})

it("every round has all subjects, in an order of its own", () => {
  const orders = Array.from({ length: 20 }, (_, round) => Rounds.shuffled(["a", "b", "c", "d"], round))
  for (const order of orders) assert.deepStrictEqual(order.toSorted(), ["a", "b", "c", "d"])
  assert.strictEqual(new Set(orders.map(([first]) => first)).size, 4)
  assert.deepStrictEqual(Rounds.shuffled([1, 2, 3], 7), Rounds.shuffled([1, 2, 3], 7))
})

describe("the figures", () => {
  it("are medians and quartiles, between two values where they fall there", () => {
    assert.deepStrictEqual(Statistics.spread([4, 1, 3, 2]), { low: 1.75, median: 2.5, high: 3.25 })
    assert.deepStrictEqual(Statistics.spread([5]), { low: 5, median: 5, high: 5 })
  })

  it("are compared round by round", () => {
    assert.deepStrictEqual(Statistics.ratios([10, 30], [20, 10]), [0.5, 3])
  })

  const run = (row: string, finwait: number, again: number): Report.Run => ({
    date: "2020-01-01",
    machine: Report.machine("C"),
    rounds: 3,
    seconds: 1,
    rows: [
      {
        row,
        results: [
          result("raw", [100, 100, 100]),
          result("raw-again", [100, 100 * again, 100 * again]),
          result("finwait-each", [finwait, finwait, finwait])
        ]
      }
    ]
  })
  const floors = Floors.floorsOf(run("ping-64-100", 90, 1))

  it("make floors of Finwait's subjects alone", () => {
    assert.deepStrictEqual(floors.floors, { "ping-64-100": { "finwait-each": 0.9 } })
  })

  it("miss a floor when they are below it by more than the run's own noise", () => {
    assert.deepStrictEqual(Floors.missed(run("ping-64-100", 90, 1), floors), [])
    assert.deepStrictEqual(Floors.missed(run("ping-64-100", 86, 1.1), floors), [])
    assert.deepStrictEqual(Floors.missed(run("ping-64-100", 86, 1), floors), [
      "ping-pong 64 B, 100 connections: Finwait, each is at 0.86, its floor is 0.90 and equal programs differ by 0.00"
    ])
  })

  it("miss it from above where less is better", () => {
    const memory = Floors.floorsOf(run("idle-memory", 150, 1))
    assert.deepStrictEqual(Floors.missed(run("idle-memory", 140, 1), memory), [])
    assert.strictEqual(Floors.missed(run("idle-memory", 160, 1), memory).length, 1)
  })

  /** One whose reference is not `node:net`. */
  const secured = (row: string, finwait: number): Report.Run => {
    const base = Subjects.referenceOf(Rows.rowOf(row))
    const results = [
      result(base, [100, 100, 100]),
      result(`${base}-again`, [100, 100, 100]),
      result("effect-pull", [80, 80, 80]),
      result("finwait-each", [finwait, finwait, finwait])
    ]
    return { ...run(row, 100, 1), rows: [{ row, results }] }
  }

  it("are beside what is bare on the row's transport", () => {
    assert.deepStrictEqual(Floors.floorsOf(secured("tls-churn", 90)).floors, { "tls-churn": { "finwait-each": 0.9 } })
    assert.deepStrictEqual(Floors.floorsOf(secured("ws-churn", 90)).floors, { "ws-churn": { "finwait-each": 0.9 } })
    assert.strictEqual(Subjects.referenceOf(Rows.rowOf("rpc-ws-64-1")), "effect-rpc")
    for (const row of Rows.rows.filter(({ figure }) => figure !== "simulated")) {
      const ids = Subjects.subjectsOf(row, true).map(({ id }) => id)
      assert.deepStrictEqual(ids.slice(0, 2), [Subjects.referenceOf(row), Subjects.againOf(row)])
    }
  })

  it("miss a floor beside another subject, which a new run leaves as it is", () => {
    const beside = { ...floors, floors: { "tls-churn": { "finwait-each/effect-pull": 1 } } }
    assert.deepStrictEqual(Floors.missed(secured("tls-churn", 81), beside), [])
    assert.deepStrictEqual(Floors.missed(secured("tls-churn", 76), beside), [
      "TLS, connect, one request, close; 20 at a time: Finwait, each, beside Effect, pull loop, is at 0.95, its floor is 1.00 " +
        "and equal programs differ by 0.00"
    ])
    assert.deepStrictEqual(Floors.merged(beside.floors, Floors.floorsOf(secured("tls-churn", 76)).floors), {
      "tls-churn": { "finwait-each/effect-pull": 1, "finwait-each": 0.76 }
    })
  })

  it("have floors for rows and subjects that exist", () => {
    const recorded = Object.entries(Floors.readFloors().floors)
    assert.deepStrictEqual(
      recorded.flatMap(([id, ratios]) => {
        const ids = new Set(Subjects.subjectsOf(Rows.rowOf(id), true).map(({ id }) => id))
        return Object.keys(ratios).filter((who) => who.split("/").some((id) => !ids.has(id)))
      }),
      []
    )
    const rows = Rows.rows.filter(({ figure }) => figure !== "simulated").map(({ id }) => id)
    assert.sameMembers(
      recorded.map(([id]) => id),
      rows
    )
  })

  it("reach a goal, a floor or neither", () => {
    const has = (row: string, ratio: number) => Goals.reached(run(row, 100 * ratio, 1)).map(({ has }) => has)
    assert.deepStrictEqual(has("ping-64-100", 1.1), ["goal"])
    assert.deepStrictEqual(has("ping-64-100", 0.95), ["floor"])
    assert.deepStrictEqual(has("ping-64-100", 0.94), ["neither"])
    assert.deepStrictEqual(has("storm-server", 1.2), ["goal"])
    assert.deepStrictEqual(has("storm-server", 1.5), ["floor"])
    assert.deepStrictEqual(has("storm-server", 1.51), ["neither"])
  })

  it("reach a goal beside Effect's own, as fast or as small", () => {
    const times = (row: string, finwait: number) =>
      Goals.reached(secured(row, finwait))
        .filter(({ goal }) => goal.than !== undefined)
        .map(({ has, value }) => `${value.toFixed(2)} ${has}`)
    assert.deepStrictEqual(times("ws-churn", 120), ["1.50 goal"])
    assert.deepStrictEqual(times("ws-churn", 79), ["0.99 neither"])
    assert.deepStrictEqual(times("ws-drain", 80), ["1.00 floor"])
    assert.deepStrictEqual(times("ws-drain", 40), ["2.00 goal"])
  })

  it("are written with what has to be known of them", () => {
    const text = Docs.generated(secured("tls-ping-64-100", 90))
    assert.include(text, "### TLS\n\n![TLS: ratios to node:tls](charts/tls.svg)")
    assert.include(text, "| work | node:tls | node:tls once more | Effect, pull loop | Finwait, each |")
    assert.include(text, "The load generator of TLS is Node's")
    assert.include(text, "| the server's processor, for an operation or a close | node:tls |")
    assert.include(Text.rowText(secured("tls-ping-64-100", 90).rows[0]!), "the load generator of TLS is Node's")
  })

  it("are about rows and subjects that exist", () => {
    for (const { rows, subjects, than = "raw", work } of Goals.goals) {
      assert.isNotEmpty(Rows.rows.filter(rows), work)
      for (const id of [...subjects, than]) assert.isDefined(Subjects.subjects.find((subject) => subject.id === id))
    }
    for (const id of Goals.peers.flat()) assert.isDefined(Subjects.subjects.find((subject) => subject.id === id))
  })

  it("say when the load generator was the bottleneck", () => {
    const [row] = run("ping-64-100", 90, 1).rows
    const busy = { row: "ping-64-100", results: [{ ...result("raw", [100]), ownCpu: 0.97 }] }
    assert.include(Text.rowText(busy), "load generator at 97 %")
    assert.notInclude(Text.rowText(row!), "load generator at")
  })
})

describe("flags", () => {
  const row = small(Rows.rowOf("ping-64-100"))
  const options = { rounds: 1, seconds: 0.05, warmSeconds: 0, native, only: ["raw", "echod"], progress: () => {} }

  it("make a twin of each server that is a program of Node's, which has them", async () => {
    const measured = await Rounds.measure(row, { ...options, flags: ["--single-threaded-gc"] })
    const ids = measured.results.map(({ subject }) => subject)
    assert.deepStrictEqual(ids, native === undefined ? ["raw", "raw+flags"] : ["raw", "raw+flags", "echod"])
    assert.include(Text.rowText(measured), "node:net, with flags")
    assert.match(Text.rowText(measured), /[\d.]+ of it without \([\d.]+ to [\d.]+\)/)
    // They reach the process: one that Node does not have ends it.
    const failed = await Rounds.measure(row, { ...options, flags: ["--no-such-flag"] }).then(
      () => "measured",
      (error: Error) => error.message
    )
    assert.match(failed, /the server of "node:net, with flags" ended with 9: [^]*--no-such-flag/)
  })

  const tried = join(import.meta.dirname, "../tried")
  it.each(readdirSync(tried))("what was tried can be loaded (%s)", (file) => {
    const { status, stderr } = spawnSync(process.execPath, ["--require", join(tried, file), "-e", ""], {
      encoding: "utf8"
    })
    assert.deepStrictEqual({ status, stderr }, { status: 0, stderr: "" })
  })
})

describe("a profile", () => {
  const frame = (id: number, functionName: string, url: string) => ({
    id,
    callFrame: { functionName, url, lineNumber: 1 }
  })
  const nodes = [
    frame(1, "(idle)", ""),
    frame(2, "(garbage collector)", ""),
    frame(3, "writev", ""),
    frame(4, "onread", "node:internal/stream_base_commons"),
    frame(5, "runLoop", "file:///somewhere/node_modules/effect/dist/internal/effect.js"),
    frame(6, "take", "file:///somewhere/packages/finwait/dist/internal/input.js"),
    frame(7, "", "file:///somewhere/packages/bench/src/servers/finwait.ts"),
    frame(8, "dataMessage", "file:///somewhere/node_modules/ws/lib/receiver.js"),
    frame(9, "routeHandler", "file:///somewhere/node_modules/fastify/lib/route.js")
  ]

  it("adds up by whose code it is, for an operation, of the last part alone", () => {
    const samples = [3, 3, 1, 2, 3, 4, 5, 6, 7, 6, 8, 9]
    const timeDeltas = [1e6, 1e6, 1e6, 10, 20, 30, 40, 50, 60, 50, 5, 4]
    assert.deepStrictEqual(Profile.addUp({ nodes, samples, timeDeltas }, 0.5, 10), {
      micros: { garbage: 1, system: 2, node: 3, ws: 0.5, fastify: 0.4, effect: 4, finwait: 10, handler: 6 },
      functions: [
        { name: "take (input.js)", micros: 10 },
        { name: "(anonymous) (finwait.ts)", micros: 6 },
        { name: "runLoop (effect.js)", micros: 4 },
        { name: "onread (stream_base_commons)", micros: 3 },
        { name: "writev", micros: 2 },
        { name: "(garbage collector)", micros: 1 },
        { name: "dataMessage (receiver.js)", micros: 0.5 },
        { name: "routeHandler (route.js)", micros: 0.4 }
      ]
    })
  })

  it.each(["ping-64-100", "churn", "storm-server"])(
    "is made of a server at work (%s)",
    async (id) => {
      const found = await Profile.profiles(small(Rows.rowOf(id)), ["raw", "finwait-pull"], native, () => {}, 0.2)
      assert.deepStrictEqual(
        found.map(({ subject }) => subject),
        ["raw", "finwait-pull"]
      )
      const [bare, finwait] = found.map(({ micros }) => micros)
      assert.isAbove(bare!.system, 0)
      assert.deepStrictEqual([bare!.effect, bare!.finwait], [0, 0])
      assert.isAbove(finwait!.effect + finwait!.finwait, 0)
      assert.include(Text.profilesText(Rows.rowOf(id), found), "Finwait, pull loop")
    },
    enough
  )
})

describe("the command", () => {
  it.each([
    ["a row that is not there", ["--only", "nothing"], "--only nothing: no row is called so; --list has the names"],
    [
      "a subject that is not there",
      ["--subjects", "nobody"],
      "--subjects nobody: no subject is called so; --list has the names"
    ],
    ["no rounds", ["--rounds", "0"], "--rounds 0: not a number above 0"],
    ["half a round", ["--rounds", "1.5"], "--rounds 1.5: not a whole number"],
    [
      "floors of servers that have flags",
      ["--check", "--flags=--single-threaded-gc"],
      "--flags is for a look: --docs, --record and --check are about servers without them"
    ],
    ["an option that it does not have", ["--fast"], "Unknown option '--fast'"]
  ])("refuses %s", (_, args, message) => {
    const { status, stderr } = bench(...args)
    assert.strictEqual(status, 2)
    assert.include(stderr, message)
    assert.include(stderr, "bench [options]")
  })

  const listed = (...args: ReadonlyArray<string>) =>
    bench("--list", ...args)
      .stdout.trim()
      .split("\n")
      .map((line) => line.split(" ")[0]!)

  it("lists its rows and its subjects, each once", () => {
    const ids = listed()
    assert.deepStrictEqual(
      ids,
      [...Rows.rows, ...Subjects.subjects].map(({ id }) => id)
    )
    assert.strictEqual(new Set(ids).size, ids.length)
  })

  it("takes a whole name as itself, and a part of one as all that have it", () => {
    assert.deepStrictEqual(listed("--only", "ping-64-100", "--subjects", "finwait-each"), [
      "ping-64-100",
      "raw",
      "raw-again",
      "finwait-each"
    ])
    assert.includeMembers(listed("--only", "ping-64-1"), ["ping-64-10", "ping-64-100", "ping-64-10000"])
    assert.deepStrictEqual(listed("--only", "rpc-ws-64-1"), [
      "rpc-ws-64-1",
      "effect-rpc",
      "effect-rpc-again",
      "finwait-rpc",
      "finwait-rpc-drain"
    ])
  })
})
