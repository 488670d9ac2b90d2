import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ClosePolicy from "finwait/ClosePolicy"
import * as Connection from "finwait/Connection"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import * as SimNetwork from "finwait/testing/SimNetwork"
import type * as Transport from "finwait/Transport"
import { address } from "./support/network.ts"

/** A network on which nobody may come as far as the provider. */
const counting = () => {
  const asked: Array<string> = []
  const provider: Transport.Provider = {
    connect: () =>
      Effect.andThen(
        Effect.sync(() => asked.push("connect")),
        Effect.die("connected")
      ),
    listen: () =>
      Effect.andThen(
        Effect.sync(() => asked.push("listen")),
        Effect.die("listening")
      )
  }
  return { network: Network.make(provider), asked }
}

/** The message of the `RangeError` that an effect dies of; anything else fails the test. */
const rangeError = <A, E>(exit: Exit.Exit<A, E>): string => {
  assert.isTrue(Exit.isFailure(exit), "nothing was refused")
  const defect = Cause.squash((exit as Exit.Failure<A, E>).cause)
  assert.isTrue(Cause.hasDies((exit as Exit.Failure<A, E>).cause))
  assert.instanceOf(defect, RangeError)
  return defect.message
}

/** Values that types may forbid; options also come from programs without types, and from configuration. */
const options = (values: object) => values as never

const message = (name: keyof Server.Options, allowed: string, shown: string) =>
  `Server.Options.${name} must be ${allowed}, not ${shown}`

const atLeast = (least: number) => `a whole number of at least ${least}`

describe("a server's options", () => {
  const wrong: ReadonlyArray<readonly [options: Partial<Server.Options>, message: string]> = [
    ...(
      [
        ["connectionsMax", 1],
        ["connectionsPerPeerMax", 1],
        ["waitingMax", 0],
        ["backlog", 1],
        ["maxFrameBytes", 1]
      ] as const
    ).flatMap(([name, least]) =>
      [least - 1, -Infinity, least + 0.5, NaN].map(
        (value) => [{ [name]: value }, message(name, atLeast(least), String(value))] as const
      )
    ),
    [options({ connectionsMax: "10" }), message("connectionsMax", atLeast(1), '"10"')],
    [options({ connectionsMax: null }), message("connectionsMax", atLeast(1), "null")],
    [options({ connectionsMax: 10n }), message("connectionsMax", atLeast(1), "10n")],
    [{ backlog: Infinity }, message("backlog", atLeast(1), "Infinity")],
    [{ mode: -1 }, message("mode", "a whole number from 0 to 0o777", "-1")],
    [{ mode: 0o1000 }, message("mode", "a whole number from 0 to 0o777", "512")],
    [{ mode: 0.5 }, message("mode", "a whole number from 0 to 0o777", "0.5")],
    [options({ overflow: "drop" }), message("overflow", '"wait" or "refuse"', '"drop"')],
    [options({ idleTimeout: "5 sec" }), 'Server.Options.idleTimeout "5 sec" is not a duration'],
    [options({ idleTimeout: null }), "Server.Options.idleTimeout null is not a duration"],
    [{ idleTimeout: NaN }, "Server.Options.idleTimeout NaN is not a duration"],
    [{ idleTimeout: 0 }, message("idleTimeout", "a positive duration", "0")],
    [{ idleTimeout: "-1 second" }, message("idleTimeout", "a positive duration", '"-1 second"')],
    [{ idleTimeout: Duration.zero }, message("idleTimeout", "a positive duration", "0")],
    [{ close: { deadline: -1 } }, "ClosePolicy.deadline must be a duration of at least 0, not -1"],
    [{ close: { lingerBytesMax: -1 } }, "ClosePolicy.lingerBytesMax must be a whole number of at least 0, not -1"]
  ]

  for (const [given, expected] of wrong) {
    it.effect(`nothing listens: ${expected}`, () =>
      Effect.gen(function* () {
        const { asked, network } = counting()
        const made = Server.make({ listen: address, handler: () => Effect.void, ...given })
        const provided = Effect.provideService(made, Network.Network, network)
        assert.strictEqual(rangeError(yield* Effect.exit(provided)), expected)
        assert.deepStrictEqual(asked, [])
      })
    )
  }

  const right: ReadonlyArray<Partial<Server.Options>> = [
    { connectionsMax: 1, connectionsPerPeerMax: 1, waitingMax: 0, backlog: 1, maxFrameBytes: 1 },
    { connectionsMax: Infinity, connectionsPerPeerMax: Infinity, waitingMax: Infinity, maxFrameBytes: Infinity },
    { mode: 0, overflow: "wait", idleTimeout: 1 },
    { mode: 0o777, overflow: "refuse", idleTimeout: Duration.infinity },
    {
      connectionsMax: undefined,
      connectionsPerPeerMax: undefined,
      waitingMax: undefined,
      backlog: undefined,
      maxFrameBytes: undefined,
      mode: undefined,
      overflow: undefined,
      idleTimeout: undefined,
      close: undefined
    }
  ]

  for (const [index, given] of right.entries()) {
    it.effect(`at their limits, or without one, are taken (${index})`, () =>
      Effect.gen(function* () {
        const handler = (connection: Connection.Connection) => connection.write("served")
        yield* Server.make({ listen: address, handler, ...given })
        const client = yield* Network.connect(address)
        assert.strictEqual(yield* Connection.readText(client), "served")
        yield* client.close
      }).pipe(Effect.scoped, Effect.provide(SimNetwork.layer()))
    )
  }
})

