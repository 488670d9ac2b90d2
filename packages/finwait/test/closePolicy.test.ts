import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { CloseOutcome, tags } from "finwait/CloseOutcome"
import * as ClosePolicy from "finwait/ClosePolicy"
import * as Connection from "finwait/Connection"
import * as Network from "finwait/Network"
import * as Server from "finwait/Server"
import * as SimNetwork from "finwait/testing/SimNetwork"
import { address } from "./support/network.ts"

describe("a close policy", () => {
  it("has the defaults that its documentation names", () => {
    const { deadline, farewell, farewellTimeout, lingerBytesMax, lingerIdleTimeout, lingerTimeout } =
      ClosePolicy.defaults
    assert.isUndefined(farewell)
    assert.strictEqual(Duration.toMillis(farewellTimeout), 1000)
    assert.strictEqual(Duration.toMillis(lingerTimeout), 30_000)
    assert.strictEqual(Duration.toMillis(lingerIdleTimeout), 5000)
    assert.strictEqual(lingerBytesMax, 64 * 1024 * 1024)
    assert.strictEqual(Duration.toMillis(deadline), 60_000)
  })

  it("is overridden part by part, and what is not named stays", () => {
    const farewell = Connection.sendLine("BYE")
    const farewellRetry = Schedule.recurs(7)
    const options: Required<ClosePolicy.Options> = {
      farewell,
      farewellRetry,
      farewellTimeout: "2 seconds",
      lingerTimeout: 3000,
      lingerIdleTimeout: Duration.seconds(4),
      lingerBytesMax: 5,
      deadline: "6 seconds"
    }
    const all = ClosePolicy.override(ClosePolicy.defaults, options)
    assert.strictEqual(all.farewell, farewell)
    assert.strictEqual(all.farewellRetry, farewellRetry)
    assert.deepStrictEqual(
      [all.farewellTimeout, all.lingerTimeout, all.lingerIdleTimeout, all.deadline].map(Duration.toMillis),
      [2000, 3000, 4000, 6000]
    )
    assert.strictEqual(all.lingerBytesMax, 5)
    for (const name of Object.keys(options) as Array<keyof ClosePolicy.Options>) {
      const one = ClosePolicy.override(ClosePolicy.defaults, { [name]: options[name] })
      for (const other of Object.keys(options) as Array<keyof ClosePolicy.Options>) {
        assert.deepEqual(one[other], name === other ? all[other] : ClosePolicy.defaults[other], `${name}, ${other}`)
      }
    }
    assert.strictEqual(ClosePolicy.override(all, undefined), all)
    assert.deepStrictEqual(ClosePolicy.override(all, {}), all)
  })

  it("has no endless deadline: every close ends", () => {
    assert.throws(() => ClosePolicy.override(ClosePolicy.defaults, { deadline: Duration.infinity }), RangeError)
  })

  it.effect("layers lie over one another", () =>
    Effect.gen(function* () {
      const policy = yield* ClosePolicy.CurrentClosePolicy
      assert.strictEqual(policy.lingerBytesMax, 2)
      assert.strictEqual(Duration.toMillis(policy.deadline), 1000)
      assert.strictEqual(Duration.toMillis(policy.lingerTimeout), 30_000)
    }).pipe(
      Effect.provide(
        ClosePolicy.layer({ lingerBytesMax: 2 }).pipe(
          Layer.provide(ClosePolicy.layer({ lingerBytesMax: 1, deadline: "1 second" }))
        )
      )
    )
  )

  it.effect(
    "reaches the connections that are dialled and those that a server accepts, unless they have their own",
    () =>
      Effect.gen(function* () {
        yield* Server.make({ listen: address, handler: () => Effect.void })
        yield* Server.make({
          listen: "tcp://127.0.0.1:7001",
          handler: () => Effect.void,
          close: { farewell: Connection.sendLine("the server's own") }
        })
        const first = yield* Network.connect(address)
        assert.strictEqual(yield* Connection.readText(first), "the layer's\n")
        assert.strictEqual((yield* first.close).farewell, "flushed")
        const second = yield* Network.connect("tcp://127.0.0.1:7001", { close: { farewell: () => Effect.void } })
        assert.strictEqual(yield* Connection.readText(second), "the server's own\n")
        yield* second.close
      }).pipe(
        Effect.scoped,
        Effect.provide(
          Layer.merge(SimNetwork.layer(), ClosePolicy.layer({ farewell: Connection.sendLine("the layer's") }))
        )
      )
  )
})

describe("a close outcome", () => {
  it("is one of four", () => {
    const account = {
      stage: "Lingering",
      closedFirst: "local",
      farewell: "none",
      bytesRead: 0,
      bytesWritten: 0,
      bytesDiscarded: 0,
      bytesUnsent: 0,
      closeMillis: 0
    } as const
    const all = [
      CloseOutcome.Graceful(account),
      CloseOutcome.LingerExpired({ ...account, limit: "lingerTimeout" }),
      CloseOutcome.ResetByPeer({ ...account, code: "ECONNRESET" }),
      CloseOutcome.Aborted({ ...account, cause: "abort" })
    ]
    assert.deepStrictEqual(
      all.map(({ _tag }) => _tag),
      [...tags]
    )
  })
})
