import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as fc from "fast-check"
import * as Connection from "finwait/Connection"
import * as Fault from "finwait/testing/Fault"
import * as History from "finwait/testing/History"
import * as SimNetwork from "finwait/testing/SimNetwork"
import * as Simulation from "finwait/testing/Simulation"
import { address } from "./support/network.ts"

const time = fc.oneof(fc.nat(), fc.double({ min: 0, noNaN: true }), fc.constant(Fault.forever))
const rate = fc.oneof(fc.integer({ min: 1 }), fc.double({ min: 0.001, noNaN: true }))

const fault: fc.Arbitrary<Fault.Fault> = fc.oneof(
  time.map((millis) => Fault.Delay({ millis })),
  time.map((millis) => Fault.Jitter({ millis })),
  time.map((millis) => Fault.Stall({ millis })),
  time.map((millis) => Fault.LinkDown({ millis })),
  fc.constant(Fault.Reset()),
  fc.nat().map((byte) => Fault.ResetAtByte({ byte })),
  fc
    .constantFrom("Farewell" as const, "Flushing" as const, "Lingering" as const)
    .map((stage) => Fault.ResetAtStage({ stage })),
  fc.constant(Fault.HalfOpen()),
  rate.map((bytesPerSecond) => Fault.SlowReader({ bytesPerSecond })),
  rate.map((bytesPerSecond) => Fault.SlowWriter({ bytesPerSecond })),
  time.map((millis) => Fault.LateFin({ millis })),
  fc.constant(Fault.DuplicateFin()),
  time.map((millis) => Fault.Pause({ millis })),
  fc.record({ code: fc.string({ minLength: 1 }), times: fc.nat() }).map(Fault.AcceptError),
  time.map((millis) => Fault.Refuse({ millis }))
)

const plan: fc.Arbitrary<Fault.Planned> = fc
  .record({
    afterMillis: time,
    connection: fc.oneof(fc.integer({ min: 1 }), fc.constant("each" as const)),
    side: fc.constantFrom("client" as const, "server" as const),
    fault
  })
  .map(Fault.planned)

/** Numbers that a test gives, one after the other. */
const given = (numbers: ReadonlyArray<number>) => {
  let next = 0
  return () => numbers[next++ % numbers.length]!
}

const isPlausible = ({ afterMillis, connection, fault }: Fault.Planned, options: Fault.DrawOptions) => {
  assert.isTrue(Number.isInteger(afterMillis) && afterMillis >= 0 && afterMillis <= options.withinMillis)
  if (Fault.isListenerFault(fault)) assert.strictEqual(connection, "listener")
  else assert.isTrue(Number(connection) >= 1 && Number(connection) <= options.connections)
  if (fault._tag === "Delay") assert.isTrue(fault.millis >= 1 && fault.millis <= options.withinMillis + 1)
}