describe("a listener's options", () => {
  const wrong: ReadonlyArray<readonly [Network.ListenOptions, string]> = [
    [{ waitingMax: -1 }, "Network.ListenOptions.waitingMax must be a whole number of at least 0, not -1"],
    [{ backlog: 0 }, "Network.ListenOptions.backlog must be a whole number of at least 1, not 0"],
    [{ mode: 0o1000 }, "Network.ListenOptions.mode must be a whole number from 0 to 0o777, not 512"],
    [{ close: { deadline: -1 } }, "ClosePolicy.deadline must be a duration of at least 0, not -1"]
  ]

  const { asked, network } = counting()

  for (const [given, expected] of wrong) {
    it.effect(`nothing listens: ${expected}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(rangeError(yield* Effect.exit(network.listen(address, given))), expected)
        assert.deepStrictEqual(asked, [])
      })
    )
  }

  it.effect("nor is anything dialled with a policy that is none", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(network.connect(address, { close: { lingerTimeout: -1 } }))
      assert.strictEqual(rangeError(exit), "ClosePolicy.lingerTimeout must be a duration of at least 0, not -1")
      assert.deepStrictEqual(asked, [])
    })
  )
})

describe("a close policy's options", () => {
  const durations = ["farewellTimeout", "lingerTimeout", "lingerIdleTimeout", "deadline"] as const
  const refused = (given: object, expected: string) => {
    let thrown: unknown
    try {
      ClosePolicy.override(ClosePolicy.defaults, given)
    } catch (error) {
      thrown = error
    }
    assert.instanceOf(thrown, RangeError)
    assert.strictEqual(thrown.message, expected)
  }

  for (const name of durations) {
    it(`${name} is a duration, and not negative`, () => {
      refused({ [name]: "5 sec" }, `ClosePolicy.${name} "5 sec" is not a duration`)
      refused({ [name]: NaN }, `ClosePolicy.${name} NaN is not a duration`)
      refused({ [name]: true }, `ClosePolicy.${name} true is not a duration`)
      refused({ [name]: ["x"] }, `ClosePolicy.${name} ["x"] is not a duration`)
      refused({ [name]: "-1 millis" }, `ClosePolicy.${name} must be a duration of at least 0, not "-1 millis"`)
      refused({ [name]: { seconds: -1 } }, `ClosePolicy.${name} must be a duration of at least 0, not {"seconds":-1}`)
      refused({ [name]: "-Infinity" }, `ClosePolicy.${name} must be a duration of at least 0, not "-Infinity"`)
      refused({ [name]: -1n }, `ClosePolicy.${name} must be a duration of at least 0, not -1n`)
      const none = ClosePolicy.override(ClosePolicy.defaults, { [name]: 0 })
      assert.strictEqual(Duration.toMillis(none[name]), 0)
    })
  }

  it("every one but the deadline may be endless", () => {
    for (const name of durations.filter((name) => name !== "deadline")) {
      const endless = ClosePolicy.override(ClosePolicy.defaults, { [name]: "Infinity" })
      assert.isFalse(Duration.isFinite(endless[name]))
    }
    refused({ deadline: "Infinity" }, "ClosePolicy.deadline must be finite, not Infinity: a close always ends")
  })

  it("lingerBytesMax is a whole number of at least 0, or no limit", () => {
    for (const value of [-1, 0.5, NaN]) {
      refused(
        { lingerBytesMax: value },
        `ClosePolicy.lingerBytesMax must be a whole number of at least 0, not ${value}`
      )
    }
    for (const value of [0, 1, Infinity]) {
      assert.strictEqual(ClosePolicy.override(ClosePolicy.defaults, { lingerBytesMax: value }).lingerBytesMax, value)
    }
  })

  it.effect("a layer dies of them when it is built", () =>
    Effect.gen(function* () {
      const built = Effect.provide(Effect.void, ClosePolicy.layer({ deadline: -1 }))
      assert.strictEqual(
        rangeError(yield* Effect.exit(built)),
        "ClosePolicy.deadline must be a duration of at least 0, not -1"
      )
    })
  )
})
