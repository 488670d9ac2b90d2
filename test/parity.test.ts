/**
 * The simulated network and the operating system's are observed side by side. Every scenario is written once, against
 * `Network` and `Server`, and runs on all four: what it observes over simulated TCP must be what it observes over real
 * TCP, and the same for Unix sockets. Where they legitimately differ, the scenario leaves it out and says why.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { accepting } from "./parity/accepting.ts"
import { closing } from "./parity/closing.ts"
import { draining } from "./parity/draining.ts"
import type { Scenario } from "./parity/observe.ts"
import { resetting } from "./parity/resetting.ts"
import { talking } from "./parity/talking.ts"
import { type Kind, real, simulated, type World } from "./parity/world.ts"

const themes: Record<string, ReadonlyArray<Scenario>> = { talking, closing, resetting, accepting, draining }

/** Runs on a network of its own; fails when it does not end in ten seconds, which only tells an end from a hang. */
const observed = ({ run }: Scenario, world: ReturnType<typeof real>) =>
  Effect.gen(function* () {
    const { name, ...rest } = yield* world
    const observing = run({ name, ...rest } satisfies World)
    return yield* Effect.timeoutOrElse(observing, {
      duration: "10 seconds",
      orElse: () => Effect.die(new Error(`${name}: no end`))
    })
  }).pipe(Effect.scoped)

describe("the simulated network is as the real one", () => {
  for (const [theme, scenarios] of Object.entries(themes)) {
    describe(theme, () => {
      for (const scenario of scenarios) {
        for (const kind of scenario.kinds ?? (["Tcp", "Unix"] satisfies ReadonlyArray<Kind>)) {
          it.live(`${kind}: ${scenario.name}`, () =>
            Effect.gen(function* () {
              const [expected, found] = [
                yield* observed(scenario, real(kind)),
                yield* observed(scenario, simulated(kind))
              ]
              assert.deepStrictEqual(found, expected)
            })
          )
        }
      }
    })
  }
})