describe("drawing", () => {
  const options = fc.record({
    count: fc.nat({ max: 20 }),
    connections: fc.integer({ min: 1, max: 9 }),
    withinMillis: fc.nat({ max: 5000 }),
    tags: fc.option(fc.subarray([...Fault.allTags], { minLength: 1 }), { nil: undefined })
  })

  it("the same numbers give the same schedule, whatever they are, and it keeps to its options", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 }),
        options,
        (numbers, options) => {
          const drawn = Fault.draw(given(numbers), options)
          assert.deepStrictEqual(drawn, Fault.draw(given(numbers), options))
          assert.strictEqual(drawn.length, options.count)
          for (const plan of drawn) isPlausible(plan, options)
          if (options.tags !== undefined) for (const { fault } of drawn) assert.include(options.tags, fault._tag)
        }
      )
    )
  })

  it("the same seed gives the same schedule, another one another", () => {
    const drawn = (seed: number | string) =>
      Fault.print(Fault.draw(Fault.random(seed), { count: 10, connections: 5, withinMillis: 1000 }))
    assert.strictEqual(drawn(1), drawn(1))
    assert.strictEqual(drawn("a word"), drawn("a word"))
    assert.strictEqual(new Set(Array.from({ length: 100 }, (_, seed) => drawn(seed))).size, 100)
  })

  it("every kind of fault is drawn, for both sides, and some of them for ever", () => {
    const drawn = Fault.draw(Fault.random(1), { count: 3000, connections: 3, withinMillis: 100 })
    const share = (is: (plan: Fault.Planned) => boolean) => drawn.filter(is).length / drawn.length
    for (const tag of Fault.allTags) {
      assert.closeTo(
        share(({ fault }) => fault._tag === tag),
        1 / Fault.allTags.length,
        0.02,
        tag
      )
    }
    for (const side of ["client", "server"])
      assert.isAbove(
        share((plan) => plan.side === side),
        0.3
      )
    for (const connection of [1, 2, 3])
      assert.closeTo(
        share((plan) => plan.connection === connection),
        13 / 45,
        0.04
      )
    for (const tag of ["Stall", "LinkDown", "LateFin", "Pause"]) {
      const ofKind = drawn.filter(({ fault }) => fault._tag === tag)
      const endless = ofKind.filter(({ fault }) => !Fault.passes(fault)).length
      assert.closeTo(endless / ofKind.length, 0.25, 0.1, tag)
    }
  })

  it("there are as many kinds as faults", () => {
    assert.strictEqual(new Set(Fault.allTags).size, 15)
    const seen = new Set(fc.sample(fault, { numRuns: 1000, seed: 1 }).map(({ _tag }) => _tag))
    assert.deepStrictEqual([...seen].toSorted(), [...Fault.allTags].toSorted())
  })
})

describe("planning", () => {
  it("names nobody: at once, each connection, the server's side", () => {
    assert.deepStrictEqual(Fault.planned({ fault: Fault.Reset() }), {
      afterMillis: 0,
      connection: "each",
      side: "server",
      fault: Fault.Reset()
    })
  })

  it("a listener's fault is the listener's, whomever it was planned for", () => {
    assert.deepStrictEqual(Fault.planned({ connection: 3, side: "client", fault: Fault.Refuse({ millis: 1 }) }), {
      afterMillis: 0,
      connection: "listener",
      side: "server",
      fault: Fault.Refuse({ millis: 1 })
    })
  })

  it("passes: what breaks the connection, or lasts for ever, does not", () => {
    const passing = fc.sample(fault, { numRuns: 500, seed: 1 }).filter(Fault.passes)
    for (const { _tag, ...figures } of passing) {
      assert.notInclude(["Reset", "ResetAtByte", "ResetAtStage", "HalfOpen"], _tag)
      if (["Stall", "LinkDown", "LateFin", "Pause"].includes(_tag)) {
        assert.isTrue(Number.isFinite((figures as { millis: number }).millis))
      }
    }
    assert.isTrue(Fault.passes(Fault.Delay({ millis: 5 })))
    assert.isTrue(Fault.passes(Fault.Stall({ millis: 5 })))
    assert.isFalse(Fault.passes(Fault.Stall({ millis: Fault.forever })))
    assert.isFalse(Fault.passes(Fault.HalfOpen()))
  })
})

describe("printing", () => {
  it("is a line per fault, that says when, whom and what", () => {
    assert.strictEqual(
      Fault.print([
        Fault.planned({
          afterMillis: 1.5,
          connection: 2,
          side: "client",
          fault: Fault.Stall({ millis: Fault.forever })
        }),
        Fault.planned({ fault: Fault.DuplicateFin() }),
        Fault.planned({ afterMillis: Fault.forever, fault: Fault.AcceptError({ code: "EMFILE", times: 2 }) })
      ]),
      [
        '+1.5ms connection 2 client Stall {"millis":"forever"}',
        "+0ms connection each server DuplicateFin",
        '+forever listener AcceptError {"code":"EMFILE","times":2}'
      ].join("\n")
    )
    assert.strictEqual(Fault.print([]), "")
  })

  it("whatever is printed can be read back", () => {
    fc.assert(
      fc.property(fc.array(plan), (schedule) => {
        assert.deepStrictEqual(Fault.parse(Fault.print(schedule)), schedule)
      }),
      { numRuns: 1000 }
    )
  })

  it("what is drawn can be printed and read back", () => {
    for (let seed = 0; seed < 50; seed++) {
      const drawn = Fault.draw(Fault.random(seed), { count: 30, connections: 5, withinMillis: 1000 })
      assert.deepStrictEqual(Fault.parse(Fault.print(drawn)), drawn)
    }
  })

  it("a code that is spelled like the end of time is a code", () => {
    const schedule = [Fault.planned({ fault: Fault.AcceptError({ code: "forever", times: 1 }) })]
    assert.deepStrictEqual(Fault.parse(Fault.print(schedule)), schedule)
  })
})

describe("parsing", () => {
  it("leaves out what is empty, and the space around", () => {
    assert.deepStrictEqual(Fault.parse("\n  +0ms connection 1 client Reset \r\n\n"), [
      Fault.planned({ connection: 1, side: "client", fault: Fault.Reset() })
    ])
    assert.deepStrictEqual(Fault.parse(""), [])
  })

  const wrong = [
    "nonsense",
    "+0ms connection 1 client",
    "+0ms connection 1 client Sleep",
    "+0ms connection 1 client toString",
    "+0ms connection 1 client __proto__",
    "+0ms connection 0 client Reset",
    "+0ms connection -1 client Reset",
    "+0ms connection 1 middle Reset",
    "0ms connection 1 client Reset",
    "+-5ms connection 1 client Reset",
    "+.ms connection 1 client Reset",
    "+NaNms connection 1 client Reset",
    "+foreverms connection 1 client Reset",
    '+0ms connection 1 client Reset {"millis":1}',
    "+0ms connection 1 client Stall",
    "+0ms connection 1 client Stall {}",
    '+0ms connection 1 client Stall {"millis":}',
    '+0ms connection 1 client Stall {"millis":-1}',
    '+0ms connection 1 client Stall {"millis":null}',
    '+0ms connection 1 client Stall {"millis":"long"}',
    '+0ms connection 1 client Stall {"seconds":1}',
    '+0ms connection 1 client Stall {"millis":1,"seconds":1}',
    '+0ms connection 1 client ResetAtByte {"byte":1.5}',
    '+0ms connection 1 client ResetAtByte {"byte":"forever"}',
    '+0ms connection 1 client ResetAtStage {"stage":"Open"}',
    '+0ms connection 1 client SlowReader {"bytesPerSecond":0}',
    '+0ms listener AcceptError {"code":"","times":1}',
    '+0ms listener AcceptError {"code":"EMFILE","times":"forever"}',
    '+0ms listener Stall {"millis":1}',
    '+0ms connection 1 client Refuse {"millis":1}'
  ]

  for (const line of wrong) {
    it(`names the line that is no fault: ${line}`, () => {
      const good = "+0ms connection 1 client HalfOpen"
      try {
        Fault.parse([good, line, good].join("\n"))
      } catch (error) {
        assert.instanceOf(error, SyntaxError)
        assert.strictEqual(error.message, `not a fault: ${line}`)
        return
      }
      assert.fail("it was read")
    })
  }
})

describe("a schedule that was printed", () => {
  it("can be replayed: the same seed with it gives the same history", () => {
    let faulty = 0
    for (let seed = 0; seed < 40; seed++) {
      const faults = Fault.draw(Fault.random(seed), { count: 4, connections: 1, withinMillis: 500 })
      const first = played(seed, faults)
      assert.strictEqual(played(seed, Fault.parse(Fault.print(faults))), first, Fault.print(faults))
      if (played(seed, []) !== first) faulty++
    }
    assert.isAbove(faulty, 30, "most of them make a difference")
  })
})

/** The history of two who talk for a second, whatever befalls them. */
const played = (seed: number, faults: Fault.Schedule): string => {
  const talking = (end: Connection.Connection) =>
    Effect.gen(function* () {
      for (let part = 0; part < 10; part++) {
        yield* end.write(`${part} `)
        yield* Effect.sleep(100)
      }
    }).pipe(Effect.timeoutOption("1 hour"), Effect.exit, Effect.andThen(end.close))
  const program = Effect.gen(function* () {
    const sim = yield* SimNetwork.make({ seed, faults, latency: 3 })
    const listener = yield* sim.network.listen(address)
    const accepted = yield* Deferred.make<Connection.Connection>()
    listener.attach({
      onConnection: (connection) => Deferred.doneUnsafe(accepted, Effect.succeed(connection)),
      onRefused: () => {},
      onError: () => {}
    })
    const dialling = Effect.retry(sim.network.connect(address), Schedule.spaced(100))
    const client = yield* dialling
    const server = yield* Deferred.await(accepted)
    const reading = (end: Connection.Connection) => Effect.exit(Connection.readText(end))
    yield* Effect.all([talking(client), talking(server), reading(client), reading(server)], { concurrency: 4 })
    return History.format(yield* sim.history)
  })
  return Simulation.runSync(Effect.scoped(program))
}

describe("a fault that cannot be", () => {
  const wrong: ReadonlyArray<readonly [string, () => unknown, string]> = [
    [
      "a time that is no number",
      () => Fault.planned({ fault: Fault.Stall({ millis: NaN }) }),
      "Fault.Stall.millis must be a number of milliseconds of at least 0, not NaN"
    ],
    ["a negative time", () => Fault.planned({ fault: Fault.Delay({ millis: -1 }) }), "Fault.Delay.millis must be"],
    [
      "no rate at all",
      () => Fault.planned({ fault: Fault.SlowReader({ bytesPerSecond: 0 }) }),
      "Fault.SlowReader.bytesPerSecond must be a number of bytes above 0, not 0"
    ],
    [
      "a plan for a time that is no number",
      () => Fault.planned({ fault: Fault.Reset(), afterMillis: NaN }),
      "afterMillis must be"
    ],
    [
      "no connection",
      () => Fault.planned({ fault: Fault.Reset(), connection: 0 }),
      'connection must be a number from 1 on, or "each", not 0'
    ],
    [
      "no side",
      () => Fault.planned({ fault: Fault.Reset(), side: "srv" as never }),
      'side must be "client" or "server"'
    ],
    ["no fault", () => Fault.planned({ fault: { _tag: "Nope" } as never }), 'no fault is called "Nope"'],
    [
      "one that was not planned",
      () => Effect.runSync(SimNetwork.make({ faults: [Fault.Reset() as never] })),
      "not a planned fault"
    ],
    [
      "one for a connection that there is not",
      () => Effect.runSync(Effect.flatMap(SimNetwork.make(), (sim) => sim.inject(Fault.Reset(), { connection: 7 }))),
      "there is no connection 7 yet: 0 have been established"
    ],
    [
      "one that is injected",
      () => Effect.runSync(Effect.flatMap(SimNetwork.make(), (sim) => sim.inject(Fault.Pause({ millis: NaN })))),
      "Fault.Pause.millis"
    ],
    [
      "an accept where nobody listens",
      () => Effect.runSync(Effect.flatMap(SimNetwork.make(), (sim) => sim.failAccept("tcp://127.0.0.1:1", "EMFILE"))),
      "nobody listens at tcp://127.0.0.1:1"
    ]
  ]
  it.each(wrong)("%s: a RangeError that names it", (_, run, message) => {
    let error: unknown
    try {
      run()
    } catch (caught) {
      error = caught
    }
    assert.instanceOf(error, RangeError)
    assert.include(error.message, message)
  })

  it("times in schedules are decimal numbers", () => {
    for (const time of ["+0x10ms", "+ ms", "+-1ms", "+NaNms"]) {
      assert.throws(() => Fault.parse(`${time} connection 1 client Reset`), SyntaxError, "not a fault")
    }
  })
})
